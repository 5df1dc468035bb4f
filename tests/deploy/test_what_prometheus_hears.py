"""What each process tells Prometheus: the house's figures from the database, sweeps that are late, calls, requests and lines."""

from __future__ import annotations

import datetime as dt
import logging
import time
import urllib.error
import urllib.request
from io import StringIO
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client import REGISTRY, CollectorRegistry
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker

from config.logs import logger, set_up_logs
from jobs import sweeping, worker
from jobs.commands import settle_command
from jobs.house_measures import MEASURES, HouseMeasures
from jobs.machines import Address, Heart, answer_machines, read_address
from models.base import new_id
from providers.certificates import certificate_ends
from providers.meters import AHEAD, note_their_clock
from tests.doors.house import House

NOTICE = text(
    "INSERT INTO notices (id, merchant_account, notification_id, miniprogram, kind, payment_no, currency, received_at, state, outcome)"
    " VALUES (:id, 'wechat_pay:1', :number, 'm', 'PAID', 'p', 'CNY', :at, :state, :outcome)"
)


def heard(ports, secrets_dir=None):
    """(name, labels) → value, as a scrape would find it."""
    registry = CollectorRegistry()
    registry.register(HouseMeasures(ports, secrets_dir=secrets_dir))
    return {(sample.name, *sample.labels.values()): sample.value for family in registry.collect() for sample in family.samples}


def told(name, **labels):
    return REGISTRY.get_sample_value(name, labels) or 0.0


# --- the house


def test_what_waits_is_told_with_the_age_of_the_oldest(ports, clock):
    with ports.begin() as session:
        for number, (seconds, state, outcome) in enumerate(
            [(90, "WAITING", None), (30, "WAITING", None), (7200, "PARKED", "CONFLICT"), (5, "SETTLED", "PAID")]
        ):
            at = clock.now() - dt.timedelta(seconds=seconds)
            session.execute(NOTICE, {"id": new_id(), "number": str(number), "at": at, "state": state, "outcome": outcome})

    figures = heard(ports)

    assert figures["canbao_house_figures_up",] == 1
    assert (figures["canbao_unsettled_notices",], figures["canbao_unsettled_oldest_seconds",]) == (2, 90)
    assert (figures["canbao_parked_notices", "CONFLICT"], figures["canbao_parked_oldest_seconds", "CONFLICT"]) == (1, 7200)
    assert ("canbao_parked_notices", "PAID") not in figures


def test_a_notice_that_was_dealt_with_is_told_no_longer(ports, clock):
    with ports.begin() as session:
        session.execute(NOTICE, {"id": new_id(), "number": "1", "at": clock.now(), "state": "PARKED", "outcome": "UNCLAIMED"})
        session.execute(text("UPDATE notices SET resolved_at = now()"))

    assert ("canbao_parked_notices", "UNCLAIMED") not in heard(ports)


def test_days_that_were_never_compared_are_told_for_each_account(ports):
    figures = heard(ports)

    accounts = {key[1]: value for key, value in figures.items() if key[0] == "canbao_reconciliation_days_due"}
    assert set(accounts) == set(ports.daily_bills)
    assert set(accounts.values()) == {7}


def test_a_house_without_a_database_says_so_and_still_tells_of_certificates(ports, tmp_path):
    (tmp_path / "wechat-pay-cert.pem").write_bytes(a_certificate(days=20))
    nowhere = sessionmaker(create_engine("postgresql+psycopg://canbao@127.0.0.1:9/none"))
    ports = SimpleNamespace(**{name: getattr(ports, name) for name in ("daily_bills", "now")}, begin=nowhere.begin)

    figures = heard(ports, tmp_path)

    assert figures.pop(("canbao_house_figures_up",)) == 0
    ends = figures.pop(("canbao_certificate_ends_timestamp_seconds", "wechat-pay-cert.pem"))
    assert 19 < (ends - time.time()) / 86400 < 21
    assert figures == {}


def test_every_measure_of_the_house_is_told(ports, tmp_path):
    (tmp_path / "c.pem").write_bytes(a_certificate(days=3))
    names = {name for name, *_ in heard(ports, tmp_path)}

    # What is grouped has rows only where there is something, and nothing was ever archived here.
    assert set(MEASURES) - names <= {
        *(name for name, (_, labels) in MEASURES.items() if labels), "canbao_wal_archived_timestamp_seconds",
    }  # fmt: skip
    assert names <= set(MEASURES)


# --- certificates


