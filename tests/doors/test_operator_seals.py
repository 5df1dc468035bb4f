"""`canbao seals …`: what an operator types and reads, with the house open."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace

import pytest

from app import create_app
from config.seals import load_seals
from config.settings import Settings
from jobs.commands import seal_keys
from jobs.seal_commands import seals as seals_group
from tests.factories import World


@pytest.fixture
def ports(ports, key_file):
    return replace(ports, seals=load_seals(key_file))


@pytest.fixture
def canbao(ports, tmp_path):
    app = create_app(Settings(secrets_dir=tmp_path), doors=[], ports=ports)
    app.cli.add_command(seals_group)

    def run(*words: str):
        ports.seals.look_again()
        with app.app_context():
            return app.test_cli_runner().invoke(args=["seals", *words])

    return run


def long_ago(key_file) -> None:
    before = time.time() - 3600
    os.utime(key_file, (before, before))


def test_from_one_key_to_the_next_and_the_old_one_gone(canbao, ports, key_file):
    person = World(ports).person()
    assert "k1: current" in canbao("status").output

    made = canbao("new-key", "--algorithm", "AES-256-GCM")

    assert made.exit_code == 0
    assert "k2 is the current key" in made.output
    told = canbao("status").output
    assert "k1: in use" in told
    assert "k2: current" in told
    long_ago(key_file)
    refused = canbao("retire-key", "k1")
    assert refused.exit_code == 1
    assert "2 rows are sealed with k1" in refused.output
    assert canbao("reseal").output == "sealed anew: 2\n"
    assert "k1: may be retired" in canbao("status").output
    assert canbao("retire-key", "k1").exit_code == 0
    assert list(json.loads(key_file.read_text())["keys"]) == ["k2"]
    assert canbao("status").exit_code == 0
    assert World(ports).scalar("SELECT count(*) FROM persons") == 1
    assert person.name_masked


def test_a_key_is_not_retired_while_a_process_may_still_seal_with_it(canbao, ports):
    canbao("new-key")

    refused = canbao("retire-key", "k1")

    assert refused.exit_code == 1
    assert "wait 120 seconds" in refused.output


def test_a_lost_key_is_a_sentence_for_each_column_and_exit_1(canbao, ports, key_file):
    World(ports).order()
    file = json.loads(key_file.read_text())
    key_file.write_text(json.dumps({**file, "keys": {"k9": file["keys"]["k1"]}, "current": "k9"}))

    told = canbao("status")

    assert told.exit_code == 1
    assert "LOST: 1 rows of persons.name_sealed, sealed with k1: names can no longer be sent" in told.output
    assert "LOST: 1 rows of payments.request_sealed, sealed with k1: a payment whose first try had no answer" in told.output
    assert "Bring back the seal key file" in told.output


def test_no_command_prints_a_key(canbao, key_file):
    done = [canbao(*words) for words in (["new-key"], ["status"], ["reseal"])]
    told = "".join(each.output for each in done)

    assert [each.exit_code for each in done] == [0, 0, 0]
    file = json.loads(key_file.read_text())
    assert not [entry["key"] for entry in file["keys"].values() if entry["key"] in told]
    assert file["index_key"] not in told


def test_the_first_key_file_is_made_once_and_never_over_another(tmp_path):
    secrets = tmp_path / "to" / "come"
    app = create_app(Settings(secrets_dir=secrets), doors=[])
    app.cli.add_command(seal_keys)

    def new(*words: str) -> tuple[int, str]:
        with app.app_context():
            done = app.test_cli_runner().invoke(args=["seal-keys", "new", *words])
        return done.exit_code, done.output

    assert new("--if-missing") == (0, "made seal-keys.json\n")
    made = (secrets / "seal-keys.json").read_text()
    assert load_seals(secrets / "seal-keys.json").current == "k1"
    assert (secrets / "seal-keys.json").stat().st_mode & 0o777 == 0o600
    assert new("--if-missing") == (0, "")
    code, said = new()
    assert (code, "loses everything that it sealed" in said) == (1, True)
    assert (secrets / "seal-keys.json").read_text() == made
