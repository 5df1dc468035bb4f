"""What every answer carries, and what balancers and Prometheus are told, in both processes."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from app import create_app
from config.settings import Settings
from tests.doors.house import API, House
from tests.doors.letters import Letterbox
from tests.doors.stories import GOOD

PRODUCTION = Settings(mode="production", public_url="https://pay.example.gov.cn")


@pytest.mark.parametrize("given", ["0192f0c4-7d3a-7cc1-b8a5-3f1d2e4c5b6a", "a.b_c-12", "x" * 64])
def test_a_request_id_is_echoed(house, given):
    response = house.phone().get("/regions", headers={"X-Request-ID": given})

    assert response.headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["short", "x" * 65, "with space", "<script>", "", "请求编号一二三四"])
def test_an_odd_request_id_is_replaced(house, given):
    first, second = (
        house.app.test_client().get(f"{API}/regions", environ_overrides={"HTTP_X_REQUEST_ID": given}).headers["X-Request-ID"]
        for _ in range(2)
    )

    assert len(first) == len(second) == 32
    assert len({first, second, given}) == 3


def test_every_line_of_a_request_carries_its_id_and_no_line_of_the_next_one_does(house):
    house.phone().get("/me", headers={"X-Request-ID": "first-request"})
    house.phone().get("/me", headers={"X-Request-ID": "second-request"})

    refused = [line for line in house.logged() if line["event"] == "request.refused"]
    assert [line["request_id"] for line in refused] == ["first-request", "second-request"]
    assert {line["refusal"] for line in refused} == {"SIGN_IN_AGAIN"}
    assert {line["path"] for line in refused} == {"/api/v1/me"}


def test_too_many_is_told_until_when(house):
    """Today's tries are used up at ten in the morning in Beijing: come back in fourteen hours, not in three seconds."""
    from tests.doors.stories import REFUSALS

    response = REFUSALS["prove_name", "TOO_MANY_LOOKUPS"](house).send(house)

    assert 14 * 3600 <= int(response.headers["Retry-After"]) <= 14 * 3600 + 1


@pytest.mark.parametrize("operation", ["place_order", "start_face_check"])
def test_a_replay_says_that_it_is_one(house, operation):
    ask = GOOD[operation](house)

    first, second = ask.send(house, key="pressed-twice"), ask.send(house, key="pressed-twice")
    another = ask.send(house, key="pressed-anew")

    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in another.headers
    mine = "order_no" if operation == "place_order" else "id"
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json[mine] == second.json[mine]


def test_logs_of_the_api_hold_nothing_of_what_people_type(house):
    """All stories are told, and their words are looked for in the log."""
    for story in GOOD.values():
        ask = story(house)
        ask.send(house)
        ask.send(house, given={**(ask.given or {}), "unknown": "王小明 13800138000"})

    log = house.log.getvalue()
    assert log.count("\n") > 5
    words = ["王小明", "张三丰", "李四", "13800138000", "openid-", "Bearer", "c0de"]
    assert [word for word in words if word in log] == []


BOTH = [(House, ("miniprogram_api",)), (Letterbox, ("webhooks",))]


@pytest.fixture(params=BOTH, ids=["web", "letterbox"])
def process(request, ports, world, clock):
    kind, doors = request.param
    return kind(ports=ports, world=world, clock=clock, doors=doors)


def test_a_process_is_alive_whatever_became_of_the_database(process):
    process.lose_database()

    response = process.app.test_client().get("/healthz")

    assert (response.status_code, response.json) == (200, {"status": "ok"})


def test_a_process_is_ready_when_its_database_answers(process):
    client = process.app.test_client()
    assert client.get("/readyz").status_code == 200

    process.lose_database()
    assert client.get("/readyz").status_code == 503

    process.find_database()
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize("never", ["DROP TABLE alembic_version", "DELETE FROM alembic_version"])
def test_a_process_is_not_ready_before_the_schema_is(process, never):
    with process.ports.begin() as session:
        session.execute(text(never))

    assert process.app.test_client().get("/readyz").status_code == 503


def test_a_process_tells_prometheus_how_it_goes(process):
    response = process.app.test_client().get("/metrics")

    assert response.status_code == 200
    assert response.mimetype == "text/plain"
    assert b"canbao_notices_total" in response.data


def test_each_process_opens_its_own_doors_only(process):
    client = process.app.test_client()
    is_web = process.doors == ("miniprogram_api",)

    assert client.get(f"{API}/regions").status_code == (200 if is_web else 404)
    assert client.get("/openapi.json").status_code == (200 if is_web else 404)
    assert client.post("/webhooks/alipay/nowhere").status_code == (404 if is_web else 200)


def test_the_served_document_is_the_committed_one(house):
    from tests.doors import contract

    served = house.app.test_client().get("/openapi.json")

    assert json.loads(served.data) == contract.the_document()


@pytest.mark.parametrize(("settings", "status"), [(Settings(), 200), (PRODUCTION, 404)])
def test_the_sandboxs_journal_has_no_place_in_production(ports, settings, status):
    app = create_app(settings, doors=["miniprogram_api", "webhooks"], ports=ports)

    assert app.test_client().get("/sandbox/journal").status_code == status


def test_the_sandboxs_journal_names_accounts_and_no_person(lone_house):
    _, view = lone_house.world.order()
    lone_house.world.hear(lone_house.world.paid_news(view))
    lone_house.world.settle()

    told = lone_house.app.test_client().get("/sandbox/journal").json

    held = {each["account"].partition(":")[0]: each["balance_fen"] for each in told["accounts"]}
    assert held == {"clearing": view.total_fen, "contributions": view.total_fen}
    assert len(told["transfers"]) == 1
    assert "张" not in json.dumps(told, ensure_ascii=False)