def a_certificate(*, days):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
        .not_valid_before(now - dt.timedelta(days=400)).not_valid_after(now + dt.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    return made.public_bytes(serialization.Encoding.PEM)


def test_of_a_chain_the_first_to_end_counts_and_what_is_no_certificate_is_passed_over(tmp_path):
    (tmp_path / "chain.pem").write_bytes(a_certificate(days=300) + a_certificate(days=-1))
    (tmp_path / "broken.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    (tmp_path / "folder").mkdir()

    ends = certificate_ends(tmp_path)

    assert list(ends) == ["chain.pem"]
    assert ends["chain.pem"] < dt.datetime.now(dt.UTC)
    assert certificate_ends(tmp_path / "nowhere") == {}


# --- sweeps


@pytest.mark.parametrize(
    ("cron", "seconds"),
    [
        ("* * * * * */2", 2),
        ("* * * * *", 60),
        ("*/10 * * * *", 600),
        ("17 2-15 * * *", 11 * 3600),
        ("17 19 * * *", 86400),
        ("0 3 * * 1", 7 * 86400),
    ],
)
def test_the_longest_pause_of_a_sweep_is_known(cron, seconds):
    assert sweeping.longest_interval_seconds(cron) == seconds


def test_a_sweep_that_fails_is_counted_and_is_not_done(monkeypatch):
    monkeypatch.setattr(sweeping, "CRONS", {"ask_providers": "* * * * * */2"})
    sweeping.begin_measures()
    began = told("canbao_sweep_done_timestamp_seconds", sweep="ask_providers")
    failed = told("canbao_sweep_runs_total", sweep="ask_providers", result="failed")

    def fail(_ports):
        raise OSError

    with pytest.raises(OSError):
        sweeping.measured("ask_providers", fail)(None)

    assert told("canbao_sweep_runs_total", sweep="ask_providers", result="failed") == failed + 1
    assert told("canbao_sweep_done_timestamp_seconds", sweep="ask_providers") == began > 0

    sweeping.measured("ask_providers", lambda _ports: 1)(None)

    assert told("canbao_sweep_done_timestamp_seconds", sweep="ask_providers") > began
    assert told("canbao_sweep_interval_seconds", sweep="ask_providers") == 2


def test_every_sweep_of_the_worker_has_its_time():
    assert worker.SWEEPS is sweeping.SWEEPS
    assert {"ask_providers", "reconcile", "apply_retention", "chain_audit"} <= set(sweeping.CRONS)


# --- lines, clocks, requests


def test_lines_that_somebody_may_have_to_look_at_are_counted_by_logger(monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    set_up_logs(stream=StringIO())
    before = [told("canbao_log_lines_total", level=level, logger="a.module") for level in ("info", "warning", "error")]

    log = logger("a.module")
    log.info("nothing.special")
    log.warning("look.here")
    log.error("act.now", id_number="320402199001010017")
    log.error("act.now")

    after = [told("canbao_log_lines_total", level=level, logger="a.module") for level in ("info", "warning", "error")]
    assert [b - a for a, b in zip(before, after, strict=True)] == [0, 1, 2]
    set_up_logs()


def test_a_providers_clock_is_compared_with_ours():
    note_their_clock("wechat-pay", "Sun, 22 Nov 2026 00:00:00 GMT")
    said = told("canbao_provider_clock_ahead_seconds", provider="wechat-pay")
    note_their_clock("wechat-pay", "no date at all")
    note_their_clock("wechat-pay", None)

    assert said == pytest.approx(1795305600 - time.time(), abs=5)
    assert told("canbao_provider_clock_ahead_seconds", provider="wechat-pay") == said
    AHEAD.remove("wechat-pay")


def test_requests_are_counted_by_the_first_part_of_their_address(ports, world, clock):
    house = House(ports=ports, world=world, clock=clock)
    client = house.app.test_client()
    places = [("api", "GET", "200"), ("-", "GET", "404"), ("api", "POST", "405"), ("healthz", "GET", "200")]
    before = [told("canbao_http_requests_total", door=d, method=m, status=s) for d, m, s in places]

    client.get("/api/v1/regions")
    client.get("/wp-login.php?id=320402199001010017")
    client.post("/api/v1/regions")
    client.get("/healthz")

    after = [told("canbao_http_requests_total", door=d, method=m, status=s) for d, m, s in places]
    counts = [b - a for a, b in zip(before, after, strict=True)]
    assert (counts[0], counts[1], counts[3]) == (1, 1, 0)
    assert told("canbao_http_seconds_count", door="api") > 0


# --- a door for processes that have none


@pytest.mark.parametrize("text", ["9101", "localhost", ":9101", "h:0", "h:65536", "h:x", "h:²"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError):
        read_address(text)


def test_an_address_may_be_of_the_sixth_version():
    assert read_address("[::1]:9101") == Address("::1", 9101)


def ask(server, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{path}", timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as fault:
        return fault.code, fault.read()


def test_a_process_that_hangs_says_so_and_still_tells_its_figures(ports):
    heart = Heart(0.2)
    server = answer_machines(Address("127.0.0.1", 0), is_well=heart.is_beating, more=[HouseMeasures(ports, secrets_dir=None)])
    try:
        assert ask(server, "/healthz") == (200, b"ok\n")
        time.sleep(0.25)
        assert ask(server, "/healthz") == (503, b"stuck\n")
        heart.beat()
        assert ask(server, "/healthz")[0] == 200
        status, figures = ask(server, "/metrics")
        assert status == 200
        assert b"\ncanbao_unsettled_notices 0.0\n" in figures
        assert b"canbao_sweep_runs_total" in figures
        assert ask(server, "/readyz")[0] == 404
    finally:
        server.shutdown()
        server.server_close()


def test_an_address_that_makes_no_sense_ends_the_command_with_a_sentence():
    done = CliRunner().invoke(settle_command, ["--metrics", "here"])

    assert done.exit_code == 2
    assert "an address looks like 127.0.0.1:9101, not 'here'" in done.output
