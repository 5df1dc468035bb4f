import pytest
import requests
from sandbox_story import ALI_APP, MCHID, WX_APP, wechat_client
from small_canbao import SmallCanbao

from sandbox import serve_in_thread
from sandbox.app import core_of
from sandbox.phone import Phone, PhoneRefusedError
from sandbox.remote import Sandbox


@pytest.fixture
def town(home, secrets, letterbox):
    """A sandbox and a small Canbao that know of each other."""
    with serve_in_thread(home, notice_time_scale=0.01) as running:
        wx = wechat_client(running.url, secrets, letterbox.url)
        secret = (secrets / f"wechat-{WX_APP}-app-secret.txt").read_text()
        wx.sign_in = lambda code: requests.get(
            f"{running.url}/wechat-api/sns/jscode2session",
            params={"appid": WX_APP, "secret": secret, "js_code": code, "grant_type": "authorization_code"},
            timeout=5,
        ).json()
        canbao = SmallCanbao(wx, (secrets / f"wechat-pay-{MCHID}-apiv3-key.txt").read_text())
        core_of(running.app).canbao_url = canbao.url
        remote = Sandbox(running.url)
        yield canbao, remote, running
        remote.close()
        canbao.close()


@pytest.fixture
def phone(town):
    canbao, remote, _ = town
    user = remote.make_user(WX_APP)
    mine = Phone(
        canbao.url, remote, miniprogram="jiangsu-tax-wechat", app_id=WX_APP, platform="wechat", user_id=user["user_id"]
    )
    yield mine
    mine.close()


def test_a_phone_goes_all_the_way_from_sign_in_to_paid(phone, town):
    canbao, remote, _ = town
    phone.sign_in()
    assert [each["purpose"] for each in canbao.consents] == []
    phone.consent_to("REAL_NAME")
    phone.prove_name("某甲", "320400199003070011")
    phone.add_person("某乙", "320400199003070038", relation="SPOUSE")
    me = next(each for each in phone.people() if each["is_self"])

    order = phone.order(me["id"], [bill["id"] for bill in phone.bills(me["id"])])
    said = phone.pay(order)

    assert said["errMsg"] == "requestPayment:ok"
    assert phone.wait_until(order["order_no"], "PAID")["total_fen"] == 76000
    assert remote.money()[f"wechat_pay:{MCHID}"] == 76000
    creating = [key for method, path, key, _ in canbao.asked if method == "POST" and path.startswith("/api")]
    assert all(creating)
    assert len(set(creating)) == len(creating)
    assert ("GET", "/api/v1/insured-persons", None, "Bearer t0ken") in canbao.asked


def test_a_refusal_says_code_and_request(phone):
    phone.sign_in()

    with pytest.raises(PhoneRefusedError, match="无需人脸") as refused:
        phone.prove_face()

    assert (refused.value.status, refused.value.code, refused.value.request_id) == (409, "FACE_NOT_NEEDED", "r1")


def test_waiting_for_what_never_comes_ends(phone):
    phone.sign_in()
    order = phone.order(1, ["1-10"])

    with pytest.raises(TimeoutError, match="AWAITING_PAYMENT"):
        phone.wait_until(order["order_no"], "PAID", timeout_seconds=0.3)
    assert phone.cancel(order["order_no"])["state"] == "CANCELLED"


PERSON = {
    "label": "某甲",
    "name": "某甲",
    "id_number": "320400199003070011",
    "others": [{"name": "某乙", "id_number": "320400199003070038", "relation": "SPOUSE"}],
}


def call(running, method, path, status=200, **wishes):
    answer = requests.request(method, running.url + path, timeout=10, **wishes)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_a_demo_person_is_one_user_of_each_app_for_ever(town):
    _, remote, running = town
    call(running, "POST", "/_sandbox/demo-people", 201, json=[PERSON])

    assert call(running, "GET", "/_sandbox/demo-people")["demo_people"] == [PERSON]
    mine = remote.open_app(0, WX_APP)
    assert remote.open_app(0, WX_APP) == {**remote.open_app(0, WX_APP), "user_id": mine["user_id"]}
    assert remote.open_app(0, ALI_APP)["user_id"] != mine["user_id"]
    call(running, "POST", "/_sandbox/demo-people/1/users", 404, json={"app_id": WX_APP})
    call(running, "POST", "/_sandbox/demo-people", 400, json=[{"label": "某甲"}])


