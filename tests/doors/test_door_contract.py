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
}
"""What a refusal may leave behind: counted tries, opened seals, and what was begun at a provider."""


def test_regions_need_no_database(house):
    house.lose_database()

    assert stories.list_regions(house).send(house).status_code == 200
    assert stories.read_region(house).send(house).status_code == 200
