"""Alerts and the dashboard: each alert fires when it should and not before, and both know only what our processes really tell."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric

import app  # noqa: F401 - the roof: every metric of every process is declared
import jobs.settle
import jobs.worker  # noqa: F401
from config.settings import HOME
from jobs.house_measures import MEASURES

DEPLOY = HOME / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yaml"
DASHBOARD = DEPLOY / "grafana" / "canbao.json"
OF_THE_BACKUP = "canbao_backup_verified_timestamp_seconds"
NAME = re.compile(r"\bcanbao_[a-z0-9_]+")
RULES = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
QUIET = {
    # Everything as it should be, for a day: no alert fires.
    'up{job="canbao",part="web"}': "1+0x1600",
    "canbao_house_figures_up": "1+0x1600",
    "canbao_unsettled_oldest_seconds": "0+0x1600",
    "canbao_settle_looked_timestamp_seconds": "0+60x1600",
    'canbao_http_requests_total{door="api",status="200"}': "0+600x1600",
    'canbao_http_requests_total{door="api",status="503"}': "0+1x1600",
    'canbao_http_requests_total{door="webhooks",status="401"}': "0+60x1600",
    'canbao_http_seconds_bucket{door="api",le="1"}': "0+600x1600",
    'canbao_http_seconds_bucket{door="api",le="+Inf"}': "0+600x1600",
    'canbao_log_lines_total{level="warning",logger="a"}': "0+1x1600",
    'canbao_log_lines_total{level="error",logger="a"}': "3+0x1600",
    'canbao_sweep_done_timestamp_seconds{sweep="ask"}': "0+60x1600",
    'canbao_sweep_interval_seconds{sweep="ask"}': "2+0x1600",
    'canbao_sweep_done_timestamp_seconds{sweep="nightly"}': "0+0x1600",
    'canbao_sweep_interval_seconds{sweep="nightly"}': "86400+0x1600",
    'canbao_sweep_runs_total{sweep="ask",result="failed"}': "0+0x1600",
    "canbao_database_clock_ahead_seconds": "0.2+0x1600",
    'canbao_provider_clock_ahead_seconds{provider="alipay"}': "0+0x1600",
    'canbao_provider_clock_ahead_seconds{provider="wechat"}': "-400+0x1600",
    'canbao_notices_total{channel="wechat_pay",miniprogram="m",result="kept"}': "0+60x1600",
    'canbao_notices_total{channel="wechat_pay",miniprogram="m",result="refused:signature"}': "0+1x1600",
    'canbao_notices_total{channel="wechat_pay",miniprogram="m",result="refused:signtest"}': "0+60x1600",
    'canbao_notices_total{channel="wechat_pay",miniprogram="m",result="not_kept"}': "0+0x1600",
    'canbao_notice_seconds_bucket{channel="wechat_pay",le="0.1"}': "0+60x1600",
    'canbao_notice_seconds_bucket{channel="wechat_pay",le="+Inf"}': "0+60x1600",
    'canbao_partner_requests_total{partner="b",result="refused:NOT_FOUND"}': "0+60x1600",
    "canbao_asks_overdue_seconds": "3+0x1600",
    'canbao_provider_calls_total{provider="alipay",result="2xx"}': "0+60x1600",
    'canbao_provider_calls_total{provider="alipay",result="5xx"}': "0+10x1600",
    'canbao_open_differences_oldest_seconds{kind="PSP_ONLY"}': "3600+0x1600",
    'canbao_reconciliation_days_due{merchant_account="alipay:1"}': "0+0x1600",
    'canbao_open_refunds_oldest_seconds{state="SENT"}': "3600+0x1600",
    "canbao_bank_file_faults": "0+0x1600",
    'canbao_certificate_ends_timestamp_seconds{file="c.pem"}': "3600000+0x1600",
    "canbao_lost_seal_rows": "0+0x1600",
    "canbao_wal_archiving": "1+0x1600",
    "canbao_wal_archiving_fails": "0+0x1600",
    "canbao_wal_archived_timestamp_seconds": "0+60x1600",
    OF_THE_BACKUP: "0+0x1600",
    "canbao_applications_overdue": "0+0x1600",
    'canbao_messages_given_up{key="k",why="w"}': "3+0x1600",
}
"""A sample a minute. Time begins at 0."""
M = 'channel="wechat_pay",miniprogram="m"'
FIRES = {
    "CanbaoProcessDown": ({'up{job="canbao",part="web"}': "0+0x1600"}, "10m"),
    "CanbaoFiguresMissing": ({"canbao_house_figures_up": "0+0x1600"}, "10m"),
    "CanbaoServerErrors": ({'canbao_http_requests_total{door="api",status="503"}': "0+60x1600"}, "20m"),
    "CanbaoSlow": (
        {
            'canbao_http_seconds_bucket{door="api",le="1"}': "0+10x1600",
            'canbao_http_seconds_bucket{door="api",le="5"}': "0+600x1600",
        },
        "30m",
    ),
    "CanbaoErrorLines": ({'canbao_log_lines_total{level="error",logger="a"}': "0+1x1600"}, "10m"),
    "CanbaoSweepLate": ({'canbao_sweep_done_timestamp_seconds{sweep="ask"}': "0+0x1600"}, "15m"),
    "CanbaoSweepFails": ({'canbao_sweep_runs_total{sweep="ask",result="failed"}': "0+1x1600"}, "20m"),
    "CanbaoClockSkew": ({"canbao_database_clock_ahead_seconds": "-9+0x1600"}, "10m"),
    "CanbaoUnsettledOld": ({"canbao_unsettled_oldest_seconds": "90+60x1600"}, "10m"),
    "CanbaoSettleStuck": ({"canbao_settle_looked_timestamp_seconds": "0+0x1600"}, "10m"),
    "CanbaoNoticesNotKept": ({f'canbao_notices_total{{{M},result="not_kept"}}': "0+1x1600"}, "10m"),
    "CanbaoSignatureFailures": ({f'canbao_notices_total{{{M},result="refused:signature"}}': "0+60x1600"}, "20m"),
    "CanbaoPartnerRefused": ({'canbao_partner_requests_total{partner="b",result="refused:signature"}': "0+2x1600"}, "20m"),
    "CanbaoLetterboxSlow": (
        {
            'canbao_notice_seconds_bucket{channel="wechat_pay",le="0.1"}': "0+1x1600",
            'canbao_notice_seconds_bucket{channel="wechat_pay",le="5"}': "0+60x1600",
        },
        "20m",
    ),
    "CanbaoParked": ({'canbao_parked_notices{outcome="CONFLICT"}': "1+0x1600"}, "40m"),
    "CanbaoParkedOld": ({'canbao_parked_oldest_seconds{outcome="CONFLICT"}': "172801+60x1600"}, "5m"),
    "CanbaoAsksOverdue": ({"canbao_asks_overdue_seconds": "700+60x1600"}, "10m"),
    "CanbaoProviderDown": ({'canbao_provider_calls_total{provider="alipay",result="unreachable"}': "0+60x1600"}, "15m"),
    "CanbaoDifferencesOpen": ({'canbao_open_differences_oldest_seconds{kind="PSP_ONLY"}': "90000+60x1600"}, "5m"),
    "CanbaoDayNotCompared": ({'canbao_reconciliation_days_due{merchant_account="alipay:1"}': "1+0x1600"}, "7h"),
    "CanbaoRefundStuck": ({'canbao_open_refunds_oldest_seconds{state="ABNORMAL"}': "4000+60x1600"}, "5m"),
    "CanbaoBankFileFaults": ({"canbao_bank_file_faults": "2+0x1600"}, "2h"),
    "CanbaoCertificateEndsSoon": ({'canbao_certificate_ends_timestamp_seconds{file="c.pem"}': "2000000+0x1600"}, "2h"),
    "CanbaoCertificateEndsNow": ({'canbao_certificate_ends_timestamp_seconds{file="c.pem"}': "500000+0x1600"}, "5m"),
    "CanbaoLostSeals": ({"canbao_lost_seal_rows": "4+0x1600"}, "5m"),
    "CanbaoArchivingFails": ({"canbao_wal_archiving_fails": "1+0x1600"}, "15m"),
    "CanbaoNotArchiving": ({"canbao_wal_archived_timestamp_seconds": "0+0x1600"}, "90m"),
    "CanbaoBackupOld": ({OF_THE_BACKUP: "-129600+0x1600"}, "30m"),
    "CanbaoApplicationsOverdue": ({"canbao_applications_overdue": "3+0x1600"}, "2h"),
    "CanbaoMessagesGivenUp": ({'canbao_messages_given_up{key="k",why="w"}': "30+0x1600"}, "2h"),
}
"""Alert → what is other than quiet, and when it fires."""
ALSO = {"CanbaoCertificateEndsNow": {"CanbaoCertificateEndsSoon"}}
MINUTES = {"m": 1, "h": 60}


def test_every_alert_is_made_to_fire_here():
    assert {rule["alert"] for rule in RULES} == set(FIRES)


def test_each_alert_fires_when_it_should_and_a_quiet_day_is_quiet(tmp_path):
    """By Prometheus itself. Each case has the quiet day but for its own series, so it also tells which other alerts do not fire."""
    if shutil.which("promtool") is None:
        pytest.skip("no promtool on this machine (Debian: apt-get install prometheus)")
    tests = [case("quiet", {}, [(name, "20h", False) for name in FIRES])]
    for name, (series, when) in FIRES.items():
        fires = [(other, when, other == name) for other in FIRES if other not in ALSO.get(name, ())]
        tests.append(case(name, series, fires))
    shutil.copy(ALERTS, tmp_path / "alerts.yaml")
    (tmp_path / "tests.yaml").write_text(
        yaml.safe_dump({"rule_files": ["alerts.yaml"], "evaluation_interval": "1m", "tests": tests})
    )

    done = subprocess.run(
        ["promtool", "test", "rules", "tests.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, (done.stdout + done.stderr)[:4000]


def case(name, other, fires):
    """promtool compares whole sets of alerts with all their labels; `ALERTS` as a series needs the name alone."""
    # No longer than it is looked at: promtool reckons every minute of it.
    longest = max(int(when[:-1]) * MINUTES[when[-1]] for _, when, _ in fires) + 2
    series = {each: values.replace("x1600", f"x{longest}") for each, values in {**QUIET, **other}.items()}
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": each, "values": values} for each, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'count by (alertname) (ALERTS{{alertname="{alert}",alertstate="firing"}})',
                "eval_time": when,
                "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1}] if is_firing else [],
            }
            for alert, when, is_firing in fires
        ],
    }


def test_the_rules_and_the_configuration_are_prometheus_own(tmp_path):
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("no promtool on this machine (Debian: apt-get install prometheus)")
    for words in (["check", "rules", str(ALERTS)], ["check", "config", str(DEPLOY / "prometheus" / "prometheus.yaml")]):
        done = subprocess.run([promtool, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_says_in_both_languages_what_is_wrong_and_leads_to_what_to_do(rule):
    told = rule["annotations"]
    page, _, anchor = told["runbook"].partition("#")
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.removeprefix("## ").lower()).replace(" ", "-")
        for line in (HOME / page).read_text(encoding="utf-8").splitlines()
        if line.startswith("## ")
    }

    assert rule["labels"]["severity"] in ("page", "ticket")
    assert re.search(r"[一-鿿]", told["summary"])
    assert not re.search(r"[一-鿿]", told["summary_en"])
    assert anchor in headings
    assert f"`{rule['alert']}`" in (HOME / page).read_text(encoding="utf-8")


# --- the dashboard


def exposed() -> set[str]:
    """Every name under which a sample can come."""
    names = {OF_THE_BACKUP, *MEASURES}
    for family in list(REGISTRY.collect()):
        assert isinstance(family, Metric)
        ends = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        names |= {family.name + end for end in ends}
    return names


def questions():
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def test_alerts_and_dashboard_know_only_what_is_told():
    told = exposed()

    asked = {name for rule in RULES for name in NAME.findall(rule["expr"])} | {
        name for _, expr in questions() for name in NAME.findall(expr)
    }
    assert asked - told == set()
    assert f"# TYPE {OF_THE_BACKUP} gauge" in (DEPLOY / "backup" / "base-backup.sh").read_text()


def test_whatever_is_told_is_in_the_reference():
    page = (HOME / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    documented = set(NAME.findall(page))

    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exposed() if name.startswith("canbao_")}
    assert families <= documented


def test_every_question_of_the_dashboard_is_one_that_prometheus_understands(tmp_path):
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("no promtool on this machine (Debian: apt-get install prometheus)")
    rules = [
        {"record": f"panel:question{at}", "expr": expr.replace("$__rate_interval", "5m")}
        for at, (_, expr) in enumerate(questions())
    ]
    (tmp_path / "questions.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))

    done = subprocess.run(
        [promtool, "check", "rules", str(tmp_path / "questions.yaml")], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(rules) > 15


def test_the_dashboard_has_no_two_panels_in_one_place():
    board = json.loads(DASHBOARD.read_text())
    places = [
        (at["x"] + dx, at["y"] + dy)
        for panel in board["panels"]
        for at in [panel["gridPos"]]
        for dx in range(at["w"])
        for dy in range(at["h"])
    ]

    assert len(places) == len(set(places))
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert all(0 <= x < 24 for x, _ in places)
