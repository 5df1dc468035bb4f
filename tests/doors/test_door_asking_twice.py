"""Asking twice: a lost answer is told again, two presses are one, and a key is nobody else's."""

from __future__ import annotations

import uuid
from functools import partial

import pytest

from providers.protocols import FaceVerdict, ProviderUnreachable
from tests.doors.stories import (
    GOOD,
    REFUSALS,
    an_adults_number,
    face_check,
    named,
    newcomer,
    passes,
    place_order,
    start_face_check,
    text_of,
)
from tests.factories import WECHAT
from tests.together import at_once

CREATING = [
    "create_consent",
    "add_insured_person",
    "start_face_check",
    "check_bank_card",
    "open_counter_check",
    "block_payer",
    "place_order",
    "change_tier",
    "create_application",
    "open_joint_case",
    "sign_withholding_agreement",
]


@pytest.mark.parametrize("operation", CREATING)
def test_the_same_again_makes_nothing_more(house, operation):
    ask = GOOD[operation](house)
    first = ask.send(house, key="the-same-key")
    before = house.row_counts()

    again = ask.send(house, key="the-same-key")

    assert (first.status_code, again.status_code) == (201, 201)
    # Naming a person again is counted again: that count is what stands between a guesser and a name.
    assert {table: count for table, count in house.row_counts().items() if count != before[table]}.keys() <= {"person_lookups"}
    volatile = {"launch", "request_id", "holds_order"}
    assert {k: v for k, v in again.json.items() if k not in volatile} == {
        k: v for k, v in first.json.items() if k not in volatile
    }


@pytest.mark.parametrize("operation", CREATING)
def test_two_presses_at_the_same_moment_are_one(house, operation):
    ask = GOOD[operation](house)
    phones = [house.phone(ask.account) for _ in range(4)]
    answers = at_once(*[partial(phone.ask, ask.method, ask.path, ask.given, key="pressed-at-once") for phone in phones])

    name = {"place_order": "order_no", "block_payer": "block_id"}.get(operation, "id")
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {answer.json["code"] for answer in answers if answer.status_code == 409} <= {"REQUEST_IN_FLIGHT"}
    assert len({answer.json[name] for answer in answers if answer.status_code == 201}) == 1


def test_a_key_is_the_accounts_own(house):
    first, second = place_order(house), place_order(house)

    numbers = {ask.send(house, key="everybodys-key").json["order_no"] for ask in (first, second)}

    assert len(numbers) == 2


def test_a_key_is_the_routes_own(house):
    account = named(house)

    assert house.phone(account).post("/identity/face-checks", {}, key="one-key-for-all").status_code == 201
    assert house.phone(account).post("/consents", text_of(house, account, "FACE"), key="one-key-for-all").status_code == 201


def test_the_order_of_ticks_is_not_another_wish(house):
    person = house.world.person()
    bills = house.world.bills(house.world.enrollment(person)) + house.world.bills(
        house.world.enrollment(person, insurance_type="310")
    )
    account = house.world.account(person)
    given = {
        "insured_person_id": str(house.world.me_in_list(account)),
        "bill_ids": [bill.bill_no for bill in bills],
        "expected_amount_fen": sum(bill.amount_fen for bill in bills),
    }
    phone = house.phone(account)

    first = phone.post("/payment-orders", given, key="the-same-key")
    again = phone.post("/payment-orders", {**given, "bill_ids": given["bill_ids"][::-1]}, key="the-same-key")

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json["order_no"] == again.json["order_no"]


def test_a_refused_order_leaves_its_key_free(house):
    ask = place_order(house)

    wrong = ask.send(house, key="the-same-key", given={**ask.given, "expected_amount_fen": 1})
    right = ask.send(house, key="the-same-key")

    assert (wrong.json["code"], right.status_code) == ("AMOUNT_CHANGED", 201)


# --- face checks


def test_a_lost_launch_is_told_again_while_the_check_is_open(house):
    ask = start_face_check(house)

    first, again = (ask.send(house, key="the-same-key").json for _ in range(2))

    assert first["launch"] == again["launch"] != None  # noqa: E711 - one chain of three
    assert len(house.ports.faces[WECHAT].asked("start")) == 1


def test_a_check_that_has_lapsed_is_told_without_its_launch(house):
    ask = start_face_check(house)
    ask.send(house, key="the-same-key")

    house.clock.move(minutes=16)

    assert ask.send(house, key="the-same-key").json["launch"] is None


