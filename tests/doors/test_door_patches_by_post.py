"""Mini-programs know no PATCH: a POST that says it is one is taken for one, and nothing else is."""

from __future__ import annotations

import pytest

from tests.doors.house import API

SAYS_PATCH = {"X-HTTP-Method-Override": "PATCH"}


@pytest.fixture
def phone(house):
    return house.phone(house.world.account())


def test_a_post_that_says_patch_is_one(house, phone):
    told = house.app.test_client().post(
        f"{API}/me/preferences",
        json={"elder_mode": True},
        headers={**SAYS_PATCH, "Authorization": f"Bearer {phone.token}"},
    )

    assert told.status_code == 200
    assert told.json["account"]["elder_mode"] is True


@pytest.mark.parametrize("said", ["", "patch", "DELETE", "PUT", "GET"])
def test_a_post_that_says_anything_else_stays_a_post(house, phone, said):
    told = house.app.test_client().post(
        f"{API}/me/preferences",
        json={"elder_mode": True},
        headers={"X-HTTP-Method-Override": said, "Authorization": f"Bearer {phone.token}"},
    )

    assert (told.status_code, told.json["code"]) == (405, "METHOD_NOT_ALLOWED")


def test_no_other_method_becomes_a_patch(house, phone):
    told = house.app.test_client().get(
        f"{API}/me/preferences", headers={**SAYS_PATCH, "Authorization": f"Bearer {phone.token}"}
    )

    assert told.status_code == 405


def test_a_patch_by_post_needs_a_token_and_a_schema_as_any_other(house, phone):
    door = house.app.test_client()

    without = door.post(f"{API}/me/preferences", json={"elder_mode": True}, headers=SAYS_PATCH)
    nonsense = door.post(
        f"{API}/me/preferences", json={"elder_mode": "?"}, headers={**SAYS_PATCH, "Authorization": f"Bearer {phone.token}"}
    )

    assert (without.status_code, nonsense.status_code) == (401, 422)
