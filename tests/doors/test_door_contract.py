"""Every operation does what its document says, and every refusal that it promises can be met. Generated from the document."""

from __future__ import annotations

import pytest

from tests.doors import contract, stories
from tests.doors.stories import GOOD, REFUSALS, UNREACHABLE

COMMON = {
    "SIGN_IN_AGAIN",
    "REQUEST_MALFORMED",
    "JSON_TOO_DEEP",
    "IDEMPOTENCY_KEY_MISSING",
    "REQUEST_TOO_LARGE",
    "JSON_EXPECTED",
    "FIELDS_INVALID",
    "INTERNAL",
    "BUSY",
}
"""Codes that any operation may say; test_door_garbage.py and test_door_signed_in.py meet each of them at each operation."""
OPERATIONS = sorted(contract.operations())
PARTICULAR = [(operation, code) for operation, code in contract.promised_pairs() if code not in COMMON]


def test_every_operation_has_its_story_and_no_story_is_about_nothing():
    assert sorted(GOOD) == OPERATIONS
    assert sorted(REFUSALS) == PARTICULAR
    assert set(UNREACHABLE) <= set(contract.promised_pairs())


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_succeeds_as_promised(house, operation):
    ask = GOOD[operation](house)

    response = ask.send(house)

    assert response.status_code < 300, response.json


@pytest.mark.parametrize(("operation", "code"), PARTICULAR)
def test_a_promised_refusal_is_met(house, operation, code):
    ask = REFUSALS[operation, code](house)
    before = house.row_counts()

    response = ask.send(house)

    assert response.json.get("code") == code, response.json
    assert code in contract.promised_codes(contract.operations()[operation][2])[str(response.status_code)]
    changed = {table for table, count in house.row_counts().items() if count != before[table]}
    assert changed <= TRACES.get((operation, code), set())


ON_THE_WAY = ("prove_name", "start_face_check", "finish_face_check", "check_bank_card", "open_counter_check")
"""What leads to a verified person."""
NOTHING_LOST = {"ALREADY_VERIFIED", "REQUEST_IN_FLIGHT", "IDEMPOTENCY_KEY_REUSED", "NOT_FOUND"}


@pytest.mark.parametrize(
    ("operation", "code"), [pair for pair in PARTICULAR if pair[0] in ON_THE_WAY and pair[1] not in NOTHING_LOST]
)
def test_whoever_is_refused_on_the_way_to_being_verified_hears_the_other_ways_and_whom_to_call(house, operation, code):
    told = REFUSALS[operation, code](house).send(house).json

    assert {way["way"] for way in told["ways"]} == {"BANK_CARD", "COUNTER", "FAMILY"}
    assert all(way["hotline"] and way["detail"] for way in told["ways"])
    assert any(way["available"] for way in told["ways"])


def test_whom_to_call_is_the_regions_own_line_for_the_matter(house):
    phone = house.phone(stories.somebody(house))
    nothing = "0" * 24

    assert phone.get(f"/payment-orders/{nothing}").json["hotline"] == "96888732"
    assert phone.get("/identity/counter-checks/current").json["hotline"] == "12333"
    assert house.phone().get("/nowhere").json["hotline"] == "12333"


TRACES = {
    ("create_sms_code", "PROVIDER_UNAVAILABLE"): {"sms_codes"},
    ("prove_name", "NAME_ID_MISMATCH"): {"person_lookups", "personal_data_accesses", "identity_verifications"},
    ("prove_name", "PROVIDER_UNAVAILABLE"): {"personal_data_accesses", "identity_verifications"},
    ("start_face_check", "PROVIDER_UNAVAILABLE"): {"personal_data_accesses", "face_checks", "moves"},
    ("finish_face_check", "PROVIDER_UNAVAILABLE"): {"personal_data_accesses"},
    ("add_insured_person", "PERSON_NOT_MATCHED"): {"person_lookups"},
    ("place_order", "PAYMENT_REFUSED"): {
        "payment_orders",
        "payments",
        "payment_order_lines",
        "moves",
        "idempotency_keys",
        "notices",
    },
    ("place_order", "REQUEST_IN_FLIGHT"): set(),
    ("upload_document", "PICTURE_NOT_ACCEPTED"): {"document_uploads"},
    ("upload_document", "PICTURE_DAMAGED"): {"document_uploads"},
    ("upload_document", "PICTURE_TOO_LARGE"): {"document_uploads"},
    ("upload_document", "PICTURE_INFECTED"): {"document_uploads"},
    ("upload_document", "PROVIDER_UNAVAILABLE"): {"document_uploads"},
    ("show_picture", "PICTURE_LOST"): {"personal_data_accesses"},
    ("show_picture", "PROVIDER_UNAVAILABLE"): {"personal_data_accesses"},
}
"""What a refusal may leave behind: counted tries, opened seals, and what was begun at a provider."""


def test_regions_need_no_database(house):
    house.lose_database()

    assert stories.list_regions(house).send(house).status_code == 200
    assert stories.read_region(house).send(house).status_code == 200
