"""`canbao audit …`: what an operator types and reads."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from app import create_app
from config.settings import Settings
from jobs.audit_commands import audit as audit_group


@pytest.fixture
def canbao(ports):
    app = create_app(Settings(), doors=[], ports=ports)
    app.cli.add_command(audit_group)

    def run(*words: str):
        with app.app_context():
            return app.test_cli_runner().invoke(args=["audit", *words])

    return run


def test_from_rows_to_heads_that_are_written_down_and_verified_against(world, canbao, ports, tmp_path):
    _, order = world.order()
    world.hear(world.paid_news(order))
    world.settle()
    file = tmp_path / "heads.json"
    assert "rows not under a block yet" in canbao("verify").output
    assert "rows put under blocks: " in canbao("chain").output

    done = canbao("verify", "--export", str(file))

    assert done.exit_code == 0
    assert "✓ as it was written" in done.output
    heads = json.loads(file.read_text())
    assert heads["moves"]["hash"] in done.output
    assert canbao("verify", "--against", str(file)).exit_code == 0
    assert canbao("verify", "--since", "2026-11-21").exit_code == 0

    file.write_text(json.dumps({**heads, "moves": {"last_id": heads["moves"]["last_id"], "hash": "00" * 32}}))
    refused = canbao("verify", "--against", str(file))
    assert refused.exit_code == 1
    assert "FAULT moves: the block of ids 1 to" in refused.output


def test_a_fault_is_exit_1_names_table_and_id_and_is_not_written_down_as_good(world, canbao, ports, tmp_path):
    world.order()
    canbao("chain")
    with ports.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE moves SET who = 'forged' WHERE id = 1"))

    told = canbao("verify", "--export", str(tmp_path / "heads.json"))

    assert told.exit_code == 1
    assert "FAULT moves: a row was altered: 1\n" in told.output
    assert "forged" not in told.output
    assert not (tmp_path / "heads.json").exists()


@pytest.mark.parametrize(
    "content", ["", "[]", '{"moves": 1}', '{"strangers": {"last_id": 1, "hash": ""}}', '{"moves": {"last_id": "x"}}']
)
def test_a_file_that_holds_no_heads_is_refused_with_a_sentence(canbao, tmp_path, content):
    file = tmp_path / "heads.json"
    file.write_text(content)

    refused = canbao("verify", "--against", str(file))

    assert refused.exit_code == 1
    assert "heads.json is no file of heads" in refused.output


def test_half_a_chain_is_not_compared_with_what_was_written_down(canbao, tmp_path):
    (tmp_path / "heads.json").write_text("{}")

    refused = canbao("verify", "--against", str(tmp_path / "heads.json"), "--since", "2026-11-21")

    assert refused.exit_code == 1
    assert "leave --since out" in refused.output
