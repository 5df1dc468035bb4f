"""Settings: a missing or misspelt name stops the start with a sentence; none is guessed."""

from __future__ import annotations

import pytest
import yaml

from config.settings import HOME, Mode, Settings, SettingsFault, load_partners, load_settings, secret

PRODUCTION = {
    "CANBAO_MODE": "production",
    "CANBAO_DATABASE_URL": "postgresql+psycopg://canbao@db/canbao",
    "CANBAO_PUBLIC_URL": "https://pay.example.gov.cn",
    "CANBAO_WEB_URL": "https://pay.example.gov.cn",
    "CANBAO_SECRETS_DIR": "/etc/canbao/secrets",
    "CANBAO_MINIPROGRAMS_FILE": "/etc/canbao/miniprograms.yaml",
}


def fault_of(environment) -> str:
    with pytest.raises(SettingsFault) as fault:
        load_settings(environment)
    return str(fault.value)


def test_nothing_set_is_the_sandbox_with_everything_at_home():
    settings = load_settings({"PATH": "/bin", "HOME": "/root"})

    assert (settings.mode, settings.in_production, settings.database_url) == (Mode.SANDBOX, False, None)
    assert settings.miniprograms_file == HOME / "config" / "miniprograms.sandbox.yaml"


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("CANBAO_DATABSE_URL", "CANBAO_DATABASE_URL"),
        ("CANBAO_WECHAT_PAY_URLS", "CANBAO_WECHAT_PAY_URL"),
        ("CANBAO_MODUS", "CANBAO_MODE"),
        ("CANBAO_TRUSTED_PROXY", "CANBAO_TRUSTED_PROXIES"),
        ("CANBAO_SECRET_DIR", "CANBAO_SECRETS_DIR"),
    ],
)
def test_a_misspelt_name_stops_the_start_and_is_told_what_it_may_have_meant(misspelt, meant):
    assert fault_of({misspelt: "x"}) == f"{misspelt}: there is no such setting; did you mean {meant}?"


@pytest.mark.parametrize("name", ["CANBAO_", "CANBAO_ZZZZZZZZZZZZZZ", "canbao_mode", "Canbao_Mode"])
def test_any_other_name_that_starts_like_ours_stops_it_too(name):
    assert fault_of({name: "sandbox"}).startswith(f"{name}: there is no such setting")


@pytest.mark.parametrize(
    ("name", "value"),
    [("CANBAO_MODE", "prod"), ("CANBAO_TRUSTED_PROXIES", "-1"), ("CANBAO_TRUSTED_PROXIES", "two"), ("CANBAO_MODE", "")],
)
def test_a_value_that_cannot_be_is_told_by_its_name(name, value):
    assert fault_of({name: value}).startswith(f"{name}: ")


def test_all_faults_are_told_at_once():
    told = fault_of({"CANBAO_MODUS": "x", "CANBAO_TRUSTED_PROXIES": "two"}).splitlines()

    assert [line.split(":")[0] for line in told] == ["CANBAO_MODUS", "CANBAO_TRUSTED_PROXIES"]


def test_production_with_everything_starts():
    assert load_settings(PRODUCTION).in_production


@pytest.mark.parametrize("name", [name for name in PRODUCTION if name != "CANBAO_MODE"])
def test_production_names_what_it_misses_with_a_right_example(name):
    told = fault_of({key: value for key, value in PRODUCTION.items() if key != name})

    assert told.splitlines() == [f"{name}: production needs it, such as {PRODUCTION[name]}"]


def test_production_is_reached_by_https_only():
    assert "providers only call https" in fault_of({**PRODUCTION, "CANBAO_PUBLIC_URL": "http://pay.example.gov.cn"})
    assert "so https" in fault_of({**PRODUCTION, "CANBAO_WEB_URL": "http://pay.example.gov.cn"})


def test_settings_are_frozen():
    settings = load_settings({})

    with pytest.raises(ValueError, match="frozen"):
        settings.mode = Mode.PRODUCTION


def test_every_setting_is_described():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_shipped_partners_can_be_read():
    partners = load_partners(HOME / "config" / "miniprograms.sandbox.yaml")

    assert {program.merchant for program in partners.miniprograms.values()} - {None} <= set(partners.merchants)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda given: given["miniprograms"]["jiangsu-tax-wechat"].update(merchant="1"), "miniprograms.jiangsu-tax-wechat.merchant: '1' is not among merchants"),
        (lambda given: given["miniprograms"]["jiangsu-tax-wechat"].update(platfrom="wechat"), "miniprograms.jiangsu-tax-wechat.platfrom"),
        (lambda given: given["miniprograms"]["jiangsu-tax-wechat"].update(platform="line"), "miniprograms.jiangsu-tax-wechat.platform"),
        (lambda given: given["miniprograms"]["jiangsu-tax-wechat"].update(regions=[]), "miniprograms.jiangsu-tax-wechat.regions"),
        (lambda given: given.pop("merchants"), "merchants: "),
        (lambda given: given["merchants"]["1900003204"].pop("authority"), "merchants.1900003204.authority"),
        (lambda given: given["aliyun"].pop("sms_sign_name"), "miniprograms.changzhou-hrss-app: an app signs people in by SMS; aliyun.sms_sign_name is missing"),
        (lambda given: given["aliyun"].pop("sms_templates"), "miniprograms.changzhou-hrss-app: an app signs people in by SMS; aliyun.sms_templates.sign_in_code is missing"),
        (lambda given: given["miniprograms"]["changzhou-hrss-app"].update(sms_codes_an_hour=0), "miniprograms.changzhou-hrss-app.sms_codes_an_hour"),
        (lambda given: given["miniprograms"]["jiangsu-tax-wechat"].update(miniprogram_state="beta"), "miniprograms.jiangsu-tax-wechat.miniprogram_state"),
    ],
)  # fmt: skip
def test_a_partners_file_that_cannot_be_names_file_and_key(tmp_path, change, said):
    given = yaml.safe_load((HOME / "config" / "miniprograms.sandbox.yaml").read_text())
    change(given)
    path = tmp_path / "programs.yaml"
    path.write_text(yaml.safe_dump(given))

    with pytest.raises(SettingsFault) as fault:
        load_partners(path)

    assert f"programs.yaml: {said}" in str(fault.value)


@pytest.mark.parametrize("content", ["{", "", "[]", "miniprograms: 3"])
def test_a_partners_file_that_is_no_such_thing_is_told_by_its_name(tmp_path, content):
    path = tmp_path / "programs.yaml"
    path.write_text(content)

    with pytest.raises(SettingsFault, match=r"programs\.yaml"):
        load_partners(path)


def test_a_missing_partners_file_is_told_by_its_name(tmp_path):
    with pytest.raises(SettingsFault, match=r"programs\.yaml: cannot be read"):
        load_partners(tmp_path / "programs.yaml")


def test_a_secret_is_a_file_and_a_missing_one_is_named(tmp_path):
    (tmp_path / "key.txt").write_text("s3cret\n")
    settings = load_settings({"CANBAO_SECRETS_DIR": str(tmp_path)})

    assert secret(settings, "key.txt") == "s3cret"
    for name, told in (("nokey.txt", "nokey.txt"), (None, ".*")):
        with pytest.raises(SettingsFault, match=f"{told}: not found in CANBAO_SECRETS_DIR|no name given|not found"):
            secret(settings, name)
