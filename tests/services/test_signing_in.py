"""Sign-in: one account for one person on one app, and a token that nobody can read out of the database."""

from __future__ import annotations

import hashlib
import threading

import pytest

from providers.protocols import PlatformIdentity, ProviderRefused, ProviderUnreachable, RealName
from services.errors import CodeRefused, ProviderUnavailable, SignInAgain, UnknownMiniprogram
from services.sign_in import authenticate, prefer, sign_in, sign_out
from tests.factories import ALIPAY, WECHAT, XINJIANG


def test_the_first_sign_in_makes_an_account_and_the_next_finds_it(world, ports):
    first = sign_in(ports, miniprogram=WECHAT, code="c")
    second = sign_in(ports, miniprogram=WECHAT, code="c")

    assert first.account.id == second.account.id
    assert first.token != second.token
    assert first.capabilities == []
    assert authenticate(ports, first.token).id == authenticate(ports, second.token).id == first.account.id


def test_the_same_subject_under_another_app_is_another_account(ports):
    ids = {sign_in(ports, miniprogram=program, code="c").account.id for program in (WECHAT, XINJIANG, ALIPAY)}

    assert len(ids) == 3


@pytest.mark.parametrize("miniprogram", [WECHAT, ALIPAY])
def test_first_sign_ins_at_the_same_moment_make_one_account(world, ports, miniprogram):
    ports.logins[miniprogram].people["c"] = PlatformIdentity(
        subject="somebody",
        real_name=RealName(name="张三丰", id_number="320402199001010017") if miniprogram == ALIPAY else None,
    )
    answers = []

    threads = [
        threading.Thread(target=lambda: answers.append(sign_in(ports, miniprogram=miniprogram, code="c"))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 6
    assert len({answer.account.id for answer in answers}) == 1
    assert {answer.account.person_id is not None for answer in answers} == {miniprogram == ALIPAY}
    assert world.scalar("SELECT count(*) FROM accounts") == 1
    assert world.scalar("SELECT count(*) FROM persons") == (1 if miniprogram == ALIPAY else 0)


def test_tokens_are_kept_as_hashes_and_shown_by_nobody(world, ports):
    signed_in = sign_in(ports, miniprogram=WECHAT, code="c")

    ((kept,),) = world.rows("SELECT token_hash FROM account_sessions")
    assert bytes(kept) == hashlib.sha256(signed_in.token.encode()).digest()
    assert signed_in.token not in repr(signed_in)
    assert len(signed_in.token) >= 43


def test_an_openid_is_sealed_and_found_by_a_blind_index(world, ports):
    sign_in(ports, miniprogram=WECHAT, code="c")

    ((sealed, index),) = world.rows("SELECT subject_sealed, subject_index FROM accounts")
    assert b"openid-c" not in bytes(sealed) + bytes(index)


def test_a_session_ends_after_two_hours(ports, clock):
    token = sign_in(ports, miniprogram=WECHAT, code="c").token

    clock.move(hours=2, seconds=-1)
    assert authenticate(ports, token)
    clock.move(seconds=1)

    with pytest.raises(SignInAgain):
        authenticate(ports, token)


def test_elders_have_longer_from_their_next_session_on(ports, clock):
    first = sign_in(ports, miniprogram=WECHAT, code="c")
    assert prefer(ports, account=first.account, elder_mode=True).elder_mode is True

    second = sign_in(ports, miniprogram=WECHAT, code="c")

    assert (second.expires_at - clock.now()).total_seconds() == 4 * 3600
    assert second.account.elder_mode is True


def test_signing_out_ends_this_session_alone_and_does_so_twice_without_harm(ports):
    here, there = (sign_in(ports, miniprogram=WECHAT, code="c").token for _ in range(2))

    sign_out(ports, here)
    sign_out(ports, here)

    with pytest.raises(SignInAgain):
        authenticate(ports, here)
    assert authenticate(ports, there)


@pytest.mark.parametrize("token", ["", "nonsense", "x" * 43])
def test_an_unknown_token_is_nobody(ports, token):
    with pytest.raises(SignInAgain):
        authenticate(ports, token)
    sign_out(ports, token)


@pytest.mark.parametrize(
    ("fault", "refusal"),
    [
        (ProviderRefused("40029"), CodeRefused),
        # Their quota, or our own secret: a new code would not do either.
        (ProviderRefused("45011", permanent=False), ProviderUnavailable),
        (ProviderUnreachable("down"), ProviderUnavailable),
    ],
)
def test_a_code_that_buys_nothing_makes_no_account(world, ports, fault, refusal):
    ports.logins[WECHAT].fails.append(("sign_in", fault))

    with pytest.raises(refusal):
        sign_in(ports, miniprogram=WECHAT, code="c")

    assert world.scalar("SELECT count(*) FROM accounts") == 0


def test_an_unknown_miniprogram_is_not_found(ports):
    with pytest.raises(UnknownMiniprogram):
        sign_in(ports, miniprogram="nowhere", code="c")


def test_capabilities_wake_up_only_when_the_identity_is_verified(world, ports):
    from services.sign_in import capabilities_of

    assert capabilities_of(ports, world.account(verified=False)) == []
    assert "PAY_OWN" in capabilities_of(ports, world.account())
    assert "PAY_OWN" in capabilities_of(ports, world.account(miniprogram=XINJIANG))
    assert "PAY_OWN" not in capabilities_of(ports, world.account(miniprogram="xinjiang-hrss-wechat"))
