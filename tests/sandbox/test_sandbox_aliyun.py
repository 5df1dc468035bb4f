import pytest
from alibabacloud_cloudauth20190307 import models
from alibabacloud_cloudauth20190307.client import Client
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.models import Config, OpenApiRequest, Params
from alibabacloud_tea_util.models import RuntimeOptions

ID = "320400199003070011"


@pytest.fixture
def make_client(sandbox, secrets):
    def make(**changes):
        wishes = {
            "access_key_id": (secrets / "aliyun-access-key-id.txt").read_text(),
            "access_key_secret": (secrets / "aliyun-access-key-secret.txt").read_text(),
            "endpoint": sandbox.url.removeprefix("http://"),
            "protocol": "HTTP",
            "connect_timeout": 3000,
            "read_timeout": 10000,
        }
        return Client(Config(**wishes | changes))

    return make


@pytest.fixture
def aliyun(make_client, remote):
    remote.register_person("张某甲·买买提", ID, phone="13800000001", bank_card="6222000000000000011")
    return make_client()


@pytest.mark.parametrize(
    ("name", "number", "code"), [("张某甲·买买提", ID, "1"), ("李某", ID, "2"), ("李某", "320400199003070038", "3")]
)
def test_name_and_number_are_compared(aliyun, name, number, code):
    asked = models.Id2MetaVerifyRequest(user_name=name, identify_num=number, param_type="normal")

    assert aliyun.id_2meta_verify(asked).body.result_object.biz_code == code


def test_phone_and_card_are_compared(aliyun):
    who = {"user_name": "张某甲·买买提", "identify_num": ID, "param_type": "normal"}
    card = {
        "bank_card": "6222000000000000011",
        "mobile": "13800000001",
        "product_type": "BANK_CARD_4_META",
        "verify_mode": "VERIFY_BANK_CARD",
    }

    phone = aliyun.mobile_3meta_simple_verify(
        models.Mobile3MetaSimpleVerifyRequest(mobile="13800000001", **who)
    ).body.result_object
    wrong = aliyun.mobile_3meta_simple_verify(
        models.Mobile3MetaSimpleVerifyRequest(mobile="13800000002", **who)
    ).body.result_object
    mine = aliyun.bank_meta_verify(models.BankMetaVerifyRequest(**card, **who)).body.result_object
    theirs = aliyun.bank_meta_verify(models.BankMetaVerifyRequest(**card, **who | {"user_name": "李某"})).body.result_object
    unknown = aliyun.bank_meta_verify(models.BankMetaVerifyRequest(**card | {"bank_card": "62"}, **who)).body.result_object

    assert (phone.biz_code, phone.isp_name, wrong.biz_code) == ("1", "CMCC", "2")
    assert (mine.biz_code, mine.sub_code) == ("1", "101")
    assert (theirs.biz_code, theirs.sub_code) == ("2", "201")
    assert (unknown.biz_code, unknown.sub_code) == ("3", "302")


@pytest.mark.parametrize("wrong", [{"access_key_secret": "x" * 30}, {"access_key_id": "LTAIx"}])
def test_a_wrong_key_is_refused(make_client, wrong):
    asked = models.Id2MetaVerifyRequest(user_name="某", identify_num=ID, param_type="normal")

    with pytest.raises(ClientException):
        make_client(**wrong).id_2meta_verify(asked)


