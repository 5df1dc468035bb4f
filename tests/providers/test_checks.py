"""What the sandbox cannot play: a WeChat Pay merchant of the new kind, who never had platform certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from config.findings import Finding, Report, Verdict
from config.settings import Partners, Settings
from providers.checks import check_providers
from tests.providers import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NUMBER = "1900000109"
KEYS = f"merchants.{NUMBER}.platform_keys.{wire.PUBLIC_KEY_ID}"


@pytest.fixture
def there() -> Iterator[wire.Wire]:
    with wire.wire() as there:
        yield there


@pytest.fixture
def partners(tmp_path: Path) -> Partners:
    files = {
        "ours.pem": wire.private_pem("merchant"),
        "theirs.pem": wire.public_pem("wechat"),
        "apiv3.txt": wire.API_V3_KEY.decode(),
    }
    for name, content in (files | {"id": "x", "secret": "y"}).items():
        (tmp_path / name).write_text(content)
    merchant = {
        "channel": "wechat_pay", "authority": "tax-320400", "private_key_file": "ours.pem", "certificate_serial": "444F4864EA9B34415",
        "apiv3_key_file": "apiv3.txt", "platform_keys": {wire.PUBLIC_KEY_ID: "theirs.pem"}, "response_key": wire.PUBLIC_KEY_ID,
    }  # fmt: skip
    return Partners.model_validate(
        {
            "miniprograms": {},
            "merchants": {NUMBER: merchant},
            "aliyun": {"access_key_id_file": "id", "access_key_secret_file": "secret"},
        }
    )


@pytest.fixture
def check(there: wire.Wire, partners: Partners, tmp_path: Path) -> Callable[[], list[Finding]]:
    """What is found about the merchant."""
    settings = Settings(
        secrets_dir=tmp_path,
        state_dir=tmp_path,
        wechat_pay_url=there.url,
        aliyun_identity_url=there.url,
        aliyun_sms_url=there.url,
    )

    def check() -> list[Finding]:
        found: list[Finding] = []
        check_providers(settings, partners, Report(found.append), calls=True)
        return [each for each in found if each.what.startswith("merchants.")]

    return check


@pytest.mark.parametrize(
    ("signed_by", "verdict", "said"),
    [
        ("wechat", Verdict.GOOD, "their signature verifies"),
        ("a stranger", Verdict.BAD, "their signature does not verify with this file"),
        (None, Verdict.NOTE, "not proven"),
    ],
)
def test_a_merchant_without_certificates_is_proven_by_the_address_of_a_bill(there, check, signed_by, verdict, said):
    def answer(asked: wire.Asked) -> wire.Told:
        if asked.path.startswith("/v3/pay/transactions/out-trade-no/"):
            return wire.Told(404, b'{"code":"ORDER_NOT_EXIST"}')
        if asked.path == "/v3/certificates":
            return wire.Told(404, b'{"code":"RESOURCE_NOT_EXISTS"}')
        if asked.path == "/v3/bill/tradebill" and signed_by:
            return wire.wechat_told(
                {"hash_type": "SHA1", "hash_value": "0", "download_url": "https://example.com/"}, by=signed_by
            )
        return wire.Told(400, b'{"code":"NO_STATEMENT_EXIST"}')

    there.answer = answer

    (about,) = [each for each in check() if each.what == KEYS]

    assert (about.verdict, about.said.startswith(said)) == (verdict, True), about
    assert there.asked[1].headers["Authorization"].startswith("WECHATPAY2-SHA256-RSA2048 ")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (wire.Told(403, b'{"code":"NO_AUTH","message":"x"}'), "apply for JSAPI支付"),
        (wire.Told(502, b"<html>"), "something stands between"),
        (wire.Told(200, b"{}"), "though the number cannot exist"),
    ],
)
def test_whatever_else_wechat_pay_says_to_our_question_is_told_as_it_is(there, check, answer, said):
    there.answer = lambda asked: answer if asked.path != "/" else wire.Told(200)

    (about,) = [each for each in check() if each.verdict is Verdict.BAD]

    assert about.what == f"merchants.{NUMBER}.private_key_file"
    assert said in str(about)


def test_a_finding_is_one_line_whatever_a_provider_says():
    found: list[Finding] = []
    report = Report(found.append)

    report.bad("x", "they say\n✓ all is well\r\n", "ask\nthem")

    assert str(found[0]) == "✗ x: they say ✓ all is well → ask them"
    assert report.bad_ones == 1
