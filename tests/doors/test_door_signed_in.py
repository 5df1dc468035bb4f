"""Who may ask: no token, a strange one, an expired, a revoked one; not verified; and never about another person's things."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.doors import contract
from tests.doors.house import Phone
from tests.doors.stories import GOOD, NO_NUMBER, NOBODY, newcomer, place_order

OPERATIONS = contract.operations()
SIGNED_IN = sorted(name for name, (_, _, operation) in OPERATIONS.items() if operation["security"])
PUBLIC = sorted(OPERATIONS.keys() - set(SIGNED_IN))

UNVERIFIED = {
    "add_phone": "CONSENT_REQUIRED",
    "add_insured_person": "CONSENT_REQUIRED|REAL_NAME_REQUIRED",
    "block_payer": "FACE_CHECK_REQUIRED",
    "list_payers": "FACE_CHECK_REQUIRED",
    "place_order": "FACE_CHECK_REQUIRED",
    "print_receipt": "NOT_FOUND",
    "print_registration_form": "NOT_FOUND",
    "prove_name": "CONSENT_REQUIRED",
    "start_face_check": "CONSENT_REQUIRED",
    "list_bills": "NOT_FOUND",
    "remove_insured_person": "NOT_FOUND",
    "unblock_payer": "NOT_FOUND",
    "withdraw_consent": "NOT_FOUND",
    "finish_face_check": "NOT_FOUND",
    "read_face_check": "NOT_FOUND",
    "read_order": "NOT_FOUND",
    "cancel_order": "NOT_FOUND",
    "check_bank_card": "CONSENT_REQUIRED",
    "open_counter_check": "CONSENT_REQUIRED",
    "read_counter_check": "NOT_FOUND",
    "upload_document": "NOT_FOUND",
    "remove_document": "NOT_FOUND",
    "link_to_document": "NOT_FOUND",
    "withdraw_counter_check": "NOT_FOUND",
    "take_back_data_request": "NOT_FOUND",
    "read_application_form": "REAL_NAME_REQUIRED",
    "create_application": "REAL_NAME_REQUIRED",
    "read_application": "NOT_FOUND",
    "change_application": "NOT_FOUND",
    "hand_in_documents": "NOT_FOUND",
    "submit_application": "NOT_FOUND",
    "withdraw_application": "NOT_FOUND",
    "open_joint_case": "REGION_MISMATCH",
    "read_joint_case": "NOT_FOUND",
    "change_tier": "FACE_CHECK_REQUIRED",
    "list_enrollments": "FACE_CHECK_REQUIRED",
    "list_withholding_agreements": "FACE_CHECK_REQUIRED",
    "sign_withholding_agreement": "REGION_MISMATCH",
    "read_withholding_agreement": "NOT_FOUND",
    "terminate_withholding_agreement": "NOT_FOUND",
    "list_applications": None,
    "list_joint_cases": None,
    "create_consent": None,
    "end_session": None,
    "list_insured_persons": None,
    "list_consents": None,
    "list_messages": None,
    "list_notices": None,
    "open_notice": None,
    "list_orders": None,
    "read_me": None,
    "remove_phone": None,
    "read_menu": None,
    "read_retirement_outlook": "FACE_CHECK_REQUIRED",
    "read_own_data": None,
    "read_own_copy": None,
    "list_accesses": None,
    "make_data_request": None,
    "list_data_requests": None,
    "set_preferences": None,
}
"""What an account that is signed in and not verified hears; None: it is let in."""


def test_only_signing_in_regions_and_signed_links_are_open_to_everybody():
    assert PUBLIC == ["create_account", "create_session", "create_sms_code", "list_regions", "read_region", "show_picture"]
    assert sorted(UNVERIFIED) == SIGNED_IN


@pytest.mark.parametrize("operation", SIGNED_IN)
def test_without_a_living_token_nobody_is_let_in(house, operation):
    ask = GOOD[operation](house)
    other = house.world.account()
    strange = {
        "none": None,
        "unknown": "A" * 43,
        "expired": house.token(other, lives=timedelta(0)),
        "revoked": house.token(other, revoked=True),
        "malformed": "x y",
        "huge": "A" * 4000,
        "not ASCII": "令牌" * 10,
    }
    before = house.row_counts()

    answers = {
        why: Phone(house, None).ask(ask.method, ask.path, ask.given, headers=_bearer(token)).json["code"]
        for why, token in strange.items()
    }

    assert answers == dict.fromkeys(strange, "SIGN_IN_AGAIN")
    assert house.row_counts() == before
    assert ask.send(house).status_code < 300


def _bearer(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token.encode().decode('latin-1')}"}


@pytest.mark.parametrize("scheme", ["Basic ", "bearer ", "Bearer", "Token ", ""])
def test_only_the_bearer_scheme_carries_a_token(house, scheme):
    token = house.token(house.world.account())

    assert Phone(house).get("/me", headers={"Authorization": f"{scheme}{token}"}).status_code == 401


def test_a_session_of_a_miniprogram_that_is_no_more_has_ended(house):
    phone = house.phone(house.world.account())
    partners = house.ports.partners
    fewer = {code: program for code, program in partners.miniprograms.items() if code != "jiangsu-tax-wechat"}
    house.swap_ports(partners=partners.model_copy(update={"miniprograms": fewer}))

    assert phone.get("/me").json["code"] == "SIGN_IN_AGAIN"


def test_signing_out_ends_this_session_and_no_other(house):
    account = house.world.account()
    here, there = house.phone(account), house.phone(account)

    here.delete("/sessions/current")

    assert (here.get("/me").status_code, there.get("/me").status_code) == (401, 200)


def test_a_token_expires_on_the_second(house):
    phone = house.phone(house.world.account())

    house.clock.move(hours=2, seconds=-1)
    assert phone.get("/me").status_code == 200
    house.clock.move(seconds=1)
    assert phone.get("/me").status_code == 401


@pytest.mark.parametrize("operation", SIGNED_IN)
def test_an_unverified_account_hears_what_it_lacks(house, operation):
    ask = replace(GOOD[operation](house), account=newcomer(house))

    response = ask.send(house)

    expected = UNVERIFIED[operation]
    assert response.status_code < 300 if expected is None else response.json["code"] in expected.split("|")


NOBODYS = ("read_region", "read_application_form", "show_picture")
"""Law and forms are everybody's; and whoever has a link to a picture may look: test_door_documents.py says how far."""
OWNED = sorted(name for name, (_, path, _) in OPERATIONS.items() if "{" in path and name not in NOBODYS)