def test_a_face_check_calls_back_without_a_signature_and_only_when_completed(aliyun, remote, letterbox):
    letterbox.answer = (200, b"")

    def begin(number):
        asked = models.InitFaceVerifyRequest(
            scene_id=1000000001, outer_order_no=number, product_code="ID_PRO", cert_type="IDENTITY_CARD", cert_name="张某甲", cert_no=ID,
            meta_info="{}", model="MOVE_ACTION", callback_url=f"{letterbox.url}/face", callback_token="t0ken",
        )  # fmt: skip
        return aliyun.init_face_verify(asked).body.result_object.certify_id

    def describe(certify_id):
        asked = models.DescribeFaceVerifyRequest(scene_id=1000000001, certify_id=certify_id)
        return aliyun.describe_face_verify(asked).body.result_object

    passed, left = begin("F" * 32), begin("G" * 32)
    assert describe(passed).passed is None
    remote.decide_face(passed)
    remote.decide_face(left, "abandoned")

    assert remote.wait_until_delivered()
    assert describe(passed).passed == "T"
    assert describe(left).passed == "F"
    assert [each["path"] for each in letterbox.letters if "?" in each["path"]] == [
        f"/face?callbackToken=t0ken&certifyId={passed}&passed=200"
    ]


@pytest.mark.parametrize(
    ("wish", "story"),
    [
        (("lost", None), (["passed"], [])),
        (("duplicate", 2), (["passed"], ["200"] * 3)),
        (("late", 0.3), (["failed"], ["207"])),
        (("early", None), ([], ["200"])),
        (("early", None), (["failed"], ["200", "207"])),
        (("early", None), (["abandoned"], ["200"])),
    ],
)
def test_a_callback_is_lost_doubled_late_or_comes_before_anybody_did_anything(aliyun, remote, letterbox, wish, story):
    outcomes, passed = story
    letterbox.answer = (200, b"")
    remote.misbehave("app:aliyun", *wish, times=1, operation="face_callback")
    asked = models.InitFaceVerifyRequest(
        scene_id=1000000001, outer_order_no="I" * 32, product_code="ID_PRO", cert_type="IDENTITY_CARD", cert_name="张某甲", cert_no=ID,
        meta_info="{}", callback_url=f"{letterbox.url}/face", callback_token="t0ken",
    )  # fmt: skip
    reference = aliyun.init_face_verify(asked).body.result_object.certify_id
    assert remote.wait_until_delivered()

    for outcome in outcomes:
        remote.decide_face(reference, outcome)

    assert remote.wait_until_delivered()
    called = [each["path"] for each in letterbox.letters if "?" in each["path"]]
    assert called == [f"/face?callbackToken=t0ken&certifyId={reference}&passed={code}" for code in passed]


def test_a_callback_that_is_not_answered_with_200_comes_twice_more(aliyun, remote, letterbox):
    letterbox.answer = (503, b"")
    asked = models.InitFaceVerifyRequest(
        scene_id=1000000001, outer_order_no="J" * 32, product_code="ID_PRO", cert_type="IDENTITY_CARD", cert_name="张某甲", cert_no=ID,
        meta_info="{}", callback_url=f"{letterbox.url}/face", callback_token="t0ken",
    )  # fmt: skip
    remote.decide_face(aliyun.init_face_verify(asked).body.result_object.certify_id)

    assert remote.wait_until_delivered()
    assert len([each for each in letterbox.letters if "?" in each["path"]]) == 3


def test_a_callback_address_where_nobody_answers_is_refused(aliyun):
    asked = models.InitFaceVerifyRequest(
        scene_id=1, outer_order_no="H" * 32, product_code="ID_PRO", cert_type="IDENTITY_CARD", cert_name="某", cert_no=ID,
        meta_info="{}", callback_url="http://127.0.0.1:9/face", callback_token="t",
    )  # fmt: skip

    assert aliyun.init_face_verify(asked).body.code == "401"


def test_sms_are_kept_to_be_read(aliyun, remote):
    query = {"PhoneNumbers": "13800000001", "SignName": "参保", "TemplateCode": "SMS_1", "TemplateParam": '{"code":"123456"}'}
    params = Params(
        action="SendSms",
        version="2017-05-25",
        protocol="HTTP",
        pathname="/",
        method="POST",
        auth_type="AK",
        style="RPC",
        req_body_type="formData",
        body_type="json",
    )

    told = aliyun.call_api(params, OpenApiRequest(query=query), RuntimeOptions())["body"]

    assert told["Code"] == "OK"
    assert remote.messages()[0]["content"]["values"] == {"code": "123456"}
