"""Amounts as people write them on vouchers: in figures with the sign of the money, and in words that nobody alters (大写). Pure.

The rules are those of 《正确填写票据和结算凭证的基本规定》 (附于《支付结算办法》，银发〔1997〕393号): which characters, where 零 must stand,
整 after 元, and none after 分. After 角 it leaves 整 open, and 《会计基础工作规范》第五十二条 asks for it: so it is written. Where the first
leaves 零 open (a 0 before 万 or 元, and none after it), it is written before 角 and left out after 万: the first reading of each of its examples.
"""

from __future__ import annotations

from typing import Final

DIGITS: Final = "零壹贰叁肆伍陆柒捌玖"
PLACES: Final = ("仟", "佰", "拾", "")
GROUPS: Final = ((100_000_000, "亿"), (10_000, "万"), (1, ""))
GROUP: Final = 10_000
LIMIT_FEN: Final = 10**14
"""A trillion yuan; no receipt comes near it."""


def in_figures(fen: int) -> str:
    """123456 → ￥1,234.56; no gap after the sign, where a figure could be squeezed in."""
    return f"￥{fen // 100:,}.{fen % 100:02}"


def in_words(fen: int) -> str:
    """123456 → 壹仟贰佰叁拾肆元伍角陆分. Raises ValueError below 0, and from a trillion yuan."""
    if not 0 <= fen < LIMIT_FEN:
        raise ValueError(f"{fen} fen cannot be written out")
    yuan, jiao, cents = fen // 100, fen // 10 % 10, fen % 10
    if fen == 0:
        return "零元整"
    words = f"{_whole(yuan)}元" if yuan else ""
    if yuan and (jiao == 0 < cents or (yuan % 10 == 0 < jiao)):
        words += DIGITS[0]
    if jiao:
        words += f"{DIGITS[jiao]}角"
    return words + (f"{DIGITS[cents]}分" if cents else "整")


def _whole(yuan: int) -> str:
    words, skipped = "", False
    for size, unit in GROUPS:
        group = yuan // size % GROUP
        if group == 0:
            skipped = bool(words)
            continue
        if words and (skipped or group < GROUP // 10):
            words += DIGITS[0]
        words += f"{_group(group)}{unit}"
        skipped = False
    return words


def _group(group: int) -> str:
    """Four places; however many noughts lie between two figures, they are one 零."""
    words, skipped = "", False
    for figure, place in zip(f"{group:04}", PLACES, strict=True):
        if figure == "0":
            skipped = bool(words)
            continue
        words += f"{DIGITS[0] if skipped else ''}{DIGITS[int(figure)]}{place}"
        skipped = False
    return words
