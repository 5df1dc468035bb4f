"""A seal that does not open: a lost key or a row that somebody altered. The phone hears 503 with a way on, and staff a line at ERROR."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from config.logs import set_up_logs
from config.seals import load_seals, new_seal_keys
from tests.doors.stories import GOOD


@pytest.fixture
def other_keys(tmp_path):
    """A key file whose only key has another name, as after a restore without the secrets folder."""
    keys = json.loads(new_seal_keys())
    keys["keys"] = {"k9": keys["keys"]["k1"]}
    path = tmp_path / "seal-keys.json"
    path.write_text(json.dumps(keys | {"current": "k9"}))
    return load_seals(path)


def told_to_our_log(house, ask):
    # Making the contract's own application, once, takes the log away.
    set_up_logs(stream=house.log)
    return ask


def is_told_plainly(house, response):
    assert response.status_code == 503, response.json
    assert response.json["code"] == "BUSY"
    assert "12333" in response.json["detail"]
    assert [(line["level"], line["fault"]) for line in house.logged() if line["event"] == "seal.broken"] in (
        [("error", "UnknownSealKey")],
        [("error", "SealBroken")],
    )


def test_an_order_of_an_account_whose_key_is_lost_is_told_plainly_and_places_nothing(lone_house, other_keys):
    ask = told_to_our_log(lone_house, GOOD["place_order"](lone_house))
    lone_house.swap_ports(seals=other_keys)
    before = lone_house.row_counts()

    is_told_plainly(lone_house, ask.send(lone_house))

    assert lone_house.row_counts() == before
    assert lone_house.phone(ask.account).get("/insured-persons").status_code == 200, "masks need no key"


def test_a_face_check_with_an_altered_seal_is_told_plainly_and_asks_nobody(lone_house):
    ask = told_to_our_log(lone_house, GOOD["start_face_check"](lone_house))
    with lone_house.ports.begin() as session:
        session.execute(text("UPDATE identity_verifications SET name_sealed = id_number_sealed"))

    is_told_plainly(lone_house, ask.send(lone_house))

    assert lone_house.ports.faces[ask.account.miniprogram].calls == []
