"""Phone numbers from the platforms' buttons: kept sealed, shown masked, opened with a record, and proof of nothing but themselves."""

from __future__ import annotations

import pytest

from models.accounts import Account
from providers.protocols import BadSignature, ProviderRefused, ProviderUnreachable
from services import phone_numbers
from services.consent_withdrawals import withdraw_consent
from services.errors import ConsentRequired, PhoneNotProven, ProviderUnavailable, WrongWay
from services.phone_numbers import mask_phone, parse_phone, remove_phone
from services.real_names import prove_name
from tests.factories import ALIPAY, APP, WECHAT, World, an_id_number

PRESSED = {WECHAT: {"code": "c"}, ALIPAY: {"response": "r", "sign": "s"}}


def add_phone(ports, *, account, pressed):
    """Somebody who agreed to it presses the button."""
    World(ports).agree(account, "PHONE")
    return phone_numbers.add_phone(ports, account=account, pressed=pressed)


def test_no_number_is_fetched_without_its_consent_nor_kept_once_it_is_taken_back(world, ports):
    account = world.account()
    with pytest.raises(ConsentRequired):
        phone_numbers.add_phone(ports, account=account, pressed=PRESSED[WECHAT])
    assert ports.logins[WECHAT].asked("phone_number") == []

    (consent,) = world.agree(account, "PHONE")
    taken_back = ports.logins[WECHAT].phone_number

    def meanwhile(pressed):
        withdraw_consent(ports, account=account, consent_id=consent.id)
        return taken_back(pressed)

    ports.logins[WECHAT].phone_number = meanwhile
    with pytest.raises(ConsentRequired):
        phone_numbers.add_phone(ports, account=account, pressed=PRESSED[WECHAT])
    assert world.scalar("SELECT phone_masked FROM accounts WHERE id = :id", id=account.id) is None


@pytest.mark.parametrize("miniprogram", [WECHAT, ALIPAY])
def test_the_number_is_sealed_found_by_its_index_and_shown_masked(world, ports, miniprogram):
    account = add_phone(ports, account=world.account(miniprogram=miniprogram), pressed=PRESSED[miniprogram])

    assert account.phone_masked == "138****8000"
    assert account.phone_index == ports.seals.index("phone", "13800138000")
    assert b"13800138000" not in account.phone_sealed
    assert ports.seals.open(account.phone_sealed, place=Account.phone_place(account.id)) == "13800138000"
    assert ports.logins[miniprogram].asked("phone_number") == [PRESSED[miniprogram]]


def test_a_second_press_replaces_the_number_and_removing_it_leaves_none(world, ports):
    account = add_phone(ports, account=world.account(), pressed=PRESSED[WECHAT])
    ports.logins[WECHAT].phone = "+86 139-0013-9000"
    assert add_phone(ports, account=account, pressed=PRESSED[WECHAT]).phone_masked == "139****9000"

    for _ in range(2):
        remove_phone(ports, account=account)

    assert world.rows("SELECT phone_sealed, phone_index, phone_masked FROM accounts") == [(None, None, None)]


@pytest.mark.parametrize(
    ("miniprogram", "pressed"), [(WECHAT, PRESSED[ALIPAY]), (ALIPAY, PRESSED[WECHAT]), (APP, PRESSED[WECHAT]), (WECHAT, {})]
)
def test_a_button_of_another_platform_is_the_wrong_way_and_nobody_is_called(world, ports, miniprogram, pressed):
    with pytest.raises(WrongWay):
        add_phone(ports, account=world.account(miniprogram=miniprogram), pressed=pressed)

    assert ports.logins[miniprogram].calls == []


def test_in_the_app_the_number_is_the_account_and_stays(world, ports):
    with pytest.raises(WrongWay):
        remove_phone(ports, account=world.account(miniprogram=APP))


@pytest.mark.parametrize(
    ("fault", "refusal"),
    [
        (ProviderRefused("40029"), PhoneNotProven),
        (ProviderRefused("FOREIGN_NUMBER"), PhoneNotProven),
        (ProviderRefused("45009", permanent=False), ProviderUnavailable),
        (ProviderUnreachable("down"), ProviderUnavailable),
        (BadSignature("signature"), PhoneNotProven),
    ],
)
def test_what_the_platform_does_not_vouch_for_leaves_the_old_number(world, ports, fault, refusal):
    account = add_phone(ports, account=world.account(), pressed=PRESSED[WECHAT])
    ports.logins[WECHAT].fails.append(("phone_number", fault))

    with pytest.raises(refusal):
        add_phone(ports, account=account, pressed=PRESSED[WECHAT])

    assert world.scalar("SELECT phone_masked FROM accounts") == "138****8000"


@pytest.mark.parametrize("given", ["+85291234567", "not a number", "1380013800"])
def test_a_platform_that_gives_no_mainland_number_proved_none(world, ports, given):
    ports.logins[ALIPAY].phone = given

    with pytest.raises(PhoneNotProven):
        add_phone(ports, account=world.account(miniprogram=ALIPAY), pressed=PRESSED[ALIPAY])
    assert world.scalar("SELECT phone_sealed FROM accounts") is None


def test_one_number_on_two_accounts_opens_neither_to_the_other(world, ports):
    mine = add_phone(ports, account=world.account(), pressed=PRESSED[WECHAT])
    again = add_phone(ports, account=world.account(verified=False), pressed=PRESSED[WECHAT])

    assert mine.phone_index == again.phone_index
    assert (mine.person_id is None, again.person_id is None) == (False, True)


# --- the real-name check


def named(ports, account, **how):
    return prove_name(ports, account=account, name="张三", id_number=an_id_number(7), **{"phone": None, **how})


def test_the_real_name_check_takes_the_proven_number_and_leaves_a_record_of_opening_it(world, ports):
    account = world.account(verified=False)
    world.agree(account, "REAL_NAME")
    account = add_phone(ports, account=account, pressed=PRESSED[WECHAT])

    assert named(ports, account).state == "NAME_ID_MATCHED"

    ((_, phone),) = ports.names.asked("check")
    assert phone == "13800138000"
    opened = world.rows(
        "SELECT subject_table, columns, subject_id FROM personal_data_accesses WHERE purpose = 'name_check_phone'"
    )
    assert opened == [("accounts", "phone", account.id)]


def test_a_number_that_was_typed_goes_before_the_proven_one_and_nothing_is_opened(world, ports):
    account = world.account(verified=False)
    world.agree(account, "REAL_NAME")
    account = add_phone(ports, account=account, pressed=PRESSED[WECHAT])

    named(ports, account, phone="13700137000")

    ((_, phone),) = ports.names.asked("check")
    assert phone == "13700137000"
    assert world.rows("SELECT 1 FROM personal_data_accesses WHERE purpose = 'name_check_phone'") == []


def test_without_any_number_name_and_id_are_checked_alone(world, ports):
    account = world.account(verified=False)
    world.agree(account, "REAL_NAME")

    named(ports, account)

    ((_, phone),) = ports.names.asked("check")
    assert phone is None


# --- pure


@pytest.mark.parametrize(
    "written",
    [
        "13800138000",
        "+8613800138000",
        "+86-138-0013-8000",
        "008613800138000",
        "8613800138000",
        "138 0013 8000",
        "１３８００１３８０００",
        "138‑0013‑8000",
    ],
)
def test_numbers_are_read_as_people_write_them(written):
    assert parse_phone(written) == "13800138000"


def test_a_masked_number_keeps_three_and_four():
    assert mask_phone("13800138000") == "138****8000"
