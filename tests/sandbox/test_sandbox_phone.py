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


def test_a_visitor_uses_a_demo_persons_phone_and_the_books_agree(town):
    canbao, remote, running = town
    user = remote.make_user(WX_APP)
    person = {
        "label": "某甲",
        "miniprogram": "jiangsu-tax-wechat",
        "app_id": WX_APP,
        "platform": "wechat",
        "user_id": user["user_id"],
        "name": "某甲",
        "id_number": "320400199003070011",
        "others": [{"name": "某乙", "id_number": "320400199003070038", "relation": "SPOUSE"}],
    }

    def post(path, body=None, status=200):
        answer = requests.post(f"{running.url}/_sandbox{path}", json=body or {}, timeout=10)
        assert answer.status_code == status, answer.text
        return answer.json()

    post("/demo-people", [person], 201)
    shown = requests.get(f"{running.url}/_sandbox/demo-people", timeout=5).json()["demo_people"]
    assert [each["label"] for each in shown] == ["某甲"]
    assert "id_number" not in shown[0]
    home = post("/phone/0/sign_in")
    assert [len(each["bills"]) for each in home["people"]] == [2, 2]
    assert {each["step"]: each["done"] for each in home["steps"]} == {
        "sign_in": True,
        "consent_to": True,
        "prove_name": True,
        "prove_face": False,
        "add_person": True,
    }
    order = post("/phone/0/order", {"insured_person_id": 2, "bill_ids": ["2-10"]})["order"]
    assert post("/phone/0/pay", {"order_no": order["order_no"]})["said"]["errMsg"] == "requestPayment:ok"
    assert remote.wait_until_delivered()

    books = requests.get(f"{running.url}/_sandbox/journal", timeout=5).json()

    assert (books["reached"], books["agreed"]) == (True, True)
    assert books["rows"][-1] == {"account": "wechat_pay:1900006500", "sandbox_fen": 0, "canbao_fen": 0}
    canbao.booked -= 1
    assert not requests.get(f"{running.url}/_sandbox/journal", timeout=5).json()["agreed"]


def test_the_page_and_its_parts_are_served_and_nothing_else(sandbox):
    for path in ("/", "/panel/main.js", "/panel/style.css", "/panel/icon.svg"):
        answer = requests.get(sandbox.url + path, timeout=5)
        assert answer.status_code == 200
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert requests.get(f"{sandbox.url}/panel/../app.py", timeout=5).status_code == 404
    assert requests.get(f"{sandbox.url}/panel/%2e%2e/app.py", timeout=5).status_code == 404


def test_the_control_api_listens_to_this_machine_and_to_json_only(sandbox):
    body = {"app_id": ALI_APP}

    assert requests.post(f"{sandbox.url}/_sandbox/users", data=body, timeout=5).status_code == 400
    assert (
        requests.post(f"{sandbox.url}/_sandbox/users", json=body, headers={"Host": "evil.example.com"}, timeout=5).status_code
        == 403
    )
    assert requests.post(f"{sandbox.url}/_sandbox/users", json={"app_id": "nobody"}, timeout=5).status_code == 404
    assert requests.post(f"{sandbox.url}/_sandbox/faults", json={"target": "*", "fault": "rain"}, timeout=5).status_code == 400
