import pytest
import requests

from sandbox.wechat_face import cert_hash

APP = "wx3204000000000001"


class Open:
    def __init__(self, url, secret):
        self.url, self.secret = f"{url}/wechat-api", secret

    def sign_in(self, code):
        asked = {"appid": APP, "secret": self.secret, "js_code": code, "grant_type": "authorization_code"}
        answer = requests.get(f"{self.url}/sns/jscode2session", params=asked, timeout=5)
        assert answer.headers["Content-Type"].startswith("text/plain")
        return answer.json()

    def token(self, **more):
        asked = {"grant_type": "client_credential", "appid": APP, "secret": self.secret, **more}
        return requests.post(f"{self.url}/cgi-bin/stable_token", json=asked, timeout=5).json()

    def post(self, path, body, token=None):
        answer = requests.post(
            f"{self.url}/{path}", params={"access_token": token or self.token()["access_token"]}, json=body, timeout=5
        )
        assert answer.status_code == 200
        return answer.json()


@pytest.fixture
def wechat(sandbox, secrets):
    return Open(sandbox.url, (secrets / f"wechat-{APP}-app-secret.txt").read_text())


def test_a_code_signs_in_once_and_success_carries_no_errcode(wechat, remote, payer):
    code = remote.make_code(APP, payer["user_id"])

    first, second, invented = wechat.sign_in(code), wechat.sign_in(code), wechat.sign_in("made-up")

    assert first["openid"] == payer["subject"]
    assert "errcode" not in first
    assert (second["errcode"], invented["errcode"]) == (40163, 40029)


def test_the_stable_token_stays_until_it_is_forced(wechat):
    first, second = wechat.token(), wechat.token()
    forced = wechat.token(force_refresh=True)

    assert first["access_token"] == second["access_token"] != forced["access_token"]
    assert wechat.post("cgi-bin/message/subscribe/send", {}, token=first["access_token"])["errcode"] == 40001


def test_the_phone_number_comes_for_its_own_code(wechat, remote):
    user = remote.make_user(APP, phone="13900000000")
    code = remote.make_code(APP, user["user_id"], kind="phone")

    told = wechat.post("wxa/business/getuserphonenumber", {"code": code})

    assert told["phone_info"]["purePhoneNumber"] == "13900000000"
    assert told["phone_info"]["watermark"]["appid"] == APP
    assert wechat.post("wxa/business/getuserphonenumber", {"code": code})["errcode"] == 40029


def test_one_consent_is_one_message(wechat, remote, payer):
    message = {"touser": payer["subject"], "template_id": "T1", "data": {"thing1": {"value": "缴费成功"}}}
    remote.allow_messages(payer["subject"], "T1", left=1)

    assert wechat.post("cgi-bin/message/subscribe/send", message)["errcode"] == 0
    assert wechat.post("cgi-bin/message/subscribe/send", message)["errcode"] == 43101
    assert wechat.post("cgi-bin/message/subscribe/send", message | {"data": {"thing1": {"value": ""}}})["errcode"] == 47003


def test_cert_hash_is_the_documented_one():
    assert (
        cert_hash("IDENTITY_CARD", "张三", "310101199801011234")
        == "3c241f7ff324977aeb91f173bb2a7b06569e6fd784d5573db34a636d8671108b"
    )


@pytest.mark.parametrize(
    ("outcome", "verdict"), [("passed", 10000), ("failed", 10001), ("declined", 90110), ("abandoned", 90002)]
)
def test_a_face_check_tells_its_verdict_to_whoever_repeats_the_question(wechat, remote, payer, outcome, verdict):
    face = "cityservice/face/identify"
    asked = {
        "out_seq_no": "SEQ_0001",
        "openid": payer["subject"],
        "cert_info": {"cert_type": "IDENTITY_CARD", "cert_name": "某甲", "cert_no": "320400199003070011"},
    }
    begun = wechat.post(f"{face}/getverifyid", asked)
    question = {
        "verify_id": begun["verify_id"],
        "out_seq_no": "SEQ_0001",
        "openid": payer["subject"],
        "cert_hash": cert_hash("IDENTITY_CARD", "某甲", "320400199003070011"),
    }

    assert wechat.post(f"{face}/queryverifyinfo", question) == {"errcode": 0, "errmsg": "ok"}
    remote.decide_face(begun["verify_id"], outcome)

    assert wechat.post(f"{face}/queryverifyinfo", question)["verify_ret"] == verdict
    assert wechat.post(f"{face}/queryverifyinfo", question | {"cert_hash": "0" * 64})["errcode"] != 0


def test_tokens_expire_once_or_for_ever(wechat, remote, payer):
    message = {"touser": payer["subject"], "template_id": "T1", "data": {"thing1": {"value": "缴费成功"}}}
    remote.misbehave(f"app:{APP}", "token_expired_once")

    assert wechat.post("cgi-bin/message/subscribe/send", message)["errcode"] == 40001
    assert wechat.post("cgi-bin/message/subscribe/send", message)["errcode"] == 0
    remote.misbehave(f"app:{APP}", "token_expired_forever", 42001)
    assert [wechat.post("cgi-bin/message/subscribe/send", message)["errcode"] for _ in range(2)] == [42001, 42001]


@pytest.mark.parametrize(("fault", "code"), [("system_busy", -1), ("rate_limited", 45011)])
def test_wechat_is_busy_or_has_had_enough(wechat, remote, payer, fault, code):
    remote.misbehave("*", fault, times=1, operation="jscode2session")

    assert wechat.token()["expires_in"] > 300
    assert wechat.sign_in("any")["errcode"] == code
