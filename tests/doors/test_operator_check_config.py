"""`canbao check-config`: with every key right nothing is to mend; and each wrong one is named, with what to do, and the command exits 1.

Against the sandbox, which verifies our signatures strictly and signs its answers with keys of its own.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import yaml

from app import create_app
from config.seals import new_seal_keys
from config.settings import HOME, Mode, Settings
from jobs import check_config_commands
from jobs.check_config_commands import check_config
from sandbox import serve_in_thread
from sandbox.keys import issue, load_keys, private_pem, public_pem
from sandbox.world import WORLD
from services import house_checks
from tests.conftest import fresh_database
from tests.providers import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

MERCHANT, OTHER_MERCHANT = "1900003204", "1900006500"
WECHAT = "wx3204000000000001"
ALIPAY = "2021003204000001"
SHIPPED = HOME / "config" / "miniprograms.sandbox.yaml"


@pytest.fixture(scope="module")
def street(tmp_path_factory) -> Iterator[tuple[str, Path, Path]]:
    """A sandbox, its home, and what it issued."""
    home, secrets = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("secrets")
    issue(home, secrets, WORLD)
    (secrets / "seal-keys.json").write_text(new_seal_keys())
    with serve_in_thread(home) as running:
        yield running.url, home, secrets


@dataclass
class Place:
    """An installation whose keys a test may spoil."""

    url: str
    sandbox_home: Path
    secrets: Path
    state: Path
    database_url: str

    def settings(self, **more: object) -> Settings:
        given = {
            "database_url": self.database_url,
            "secrets_dir": self.secrets,
            "state_dir": self.state,
            "wechat_api_url": f"{self.url}/wechat-api",
            "wechat_pay_url": self.url,
            "alipay_gateway_url": f"{self.url}/gateway.do",
            "aliyun_identity_url": self.url,
            "aliyun_sms_url": self.url,
            "unionpay_url": self.url,
        }
        return Settings(**(given | more))

    def check(self, *words: str, **more: object) -> Result:
        app = create_app(self.settings(**more), doors=[])
        app.cli.add_command(check_config)
        with app.app_context():
            return app.test_cli_runner().invoke(args=["check-config", *words])

    def programs(self, change: Callable[[dict], None]) -> Path:
        """The shipped mini-programs file, changed."""
        given = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
        change(given)
        file = self.state / "miniprograms.yaml"
        file.write_text(yaml.safe_dump(given, allow_unicode=True), encoding="utf-8")
        return file


@pytest.fixture(scope="module")
def database(server, template) -> Iterator[str]:
    """Nobody writes into it."""
    with fresh_database(server, template) as url:
        yield url


@pytest.fixture
def place(street, tmp_path, database, rulebook, monkeypatch) -> Place:
    url, home, issued = street
    shutil.copytree(issued, tmp_path / "secrets")
    (tmp_path / "state").mkdir()
    # It takes half a second to read, and no test here changes it.
    monkeypatch.setattr(house_checks, "load_rulebook", lambda *_folders: rulebook)
    return Place(url, home, tmp_path / "secrets", tmp_path / "state", database)


def bad_lines(told: Result) -> list[str]:
    """Every ✗ line; and the verdict goes with them."""
    found = [line for line in told.output.splitlines() if line.startswith("✗ ")]
    assert told.exit_code == (1 if found else 0), told.output
    assert told.output.splitlines()[-1] == (f"{len(found)} to mend" if found else "nothing to mend")
    return found


def test_with_every_key_right_each_is_proven_and_nothing_is_to_mend(place):
    told = place.check()

    assert bad_lines(told) == [], told.output
    for proven in (
        f"✓ merchants.{MERCHANT}.private_key_file: WeChat Pay takes the signature of {MERCHANT}",
        f"✓ merchants.{MERCHANT}.apiv3_key_file: opens what WeChat Pay sealed",
        f"✓ merchants.{MERCHANT}.platform_keys.PUB_KEY_ID_0119000032042026112200000001: their signature verifies",
        f"✓ merchants.{MERCHANT}.platform_keys.5157F09EFDC096DE15EBE81A47057A7200003204: their signature verifies",
        f"✓ miniprograms.jiangsu-tax-wechat.app_secret_file: WeChat gives {WECHAT} a token",
        f"✓ miniprograms.jiangsu-tax-alipay.app_private_key_file: Alipay takes the signature of {ALIPAY}",
        "✓ miniprograms.jiangsu-tax-alipay.alipay_public_key_file: Alipay's signature verifies",
        "✓ aliyun.access_key_secret_file: the identity service takes our signature",
        "✓ aliyun.sms_templates.sign_in_code: SMS_320400001 is approved",
        "✓ pos.pos-changzhou: UnionPay takes the signature of 898320453110001",
        "✓ banks.debit-boc-320400: reached",
        "✓ counters.counter-boc-320400: 1 keys of the bank can be read",
        "✓ seal-keys.json: seals and opens",
        "✓ CANBAO_DOCUMENTS_URL: keeps, gives back and forgets",
        "✓ CANBAO_DATABASE_URL: answers, and has the schema of this release",
    ):
        assert proven in told.output, told.output
    assert f"✓ merchants.{MERCHANT}.certificate_file: certificate holds until" in told.output
    assert "clocks agree within" in told.output
    # Figures that nobody has confirmed are named, by region; in the sandbox they stop nobody.
    assert "· region 320400" in told.output
    assert "示例金额" in told.output


def test_no_secret_is_printed(place):
    (place.secrets / f"wechat-{WECHAT}-app-secret.txt").write_text("a-secret-that-is-wrong")

    told = place.check().output

    secrets = [path for path in place.secrets.iterdir() if "public" not in path.name and "certificate" not in path.name]
    assert len(secrets) > 20
    for path in secrets:
        for line in path.read_text().splitlines():
            assert len(line) < 12 or line.startswith("-----") or line not in told, path.name


def test_offline_nobody_is_asked_and_what_this_machine_can_tell_is_told(place):
    nobody = "http://127.0.0.1:9"
    told = place.check(
        "--offline", wechat_api_url=nobody, wechat_pay_url=nobody, alipay_gateway_url=nobody, unionpay_url=nobody,
        aliyun_identity_url=nobody, aliyun_sms_url=nobody,
    )  # fmt: skip

    assert bad_lines(told) == []
    assert f"✓ merchants.{MERCHANT}.private_key_file: signs and verifies (2048 bits)" in told.output
    assert "only WeChat Pay can say" in told.output


def swapped_merchant_keys(place: Place) -> None:
    ours, others = (place.secrets / f"wechat-pay-{each}-merchant-private-key.pem" for each in (MERCHANT, OTHER_MERCHANT))
    shutil.copy(others, ours)
    # As somebody has it who never named the certificate: then WeChat Pay alone can tell.
    shutil.copy(
        place.secrets / f"wechat-pay-{OTHER_MERCHANT}-merchant-certificate.pem",
        place.secrets / f"wechat-pay-{MERCHANT}-merchant-certificate.pem",
    )


def write(name: str, text: str) -> Callable[[Place], None]:
    return lambda place: (place.secrets / name).write_text(text) and None


def copy(source: str, target: str) -> Callable[[Place], None]:
    return lambda place: shutil.copy(place.secrets / source, place.secrets / target) and None


def remove(name: str) -> Callable[[Place], None]:
    return lambda place: (place.secrets / name).unlink()


def alipay_shows_our_own_key(place: Place) -> None:
    ours = load_keys(place.sandbox_home, WORLD).alipay[ALIPAY].app_public
    (place.secrets / f"alipay-{ALIPAY}-alipay-public-key.pem").write_text(public_pem(ours))


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        pytest.param(
            swapped_merchant_keys,
            [f"merchants.{MERCHANT}.certificate_serial: not that of wechat-pay-{MERCHANT}-merchant-certificate.pem → write {'6500'.ljust(36, '0')}6500",
             f"merchants.{MERCHANT}.private_key_file: WeChat Pay refuses us: 401 SIGN_ERROR 签名错误"],
            id="another merchant's private key",
        ),
        pytest.param(
            copy(f"wechat-pay-{OTHER_MERCHANT}-merchant-private-key.pem", f"wechat-pay-{MERCHANT}-merchant-private-key.pem"),
            [f"merchants.{MERCHANT}.certificate_file: wechat-pay-{MERCHANT}-merchant-certificate.pem does not belong to",
             f"merchants.{MERCHANT}.private_key_file: WeChat Pay refuses us"],
            id="a private key beside the certificate of another",
        ),
        pytest.param(
            write(f"wechat-pay-{MERCHANT}-apiv3-key.txt", "0" * 32),
            [f"merchants.{MERCHANT}.apiv3_key_file: does not open what WeChat Pay sealed"],
            id="another APIv3 key",
        ),
        pytest.param(
            write(f"wechat-pay-{MERCHANT}-apiv3-key.txt", "short"),
            [f"merchants.{MERCHANT}.apiv3_key_file: "],
            id="an APIv3 key of the wrong length",
        ),
        pytest.param(
            copy(f"wechat-pay-{OTHER_MERCHANT}-public-key.pem", f"wechat-pay-{MERCHANT}-public-key.pem"),
            [f"merchants.{MERCHANT}.platform_keys.PUB_KEY_ID_0119000032042026112200000001: their signature does not verify with this file"],
            id="another merchant's WeChat Pay public key",
        ),
        pytest.param(
            copy(f"wechat-pay-{OTHER_MERCHANT}-platform-certificate.pem", f"wechat-pay-{MERCHANT}-platform-certificate.pem"),
            [f"merchants.{MERCHANT}.platform_keys.5157F09EFDC096DE15EBE81A47057A7200003204: wechat-pay-{MERCHANT}-platform-certificate.pem is the certificate 5157F09EFDC096DE15EBE81A47057A7200006500",
             f"merchants.{MERCHANT}.platform_keys.5157F09EFDC096DE15EBE81A47057A7200003204: WeChat Pay signs with this certificate"],
            id="a platform certificate under another's serial",
        ),
        pytest.param(
            write(f"wechat-{WECHAT}-app-secret.txt", "f" * 32),
            ["miniprograms.jiangsu-tax-wechat.app_secret_file: WeChat refuses a token (40125) → the app secret is wrong"],
            id="a wrong app secret",
        ),
        pytest.param(
            remove(f"wechat-{WECHAT}-message-token.txt"),
            ["miniprograms.jiangsu-tax-wechat.message_token_file: "],
            id="a file that is not there",
        ),
        pytest.param(
            lambda place: (place.secrets / f"alipay-{ALIPAY}-app-private-key.pem").write_text(private_pem(wire.key("stranger"))) and None,
            ["miniprograms.jiangsu-tax-alipay.app_private_key_file: Alipay refuses us (isv.invalid-signature) → upload the public half"],
            id="an app key that Alipay was not told",
        ),
        pytest.param(
            lambda place: (place.secrets / f"alipay-{ALIPAY}-alipay-public-key.pem").write_text(public_pem(wire.key("stranger").public_key())) and None,
            ["miniprograms.jiangsu-tax-alipay.alipay_public_key_file: Alipay's signature does not verify with this file"],
            id="another Alipay public key",
        ),
        pytest.param(
            alipay_shows_our_own_key,
            ["miniprograms.jiangsu-tax-alipay.alipay_public_key_file: "],
            id="our own public key in place of Alipay's",
        ),
        pytest.param(
            write("aliyun-access-key-secret.txt", "x" * 30),
            ["aliyun.access_key_secret_file: Alibaba Cloud refuses us (SignatureDoesNotMatch)",
             "aliyun.access_key_secret_file: the SMS service refuses us (SignatureDoesNotMatch)"],
            id="a wrong access key secret",
        ),
        pytest.param(
            write("aliyun-face-callback-token.txt", "short"),
            ["aliyun.face_callback_token_file: 5 characters; 16 at least"],
            id="a callback token that can be guessed",
        ),
        pytest.param(
            lambda place: (place.secrets / "unionpay-898320453110001-merchant-private-key.pem").write_text(private_pem(wire.key("stranger"))) and None,
            ["pos.pos-changzhou: UnionPay refuses us (unionpay: 11) → merchant, private_key_file and certificate_id"],
            id="a UnionPay key that is not the merchant's",
        ),
        pytest.param(
            copy("unionpay-root.pem", "unionpay-middle.pem"),
            ["pos.pos-changzhou: UnionPay refuses us (unionpay: answer with certificate_chain)"],
            id="UnionPay's root where the middle one belongs",
        ),
        pytest.param(
            write("counter-boc-320400-partner-public-key.pem", "nothing"),
            ["counters.counter-boc-320400.partner_keys.boc-2026: ", "counters.counter-boc-320400: "],
            id="a bank's key that is none",
        ),
        pytest.param(write("seal-keys.json", "{}"), ["seal-keys.json: "], id="seal keys that are none"),
    ],
)  # fmt: skip
def test_a_wrong_key_is_named(place, spoil, named):
    spoil(place)

    found = bad_lines(place.check())

    assert len(found) == len(named), found
    for line, start in zip(found, named, strict=True):
        assert line.startswith(f"✗ {start}"), found


def test_a_wrong_serial_of_the_merchants_certificate_is_named(place):
    def spoil(given: dict) -> None:
        given["merchants"][MERCHANT]["certificate_serial"] = "444F4864EA9B34415"
        del given["merchants"][MERCHANT]["certificate_file"]

    (line,) = bad_lines(place.check(miniprograms_file=place.programs(spoil)))

    assert line.startswith(f"✗ merchants.{MERCHANT}.private_key_file: WeChat Pay refuses us: 401 SIGN_ERROR 商户证书序列号有误")
    assert "→ certificate_serial is not that of the certificate in force" in line


def test_a_certificate_that_we_do_not_hold_is_told_before_its_notices_are_refused(place):
    def spoil(given: dict) -> None:
        del given["merchants"][MERCHANT]["platform_keys"]["5157F09EFDC096DE15EBE81A47057A7200003204"]

    (line,) = bad_lines(place.check(miniprograms_file=place.programs(spoil)))

    assert "platform_keys.5157F09EFDC096DE15EBE81A47057A7200003204: WeChat Pay signs with this certificate" in line


def test_certificates_that_have_ended_are_named(place, tmp_path):
    long_ago = datetime.now(UTC) - timedelta(days=365 * 5 + 2)
    issue(tmp_path / "old", tmp_path / "old-secrets", WORLD, valid_from=long_ago)
    for name in (f"wechat-pay-{MERCHANT}-platform-certificate.pem", "unionpay-middle.pem", "unionpay-root.pem"):
        shutil.copy(tmp_path / "old-secrets" / name, place.secrets / name)

    found = bad_lines(place.check("--offline"))

    assert [line.split(": ")[0] for line in found] == [
        f"✗ merchants.{MERCHANT}.platform_keys.5157F09EFDC096DE15EBE81A47057A7200003204",
        "✗ pos.pos-changzhou.root_certificate_file",
        "✗ pos.pos-changzhou.middle_certificate_file",
    ]
    assert all("certificate expired on" in line for line in found)


def test_a_provider_that_is_down_is_named_once_and_the_others_are_asked(place):
    told = place.check(wechat_pay_url="http://127.0.0.1:9", aliyun_identity_url="http://127.0.0.1:9")

    assert [line.split(" ")[1] for line in bad_lines(told)] == ["CANBAO_WECHAT_PAY_URL:", "CANBAO_ALIYUN_IDENTITY_URL:"]
    assert "Alipay takes the signature" in told.output


@pytest.mark.parametrize(("minutes", "said"), [(7, "ahead of"), (-7, "behind")])
def test_a_clock_that_is_off_is_named(place, monkeypatch, minutes, said):
    class Skewed:
        def now(self) -> datetime:
            return datetime.now(UTC) + timedelta(minutes=minutes)

    import providers.checks

    monkeypatch.setitem(providers.checks.check_providers.__kwdefaults__, "clock", Skewed())

    found = bad_lines(place.check())

    assert any(line.startswith("✗ CANBAO_WECHAT_PAY_URL: our clock is 4") and said in line and "NTP" in line for line in found)
    assert any("WeChat Pay refuses us" in line and "clock by NTP" in line for line in found)


def test_production_refuses_figures_that_nobody_has_confirmed_each_by_its_name(place):
    told = place.check("--offline", mode=Mode.PRODUCTION)

    found = bad_lines(told)
    assert found
    assert all(line.startswith("✗ region ") and "TO_CONFIRM" in line and "CANBAO_REGIONS_DIR" in line for line in found)
    assert {line.split()[2] for line in found} == {"320400", "650000"}


def test_a_database_without_the_schema_and_one_that_is_not_there_are_told(place, server):
    assert bad_lines(place.check("--offline", database_url=server.url)) == [
        "✗ CANBAO_DATABASE_URL: has another schema than this release → run: canbao migrate"
    ]
    (line,) = bad_lines(place.check("--offline", database_url="postgresql+psycopg://someone:a-password@127.0.0.1:9/x"))
    assert line.startswith("✗ CANBAO_DATABASE_URL: the database does not answer (OperationalError)")
    assert "a-password" not in line


def test_a_mini_programs_file_with_a_fault_is_told_and_nothing_else_is_tried(place):
    file = place.programs(lambda given: given["miniprograms"]["jiangsu-tax-wechat"].update(platform="weechat"))

    told = place.check(miniprograms_file=file)

    assert told.exit_code == 1
    assert "✗ CANBAO_MINIPROGRAMS_FILE: miniprograms.yaml: miniprograms.jiangsu-tax-wechat.platform" in told.output


def test_the_shipped_mini_programs_are_looked_for_at_the_sandbox_of_make_run(place):
    given = place.settings().model_dump(exclude={"mode"}, exclude_unset=True)
    own = {name: value for name, value in given.items() if not name.endswith("_url") or name == "database_url"}

    asked = check_config_commands._with_the_sandbox(Settings(**own))

    assert asked.wechat_pay_url == "http://127.0.0.1:8100"
    assert asked.alipay_gateway_url == "http://127.0.0.1:8100/gateway.do"
    assert check_config_commands._with_the_sandbox(place.settings()) == place.settings()


def test_probes_that_they_sign_wrongly_on_purpose_are_asked_again(place, street):
    from sandbox.remote import Sandbox

    remote = Sandbox(place.url)
    remote.misbehave("*", "signtest_response", times=2, operation="wechat_pay.certificates")

    assert bad_lines(place.check()) == []
    remote.close()
