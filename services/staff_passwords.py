"""Passwords of staff: long, not among the first that anybody would try, and kept as argon2id alone.

No rules of composition and no monthly change (NIST SP 800-63B §3.1.1): they make passwords worse. The second factor is staff_codes.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.staff_errors import StaffPasswordWeak

SHORTEST: Final = 12
LONGEST: Final = 128
"""A sentence fits; a megabyte of argon2's time does not."""
FEWEST_LETTERS: Final = 5
"""Different ones."""
LONGEST_BLOCK: Final = 6
ROWS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789012345678901234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "!@#$%^&*()_+",
)
"""What fingers and alphabets run along, forwards or backwards."""
OBVIOUS: Final = (
    "password", "passw0rd", "p@ssw0rd", "p@ssword", "administrator", "admin", "root", "welcome", "letmein", "iloveyou", "changeme",
    "qwerty", "canbao", "shebao", "renshe", "shuiwu", "changzhou", "jiangsu", "xinjiang", "woaini", "woaizhongguo", "zhongguo",
    "mima", "guanliyuan", "shenhe", "social", "security", "insurance", "test", "huanying", "nihao", "secret", "default", "login",
    "参保", "社保", "人社", "税务", "密码", "管理员", "常州", "江苏", "新疆", "中国", "审核", "你好", "欢迎",
)  # fmt: skip
"""Words that a guesser begins with: alone, in a row, or with a year and signs about them, they are no password."""

# OWASP's first advice for argon2id: 19 MiB, two passes, one lane; some 30 ms here, and eight at once stay small.
HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
DUMMY: Final = HASHER.hash("nobody has this password")
"""Verified where there is no hash, so that time does not tell which numbers exist."""


def hash_password(password: str) -> str:
    """argon2id of the password in its one writing."""
    return HASHER.hash(_written(password))


def fits(password_hash: str | None, password: str) -> bool:
    """Whether this is the password. None takes as long and never fits."""
    try:
        HASHER.verify(password_hash or DUMMY, _written(password[: 2 * LONGEST]))
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def check_password(password: str, *, number: str) -> None:
    """Raises StaffPasswordWeak, with what is wrong. `number` is the staff number it is for."""
    text = _written(password)
    if len(text) < SHORTEST:
        raise StaffPasswordWeak(detail=f"密码至少{SHORTEST}个字符，现在是{len(text)}个；可以用一句只有您知道的话。")
    if len(text) > LONGEST:
        raise StaffPasswordWeak(detail=f"密码最多{LONGEST}个字符。")
    plain = text.casefold()
    core = "".join(each for each in plain if each.isalnum())
    rest = re.sub("|".join(sorted(map(re.escape, (*OBVIOUS, number.casefold())), key=len, reverse=True)), "", plain)
    rest = re.sub(r"[\d\W_]+", "", rest)
    if (
        len(set(plain)) < FEWEST_LETTERS
        or _repeats(plain)
        or _runs(core)
        or (len(rest) < FEWEST_LETTERS and _is_dressed(plain, number))
    ):
        raise StaffPasswordWeak


def check_twice(password: str, again: str) -> None:
    """Nobody sees what they type. Raises StaffPasswordWeak."""
    if password != again:
        raise StaffPasswordWeak(detail="两次输入的密码不一致，请重新输入。")


def _written(password: str) -> str:
    # The same letters from any keyboard (NIST: normalise before hashing).
    return unicodedata.normalize("NFKC", password)


def _repeats(text: str) -> bool:
    """abcabcabcabc: one short block and nothing else."""
    return any(text == (text[:size] * len(text))[: len(text)] for size in range(1, LONGEST_BLOCK + 1))


def _runs(core: str) -> bool:
    """123456789012, qwertyuiop123: pieces of a row of keys, four or more at a time, and hardly anything beside them."""
    left, at = 0, 0
    while at < len(core):
        size = max((_run_at(core, at, row) for row in (*ROWS, *(row[::-1] for row in ROWS))), default=0)
        if size >= 4:  # noqa: PLR2004 - shorter ones stand in any word
            at += size
        else:
            left, at = left + 1, at + 1
    return left < FEWEST_LETTERS


def _run_at(core: str, at: int, row: str) -> int:
    start = row.find(core[at])
    best = 0
    while start >= 0:
        size = 0
        while at + size < len(core) and start + size < len(row) and core[at + size] == row[start + size]:
            size += 1
        best, start = max(best, size), row.find(core[at], start + 1)
    return best


def _is_dressed(plain: str, number: str) -> bool:
    """An obvious word with figures and signs about it; figures and signs alone are a matter of their own."""
    return any(word in plain for word in (*OBVIOUS, number.casefold()))
