"""Names and ID numbers: what is well-formed, what is the same, and what may be shown. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from typing import Final

from models.identity import CounterDocument
from services.errors import CardNumberMalformed, DocumentNumberMalformed, IdNumberMalformed, NameMalformed

WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK_DIGITS: Final = "10X98765432"
OLDEST_YEARS: Final = 130
FIRST_GENERATION_LENGTH: Final = 15
ADULT_ACCOUNT_YEARS: Final = 16

HMT_PREFIXES: Final = ("810000", "820000", "830000")
"""Hong Kong, Macao, Taiwan: the place codes of 港澳台居民居住证, and of no resident ID card."""
FOREIGN_PREFIX: Final = "9"
OLD_FOREIGN_CARD: Final = re.compile(r"[A-Z]{3}[0-9]{12}")
OLD_FOREIGN_WEIGHTS: Final = (7, 3, 1) * 5

CARD_NUMBER: Final = re.compile(r"[0-9]{13,19}")

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
        return mask_id_number(self.text)

    def age_on(self, day: date) -> int:
        """Completed years; born on 29 February, a year is completed on 1 March of common years."""
        return _age(self.birth_date, day)

    def __repr__(self) -> str:
        return f"IdNumber({self.masked})"


@dataclass(frozen=True)
class OldForeignCardNumber:
    """外国人永久居留身份证 as issued until November 2023: nationality, place of issue, YYMMDD, one digit, check digit."""

    text: str
    birth_date: date
    """Of two centuries the later one that is not in the future: whoever may be a child is taken for one."""

    @property
    def is_female(self) -> None:
        """The number does not tell."""
        return

    @property
    def masked(self) -> str:
        return mask_id_number(self.text)

    def age_on(self, day: date) -> int:
        """Completed years, as IdNumber counts them."""
        return _age(self.birth_date, day)

    def __repr__(self) -> str:
        return f"OldForeignCardNumber({self.masked})"


def _age(born: date, day: date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def mask_id_number(text: str) -> str:
    """Three characters, stars, four characters: of an ID number or any other document's number."""
    return f"{text[:3]}{'*' * (len(text) - 7)}{text[-4:]}"


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


def parse_persons_number(given: str, *, today: date) -> IdNumber | OldForeignCardNumber:
    """Read the number by which somebody is enrolled: of any document that an account can be verified with. Raises IdNumberMalformed.

    Foreigners' cards as issued until November 2023 stay valid: whoever proved theirs at a counter can be paid for like anybody.
    """
    text = "".join(unicodedata.normalize("NFKC", each) for each in given if not each.isspace()).upper()
    if not OLD_FOREIGN_CARD.fullmatch(text):
        return parse_id_number(text, today=today)
    try:
        return _old_foreign_card(text, today=today)
    except DocumentNumberMalformed as fault:
        raise IdNumberMalformed(detail=fault.said) from None


def parse_document_number(given: str, *, document: CounterDocument, today: date) -> IdNumber | OldForeignCardNumber:
    """Read the number of the document that a clerk holds in hand (domain §4.2).

    Raises IdNumberMalformed, and DocumentNumberMalformed where a good number belongs to another kind of document.
    """
    text = "".join(unicodedata.normalize("NFKC", each) for each in given if not each.isspace()).upper()
    if document is CounterDocument.FOREIGN_PERMANENT_RESIDENT_CARD and OLD_FOREIGN_CARD.fullmatch(text):
        return _old_foreign_card(text, today=today)
    number = parse_id_number(text, today=today)
    kind = (
        CounterDocument.HMT_RESIDENCE_PERMIT
        if number.text.startswith(HMT_PREFIXES)
        else CounterDocument.FOREIGN_PERMANENT_RESIDENT_CARD
        if number.text.startswith(FOREIGN_PREFIX)
        else CounterDocument.ID_CARD
    )
    if kind is not document:
        raise DocumentNumberMalformed
    return number


def kept_number(text: str, *, today: date) -> IdNumber | OldForeignCardNumber:
    """Read a number that was well-formed when it was kept, of whatever document. Raises IdNumberMalformed, DocumentNumberMalformed."""
    return _old_foreign_card(text, today=today) if OLD_FOREIGN_CARD.fullmatch(text) else parse_id_number(text, today=today)


def _old_foreign_card(text: str, *, today: date) -> OldForeignCardNumber:
    worth = [int(each, 36) for each in text[:-1]]
    if sum(weight * each for weight, each in zip(OLD_FOREIGN_WEIGHTS, worth, strict=False)) % 10 != int(text[-1]):
        raise DocumentNumberMalformed(detail="证件号码的校验位不对，请逐位核对。")
    for century in (today.year // 100 * 100, today.year // 100 * 100 - 100):
        try:
            born = date(century + int(text[7:9]), int(text[9:11]), int(text[11:13]))
        except ValueError:
            continue
        if born <= today:
            return OldForeignCardNumber(text, born)
    raise DocumentNumberMalformed(detail="证件号码中的出生日期不存在，请核对第8至13位。")


def parse_card_number(given: str) -> str:
    """Read a bank card's number as it is printed, in groups or not. Raises CardNumberMalformed.

    Luhn holds for cards; account numbers of passbooks need not pass it, and are not taken here (domain §4.4).
    """
    text = "".join(unicodedata.normalize("NFKC", each) for each in given if not each.isspace() and each != "-")
    if not CARD_NUMBER.fullmatch(text):
        raise CardNumberMalformed(detail="银行卡号应为13至19位数字，请核对卡面上的号码。")
    doubled = [int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(text))]
    if sum(each - 9 * (each > 9) for each in doubled) % 10:  # noqa: PLR2004 - of a two-digit product the digits are added
        raise CardNumberMalformed
    return text


def mask_card_number(text: str) -> str:
    """The last four digits, which is all that is kept of a card."""
    return f"****{text[-4:]}"


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