def test_a_page_reaches_canbao_through_the_air_as_a_phone_does_and_the_books_agree(town):
    canbao, remote, running = town
    call(running, "POST", "/_sandbox/demo-people", 201, json=[PERSON])
    user = remote.open_app(0, WX_APP)
    air = "/canbao/api/v1"
    code = remote.make_code(WX_APP, user["user_id"])
    headers = {"Authorization": "Bearer " + call(running, "POST", f"{air}/sessions", 201, json={"code": code})["token"]}

    placed = call(
        running,
        "POST",
        f"{air}/payment-orders",
        201,
        json={"insured_person_id": 1, "bill_ids": ["1-10"]},
        headers={**headers, "Idempotency-Key": "press-1"},
    )
    assert remote.pay_on_wechat(WX_APP, user["user_id"], placed["launch"])["errMsg"] == "requestPayment:ok"
    assert remote.wait_until_delivered()

    # What the phone sent came as it was sent, and nothing else of the page with it.
    assert ("POST", "/api/v1/payment-orders", "press-1", headers["Authorization"]) in canbao.asked
    books = call(running, "GET", "/_sandbox/journal")
    assert (books["reached"], books["agreed"]) == (True, True)
    assert books["rows"][-1] == {"account": "wechat_pay:1900006500", "sandbox_fen": 0, "canbao_fen": 0}
    canbao.booked -= 1
    assert not call(running, "GET", "/_sandbox/journal")["agreed"]


def test_the_air_carries_refusals_as_they_are_and_says_when_nobody_answers(town):
    canbao, _, running = town

    refused = requests.post(f"{running.url}/canbao/api/v1/identity/face-checks", json={}, timeout=5)
    assert (refused.status_code, refused.json()["code"]) == (409, "FACE_NOT_NEEDED")
    for elsewhere in ("/canbao/console", "/canbao/healthz", "/canbao/api/v2/me"):
        assert requests.get(running.url + elsewhere, timeout=5).status_code == 404
    far = requests.get(f"{running.url}/canbao/api/v1/me", headers={"Host": "evil.example.com"}, timeout=5)
    assert far.status_code == 403

    canbao.close()
    silent = requests.get(f"{running.url}/canbao/api/v1/me", timeout=5)
    assert (silent.status_code, silent.json()["code"]) == (502, "NO_NETWORK")
    assert silent.headers["Content-Type"] == "application/problem+json"


def test_the_page_and_its_parts_are_served_and_nothing_else(sandbox):
    for path in ("/", "/panel/main.js", "/panel/style.css", "/phone/phone.js", "/phone/screens/home.js", "/client/canbao.js"):
        answer = requests.get(sandbox.url + path, timeout=5)
        assert answer.status_code == 200
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    for path in ("/panel/../app.py", "/panel/%2e%2e/app.py", "/phone/%2e%2e/app.py", "/client/package.json", "/mini/phone.js"):
        assert requests.get(sandbox.url + path, timeout=5).status_code == 404


def test_the_control_api_listens_to_this_machine_and_to_json_only(sandbox):
    body = {"app_id": ALI_APP}

    assert requests.post(f"{sandbox.url}/_sandbox/users", data=body, timeout=5).status_code == 400
    assert (
        requests.post(f"{sandbox.url}/_sandbox/users", json=body, headers={"Host": "evil.example.com"}, timeout=5).status_code
        == 403
    )
    assert requests.post(f"{sandbox.url}/_sandbox/users", json={"app_id": "nobody"}, timeout=5).status_code == 404
    assert requests.post(f"{sandbox.url}/_sandbox/faults", json={"target": "*", "fault": "rain"}, timeout=5).status_code == 400
