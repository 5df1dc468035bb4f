"""What the app says of its device: bounded, a text, sent on, and in no log."""

from __future__ import annotations

import json

import pytest

from providers.protocols import ProviderUnreachable
from tests.doors.stories import named
from tests.factories import APP, WECHAT


def begin(house, account, given):
    return house.phone(account).post("/identity/face-checks", given)


@pytest.mark.parametrize("device", ["x", '{"a":"设备"}', "x" * 8192, "设" * 2730])
def test_up_to_eight_kilobytes_are_taken(house, device):
    account = named(house, miniprogram=APP)

    assert begin(house, account, {"device": device}).status_code == 201
    assert list(house.ports.faces[APP].switches.values())[-1] == (device, False)


@pytest.mark.parametrize("device", ["", "x" * 8193, "设" * 2731, 7, True, {"a": 1}, ["a"], "a\x00b"])
def test_anything_else_is_422_and_nobody_is_asked(house, device):
    account = named(house, miniprogram=APP)

    response = begin(house, account, {"device": device})

    assert (response.status_code, list(response.json["errors"])) == (422, ["device"])
    assert house.ports.faces[APP].asked("start") == []


def test_an_app_without_a_device_is_told_what_to_do_and_may_try_again_with_the_same_key(house):
    account = named(house, miniprogram=APP)
    phone = house.phone(account)

    refused = phone.post("/identity/face-checks", {}, key="the-same-key")
    begun = phone.post("/identity/face-checks", {"device": "{}"}, key="the-same-key")

    assert (refused.status_code, refused.json["code"]) == (422, "DEVICE_REQUIRED")
    assert "APP" in refused.json["detail"]
    assert (begun.status_code, begun.json["state"]) == (201, "PENDING")


def test_a_miniprogram_may_send_one_and_the_same_key_with_another_is_the_same_check(house):
    account = named(house, miniprogram=WECHAT)
    phone = house.phone(account)

    first = phone.post("/identity/face-checks", {"device": "{}"}, key="the-same-key")
    again = phone.post("/identity/face-checks", {}, key="the-same-key")

    assert (first.status_code, again.json["id"]) == (201, first.json["id"])
    assert again.headers["Idempotency-Replayed"] == "true"


def test_elder_mode_reaches_the_platform_from_the_account(house):
    account = named(house, miniprogram=APP)
    house.phone(account).patch("/me/preferences", {"elder_mode": True})

    begin(house, account, {"device": "{}"})

    assert list(house.ports.faces[APP].switches.values())[-1] == ("{}", True)


def test_the_device_is_in_no_log(house):
    account = named(house, miniprogram=APP)
    house.ports.faces[APP].fails.append(("start", ProviderUnreachable("down")))
    device = json.dumps({"imei": "canary-of-a-device"})

    assert begin(house, account, {"device": device}).status_code == 503
    assert begin(house, account, {"device": device}).status_code == 201
    assert begin(house, account, {"device": device * 1000}).status_code == 422

    assert "canary-of-a-device" not in house.log.getvalue()
