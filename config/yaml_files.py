"""YAML as the house reads it: plain data, and no key twice. YAML's own rule forbids it; the library lets the last one win."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from yaml.constructor import ConstructorError

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _EachKeyOnce(_Loader):  # type: ignore[misc]  # libyaml's where it was built with it
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - theirs
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in seen:
                raise ConstructorError(None, None, f"{key.value} stands twice", key.start_mark)
            seen.add((key.tag, str(key.value)))
        read: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return read


def read_yaml(path: Path) -> Any:
    """Read one document, UTF-8. Raises OSError, UnicodeDecodeError, yaml.YAMLError."""
    text = path.read_text(encoding="utf-8")
    try:
        return yaml.load(text, Loader=_EachKeyOnce)  # noqa: S506 - a safe loader
    except (ArithmeticError, AttributeError, LookupError, RecursionError, ValueError) as fault:
        # What the library lets out of its own readers of numbers and dates: 2026-13-45, 9:9:9:… and `!!bool maybe`.
        raise yaml.YAMLError(f"a value cannot be read: {fault}") from None