@pytest.mark.parametrize("operation", OWNED)
def test_another_persons_things_are_not_there(house, operation):
    theirs = GOOD[operation](house)
    mine = GOOD[operation](house)
    at_somebody_elses_phone = replace(theirs, account=mine.account)
    made_up = replace(mine, path=theirs.path.replace(_id_in(theirs.path), _like(_id_in(theirs.path))))
    before = house.row_counts()

    answers = [at_somebody_elses_phone.send(house), made_up.send(house)]

    # Nothing tells the two apart: whether it exists is no more said than what is in it.
    told = [{name: each for name, each in answer.json.items() if name != "request_id"} for answer in answers]
    assert told[0] == told[1]
    assert told[0]["code"] == "NOT_FOUND"
    assert house.row_counts() == before
    assert theirs.send(house).status_code < 300


def _id_in(path: str) -> str:
    return next(part for part in path.split("/") if len(part) in (24, 36) and any(each.isdigit() for each in part))


def _like(given: str) -> str:
    return str(uuid.uuid4()) if len(given) == 36 else NO_NUMBER


@pytest.mark.parametrize("what", ["insured_person_id", "bill_ids", "both"])
def test_an_order_for_another_persons_months_is_not_placed(house, what):
    mine, theirs = place_order(house), place_order(house)
    names = ["insured_person_id", "bill_ids"] if what == "both" else [what]
    stolen = replace(mine, given={**mine.given, **{name: theirs.given[name] for name in names}})
    before = house.row_counts()

    assert stolen.send(house).json["code"] == "NOT_FOUND"
    assert house.row_counts() == before


@pytest.mark.parametrize("made_up", [{"insured_person_id": NOBODY}, {"bill_ids": [NO_NUMBER]}])
def test_made_up_ids_are_not_found_alike(house, made_up):
    ask = place_order(house)

    assert replace(ask, given={**ask.given, **made_up}).send(house).json["code"] == "NOT_FOUND"
