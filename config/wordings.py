"""The wording of messages: one YAML file for each language, checked whole at the start, told by key and facts.

A text names its facts in braces. An unknown fact, a key that nobody writes, and a Chinese text that is missing stop the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from config.months import YearMonth
from config.yaml_files import read_yaml

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

SHIPPED_MESSAGES: Final = Path(__file__).resolve().parent / "messages"
CHINESE: Final = "zh-CN"
"""The language that has every key; all others fall back on it."""
LONGEST_TITLE: Final = 20
"""What a `thing` field of a WeChat subscribe message holds."""


class WordingsFault(Exception):
    """The texts cannot be used. Each sentence names the file, the key and what is wrong with it."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Months(_Entry):
    """How months are written: one, a run of several, and what stands between two runs."""

    one: str
    range: str
    between: str


class Wording(_Entry):
    """One message in one language."""

    title: str = Field(min_length=1, max_length=LONGEST_TITLE)
    text: str = Field(min_length=1)
    elder: str = Field(min_length=1)
    """For elder mode: plainer and shorter."""


class Language(_Entry):
    """One file."""

    language: str
    direction: Literal["ltr", "rtl"]
    months: Months | None = None
    messages: dict[str, Wording]

    def say_months(self, numbers: Iterable[int]) -> str:
        """Coverage months such as 202611 in words: each once, in order, neighbours as a run."""
        if self.months is None:
            raise WordingsFault(f"{self.language}: months are not worded")
        runs: list[list[YearMonth]] = []
        for month in sorted({YearMonth.from_number(number) for number in numbers}):
            if runs and month == runs[-1][-1].plus(1):
                runs[-1].append(month)
            else:
                runs.append([month])
        return self.months.between.join(_run(self.months, run) for run in runs)


def _run(words: Months, run: list[YearMonth]) -> str:
    first, last = (words.one.format(year=month.year, month=month.month) for month in (run[0], run[-1]))
    return first if len(run) == 1 else words.range.format(first=first, last=last)


@dataclass(frozen=True)
class Wordings:
    """Every language. Asked for a key, it answers in the wanted language or, whole, in Chinese."""

    languages: Mapping[str, Language]

    def find(self, key: str, *, language: str) -> tuple[Language, Wording] | None:
        """The wording of a key, with the language it is really in. None for a key that has no text."""
        for code in (language, CHINESE):
            spoken = self.languages.get(code)
            if spoken is not None and key in spoken.messages:
                return spoken, spoken.messages[key]
        return None


def load_wordings(facts: Mapping[str, Collection[str]], *, folder: Path = SHIPPED_MESSAGES) -> Wordings:
    """Read every language of a folder. `facts`: each key that the code writes, and the facts that its texts may name.

    Raises WordingsFault with every fault of every file.
    """
    faults: list[str] = []
    languages: dict[str, Language] = {}
    for path in sorted(folder.glob("*.yaml")):
        read = _read(path, faults)
        if read is not None:
            languages[read.language] = read
            faults += [f"{path.name}: {fault}" for fault in _faults_of(read, facts)]
    if CHINESE not in languages:
        faults.append(f"{CHINESE}.yaml: it must be there; every other language falls back on it")
    else:
        missing = sorted(facts.keys() - languages[CHINESE].messages.keys())
        faults += [f"{CHINESE}.yaml: messages.{key}: the code writes it, and it has no text" for key in missing]
    if faults:
        raise WordingsFault("\n".join(faults))
    return Wordings(languages)


def _read(path: Path, faults: list[str]) -> Language | None:
    try:
        language = Language.model_validate(read_yaml(path))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as fault:
        faults.append(f"{path.name}: cannot be read: {fault}")
    except ValidationError as fault:
        faults += [f"{path.name}: {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in fault.errors()]
    else:
        if language.language == path.stem:
            return language
        faults.append(f"{path.name}: language: the file's name says {path.stem}")
    return None


def _faults_of(language: Language, facts: Mapping[str, Collection[str]]) -> Iterator[str]:
    if language.months is not None:
        yield from _braces("months.one", language.months.one, {"year", "month"}, all_of_them=True)
        yield from _braces("months.range", language.months.range, {"first", "last"}, all_of_them=True)
    for key, wording in language.messages.items():
        if key not in facts:
            yield f"messages.{key}: no code writes this key"
            continue
        for part, text in wording.model_dump().items():
            yield from _braces(f"messages.{key}.{part}", text, facts[key])
            if "{months}" in text and language.months is None:
                yield f"messages.{key}.{part}: names {{months}}, and the file does not say how months are written"


def _braces(place: str, text: str, allowed: Collection[str], *, all_of_them: bool = False) -> Iterator[str]:
    """What is wrong with the facts that a text names."""
    try:
        parts = [(name, spec, conversion) for _, name, spec, conversion in Formatter().parse(text) if name is not None]
    except ValueError as fault:
        yield f"{place}: {fault}"
        return
    named = {name for name, _, _ in parts}
    # A name alone: `{a.b}` and `{a[0]}` would reach into values, `{a:>9}` and `{a!r}` would dress them.
    odd = sorted({name for name, spec, conversion in parts if name not in allowed or spec or conversion})
    if odd:
        yield f"{place}: has no fact {', '.join(odd)}; it may name {', '.join(sorted(allowed))}"
    if all_of_them and (lacking := sorted(set(allowed) - named)):
        yield f"{place}: must name {', '.join(lacking)}"
