"""`canbao simulate`, small: days of people paying over loopback HTTP, a verdict to the fen, and the same story for the same seed."""

from __future__ import annotations

import pytest
from sqlalchemy import text

import jobs.simulate_commands
from app import create_app
from config.settings import Settings
from jobs.simulation.month import play

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]
WAYS = ("wechat_pay", "alipay", "bank_debit 650000", "bank_debit 320400", "unionpay_pos", "bank_counter")
WORDS = ("--days", "6", "--people", "30", "--faults", "20")


def simulate(server, folder, *words):
    app = create_app(Settings(database_url=server.url, state_dir=folder), doors=[])
    app.cli.add_command(jobs.simulate_commands.simulate)
    with app.app_context():
        done = app.test_cli_runner().invoke(args=["simulate", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def databases(server) -> set[str]:
    with server.connect() as connection:
        return {
            name for (name,) in connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'canbao_simulation_%'")
        }


def played_and_tampered(month):
    """The month, and afterwards one fen in one transfer, as somebody with the database's own rights could move it."""
    today = play(month)
    with month.place.ports.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text(
                "UPDATE transfers SET amount_fen = amount_fen + 1 WHERE id = (SELECT max(id) FROM transfers WHERE kind = 'SETTLED')"
            )
        )
    return today


def test_a_small_town_pays_to_the_fen_and_the_same_seed_with_one_fen_moved_ends_with_1_and_names_the_account(
    server, tmp_path, monkeypatch
):
    before = databases(server)

    done = simulate(server, tmp_path, *WORDS)

    *days, last = done.output.strip().splitlines()
    assert done.exit_code == 0, done.output
    assert last.startswith("✓ seed 20261121, 6 days, 30 people, ")
    assert sum(line.startswith("2026-10-") for line in days) >= 6
    assert all(f"{way} " in last for way in WAYS), last
    assert databases(server) == before

    monkeypatch.setattr(jobs.simulate_commands, "play", played_and_tampered)
    again = simulate(server, tmp_path, *WORDS)

    told = again.output.strip().splitlines()
    assert again.exit_code == 1
    assert told[: len(days)] == days, "the same seed plays the same days, and counts the same"
    assert told[-1].startswith("✗ seed 20261121, 6 days, 30 people: ")
    assert "first clearing:" in told[-1]
    assert "canbao explain" in again.output
    assert databases(server) == before
