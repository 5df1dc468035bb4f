"""`canbao check-config`: every key and every provider, one line each, before anybody relies on them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
from flask import current_app
from sqlalchemy.exc import SQLAlchemyError

from config.clock import BEIJING, SYSTEM_CLOCK, beijing_date
from config.findings import Report
from config.settings import Settings, SettingsFault, load_partners, load_settings
from jobs.asking import settings_of
from jobs.stack import Stack
from models.migrate import is_newest
from services.house_checks import check_house

if TYPE_CHECKING:
    from config.findings import Finding


@click.command("check-config")
@click.option("--offline", is_flag=True, help="Ask no provider: only what this machine can tell by itself.")
def check_config(*, offline: bool) -> None:
    """Whether every configured key is the right one and every provider answers. Exits 1 when one line is ✗; changes nothing, and prints no secret."""
    settings = _with_the_sandbox(settings_of())
    report = Report(_say)
    now = SYSTEM_CLOCK.now()
    click.echo(
        f"{settings.mode.value}, {now.astimezone(BEIJING):%Y-%m-%d %H:%M} in Beijing" + (", nobody is asked" if offline else "")
    )
    try:
        partners = load_partners(settings.miniprograms_file)
    except SettingsFault as fault:
        for each in str(fault).splitlines():
            report.bad("CANBAO_MINIPROGRAMS_FILE", each)
        sys.exit(1)
    _check_database(settings, report)
    check_house(settings, partners, report, today=beijing_date(now))
    current_app.extensions["canbao.check_providers"](settings, partners, report, calls=not offline)
    click.echo(f"{report.bad_ones} to mend" if report.bad_ones else "nothing to mend")
    sys.exit(1 if report.bad_ones else 0)


def _say(finding: Finding) -> None:
    click.echo(str(finding))


def _with_the_sandbox(settings: Settings) -> Settings:
    """The shipped mini-programs are known to the sandbox of `make run` alone: unless an address says otherwise, it is asked."""
    addresses = (
        "wechat_api_url",
        "wechat_pay_url",
        "alipay_gateway_url",
        "aliyun_identity_url",
        "aliyun_sms_url",
        "unionpay_url",
    )
    is_shipped = settings.miniprograms_file == Settings.model_fields["miniprograms_file"].default
    if not is_shipped or any(name in settings.model_fields_set for name in addresses):
        return settings
    stack = Stack.as_last_run(settings.state_dir)
    played = load_settings(stack.environment)
    click.echo(f"the shipped mini-programs are the sandbox's: asking {stack.url('sandbox')}, which `make run` starts")
    return settings.model_copy(update={name: getattr(played, name) for name in addresses})


def _check_database(settings: Settings, report: Report) -> None:
    what = "CANBAO_DATABASE_URL"
    engine = current_app.extensions["canbao.make_engine"](settings)
    try:
        is_current = is_newest(engine)
    except SQLAlchemyError as fault:
        # Its own words hold the address, and that a password.
        report.bad(what, f"the database does not answer ({type(fault).__name__})", "check address, user, password and firewall")
    else:
        if is_current:
            report.good(what, "answers, and has the schema of this release")
        else:
            report.bad(what, "has another schema than this release", "run: canbao migrate")
    finally:
        engine.dispose()