def test_a_start_that_the_platform_did_not_answer_may_be_tried_again_under_its_key(house):
    ask = start_face_check(house)
    house.ports.faces[WECHAT].fails.append(("start", ProviderUnreachable("down")))

    first, again = (ask.send(house, key="the-same-key") for _ in range(2))

    assert (first.json["code"], again.status_code, again.json["state"]) == ("PROVIDER_UNAVAILABLE", 201, "PENDING")


def test_a_start_that_died_half_way_is_made_again_under_its_own_number(house):
    ask = start_face_check(house)
    made = ask.send(house, key="the-same-key").json
    with house.ports.begin() as session:
        from sqlalchemy import text

        session.execute(text("UPDATE face_checks SET state = 'CREATED' WHERE id = :id"), {"id": made["id"]})
    house.clock.move(seconds=16)

    again = ask.send(house, key="the-same-key")

    assert (again.status_code, again.json["id"], again.json["state"]) == (201, made["id"], "PENDING")
    assert len(set(house.ports.faces[WECHAT].asked("start"))) == 1


def test_a_new_check_ends_the_older_one(house):
    account, first = face_check(house)
    phone = house.phone(account)

    phone.post("/identity/face-checks", {})

    assert phone.get(f"/identity/face-checks/{first}").json["state"] == "EXPIRED"


def test_a_face_that_passed_for_one_name_proves_no_other(house):
    """One's own name, one's own face; then somebody else's name, and the old check is finished. It proved the new name once."""
    account, own_check = face_check(house)
    phone = house.phone(account)
    number = an_adults_number()
    house.world.person(name="受害人", id_number=number)
    passes(house, account)

    assert phone.post("/identity/real-name", {"name": "受害人", "id_number": number}).status_code == 200
    their_check = phone.post("/identity/face-checks", {}).json["id"]
    told = phone.post(f"/identity/face-checks/{own_check}/finished").json

    assert (told["state"], told["verification_state"]) == ("EXPIRED", "FACE_PENDING")
    assert phone.get("/me").json["account"]["verified"] is False
    assert phone.get(f"/identity/face-checks/{their_check}").json["state"] == "PENDING"


def test_a_name_typed_while_the_platform_is_asked_ends_that_check(house):
    account = named(house)
    phone = house.phone(account)
    faces, inner = house.ports.faces[WECHAT], house.ports.faces[WECHAT].start

    def slow(*given, **how):
        assert phone.post("/identity/real-name", {"name": "受害人", "id_number": an_adults_number()}).status_code == 200
        return inner(*given, **how)

    faces.start = slow
    told = phone.post("/identity/face-checks", {}).json

    assert (told["state"], told["launch"], told["verification_state"]) == ("EXPIRED", None, "NAME_ID_MATCHED")


@pytest.mark.parametrize(
    ("verdict", "state"), [(FaceVerdict.FAILED, "FAILED"), (FaceVerdict.DECLINED, "DECLINED"), (FaceVerdict.EXPIRED, "EXPIRED")]
)
def test_whoever_did_not_pass_is_offered_the_way_without_a_face(house, verdict, state):
    account, check = face_check(house)
    passes(house, account, verdict)

    told = house.phone(account).post(f"/identity/face-checks/{check}/finished").json

    assert told["state"] == state
    assert told["advice"]
    assert ["窗口" in way["title"] for way in told["ways"]] == [False, True, False]


@pytest.mark.parametrize("code", ["TOO_MANY_FACE_CHECKS", "NOT_AVAILABLE_ONLINE", "PROVIDER_UNAVAILABLE"])
def test_a_face_that_cannot_be_checked_is_answered_with_the_other_ways(house, code):
    told = REFUSALS["start_face_check", code](house).send(house).json

    assert [(way["way"], way["available"]) for way in told["ways"]] == [
        ("BANK_CARD", True),
        ("COUNTER", True),
        ("FAMILY", True),
    ]


def test_agreeing_again_after_taking_it_back_is_a_new_consent(house):
    account = newcomer(house)
    phone, given = house.phone(account), text_of(house, account, "FACE")
    first = phone.post("/consents", given, key="the-same-key").json["id"]

    phone.delete(f"/consents/{first}")
    second = phone.post("/consents", given, key="the-same-key").json["id"]

    assert uuid.UUID(first) != uuid.UUID(second)
    assert phone.delete(f"/consents/{first}").status_code == 404
