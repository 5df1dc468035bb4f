"""Names and ID numbers: what is well-formed, what is the same, and what may be shown. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from typing import Final

from services.errors import IdNumberMalformed, NameMalformed

WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK_DIGITS: Final = "10X98765432"
OLDEST_YEARS: Final = 130
FIRST_GENERATION_LENGTH: Final = 15
ADULT_ACCOUNT_YEARS: Final = 16

DOTS: Final = str.maketrans(dict.fromkeys("•・‧．●∙⋅", "·"))
"""Look-alikes of U+00B7, the dot inside Uyghur, Kazakh and other names."""
NAME: Final = re.compile(r"[^\W\d_]+(?:·[^\W\d_]+)*")
LONGEST_NAME: Final = 50
SHORTEST_NAME: Final = 2


@dataclass(frozen=True)
class IdNumber:
    """A well-formed resident ID number (GB 11643-1999). Whose it is, is another question."""

    text: str

    @property
    def birth_date(self) -> date:
        return date(int(self.text[6:10]), int(self.text[10:12]), int(self.text[12:14]))

    @property
    def is_female(self) -> bool:
        return int(self.text[16]) % 2 == 0

    @property
    def masked(self) -> str:
        return f"{self.text[:3]}{'*' * 11}{self.text[-4:]}"

    def age_on(self, day: date) -> int:
        """Completed years; born on 29 February, a year is completed on 1 March of common years."""
        born = self.birth_date
        return day.year - born.year - ((day.month, day.day) < (born.month, born.day))

    def __repr__(self) -> str:
        return f"IdNumber({self.masked})"


def parse_id_number(given: str, *, today: date) -> IdNumber:
    """Read an ID number as people type it. Raises IdNumberMalformed with what is wrong.

    The place code is not judged: abolished and brand-new counties are all real, and the number never changes.
    """
    text = "".join(unicodedata.normalize("NFKC", each) for each in given if not each.isspace()).upper()
    if len(text) == FIRST_GENERATION_LENGTH and text.isascii() and text.isdigit():
        raise IdNumberMalformed(detail="第一代15位身份证已停止使用，请输入18位身份证号码。")
    if not re.fullmatch(r"[0-9]{17}[0-9X]", text):
        raise IdNumberMalformed(detail="身份证号码应为18位，最后一位可以是X。")
    if CHECK_DIGITS[sum(weight * int(digit) for weight, digit in zip(WEIGHTS, text, strict=False)) % 11] != text[17]:
        raise IdNumberMalformed(detail="身份证号码的校验位不对，请逐位核对。")
    number = IdNumber(text)
    try:
        age = number.age_on(today)
    except ValueError:
        raise IdNumberMalformed(detail="身份证号码中的出生日期不存在，请核对第7至14位。") from None
    if number.birth_date > today or age > OLDEST_YEARS:
        raise IdNumberMalformed(detail="身份证号码中的出生日期不对，请核对第7至14位。")
    return number


def parse_name(given: str) -> str:
    """The name in its one normal form. Raises NameMalformed.

    NFC only: NFKC would rewrite rare characters, which are people's names (GB 18030-2022, Extension B and later).
    """
    name = unicodedata.normalize("NFC", given).strip().translate(DOTS)
    name = re.sub(r"(?<=[^\W\d_])\s*[·.]\s*(?=[^\W\d_])", "·", name)
    if not SHORTEST_NAME <= len(name) <= LONGEST_NAME or not NAME.fullmatch(name.replace(" ", "") if name.isascii() else name):
        raise NameMalformed
    return name


def mask_name(name: str) -> str:
    """张*, 张**, 古丽**: enough to recognise whom you know, too little to learn whom you do not."""
    if "·" in name:
        return f"{name[:2]}**"
    return name[:1] + "*" * min(len(name) - 1, 2)
