"""Which passwords will do: length counts, composition does not, and the first guesses of everybody are refused."""

from __future__ import annotations

import pytest

from services.staff_errors import StaffPasswordWeak
from services.staff_passwords import LONGEST, check_password, check_twice, fits, hash_password


@pytest.mark.parametrize(
    "password",
    [
        "窗外的梧桐又落叶了一地金黄", "correct horse battery staple", "梧桐叶落满常州城的老街", "vN8#kq2!Lw0z", "tangerine orbit seven",
        "我每天早上七点喝两杯豆浆", "social security is for everybody", "x" * 3 + "kettle moon radio", "admin of a very quiet lighthouse",
    ],
)  # fmt: skip
def test_long_ones_will_do_whatever_they_are_made_of(password):
    if len(password) >= 12:
        check_password(password, number="S1024")
    else:
        with pytest.raises(StaffPasswordWeak, match="STAFF_PASSWORD_WEAK"):
            check_password(password, number="S1024")


@pytest.mark.parametrize(
    "password",
    [
        "", "short", "elevenchars", "aaaaaaaaaaaa", "abababababab", "abcabcabcabc", "canbaocanbao", "123456789012", "210987654321",
        "qwertyuiop12", "QWERTYUIOPAS", "poiuytrewqlk", "1qaz2wsx3edc", "abcdefghijkl", "password1234", "P@ssw0rd2026", "Password!!!!!",
        "admin12345678", "administrator", "Administrator1", "welcome2026!!", "changzhou2026", "Changzhou@2026", "xinjiang12333",
        "S1024S1024S1024", "s1024-password", "s1024-20260101", "shebao123456!", "canbao@123456", "woaizhongguo520", "iloveyou1314520",
        "社保社保社保社保社保社保", "管理员123456789", "ｐａｓｓｗｏｒｄ１２３４", "!@#$%^&*()_+", "111111222222", "12345678abcdefgh",
    ],
)  # fmt: skip
def test_the_first_guesses_are_refused(password):
    with pytest.raises(StaffPasswordWeak):
        check_password(password, number="S1024")


def test_a_megabyte_is_no_password():
    with pytest.raises(StaffPasswordWeak):
        check_password("kettle moon radio" * LONGEST, number="S1024")


def test_two_that_differ_are_refused():
    check_twice("a", "a")
    with pytest.raises(StaffPasswordWeak):
        check_twice("a", "b")


def test_the_same_letters_from_any_keyboard_are_the_same_password():
    made = hash_password("窗外的梧桐又落叶了 2026")

    assert fits(made, "窗外的梧桐又落叶了 ２０２６")
    assert not fits(made, "窗外的梧桐又落叶了 2025")
    assert hash_password("x") != hash_password("x")
    assert not fits("no hash at all", "x")
