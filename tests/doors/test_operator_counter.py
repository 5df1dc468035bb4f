"""`canbao counter …`: what two of the staff type and read. Nothing of a person stands on a command line."""

from __future__ import annotations

import click
import pytest

from app import create_app
from config.settings import Settings
from jobs.counter_commands import counter
from services.counter_codes import open_counter_check, read_counter_check

ZHANG = ("张三丰", "320402199001010017")


@pytest.fixture
def canbao(ports, tmp_path):
    app = create_app(Settings(secrets_dir=tmp_path), doors=[], ports=ports)
    app.cli.add_command(counter)

    def run(*words: str, typed: tuple[str, ...] = ()):
        with app.app_context():
            return app.test_cli_runner().invoke(args=["counter", *words], input="".join(f"{line}\n" for line in typed))

    return run


@pytest.fixture
def somebody(world, ports):
    account = world.account(verified=False)
    world.agree(account, "REAL_NAME")
    return account, open_counter_check(ports, account=account, idempotency_key="k").code


def attest(canbao, code, *, who="S1024", given=ZHANG):
    return canbao("attest", "--who", who, "--site", "CHANGZHOU", typed=(code, *given))


def test_two_of_the_staff_make_somebody_of_a_code(canbao, ports, somebody):
    account, code = somebody

    first = attest(canbao, code)
    assert (first.exit_code, "张**  320***********0017" in first.output) == (0, True)
    assert "attested by staff:S1024" in first.output
    listed = canbao("list")
    assert "1 to confirm, oldest first" in listed.output
    assert "张" not in listed.output
    second = canbao("confirm", "--who", "S2048", typed=(code, "y"))
    assert (second.exit_code, second.output.splitlines()[-1]) == (0, "confirmed")

    assert read_counter_check(ports, account=account).verification_state == "VERIFIED"
    assert "0 to confirm" in canbao("list").output


def test_whoever_says_no_at_the_question_confirms_nothing(canbao, ports, somebody):
    account, code = somebody
    attest(canbao, code)

    done = canbao("confirm", "--who", "S2048", typed=(code, "n"))

    assert done.exit_code == 1
    assert read_counter_check(ports, account=account).state == "ATTESTED"


def test_a_refusal_ends_the_command_with_what_to_do(canbao, somebody):
    _, code = somebody
    assert "COUNTER_CHECK_NOT_WAITING" in canbao("confirm", "--who", "S2048", typed=(code, "y")).output
    attest(canbao, code)

    alone = canbao("confirm", "--who", "s1024", typed=(code, "y"))

    assert (alone.exit_code, "请由另一位工作人员复核" in alone.output) == (1, True)


def test_either_may_refuse_and_the_phone_learns_why(canbao, ports, somebody):
    account, code = somebody
    attest(canbao, code)

    done = canbao("refuse", "--who", "S1024", "--why", "TYPED_WRONGLY", typed=(code,))

    assert (done.exit_code, "refused" in done.output) == (0, True)
    told = read_counter_check(ports, account=account)
    assert (told.state, "重新取核验码" in told.refusal) == ("REFUSED", True)


def test_a_refusal_by_the_staff_is_none_of_the_houses_own(canbao, somebody):
    assert canbao("refuse", "--who", "S1024", "--why", "RECORD_DIFFERS", typed=(somebody[1],)).exit_code == 2


def test_no_command_takes_a_code_a_name_or_a_number_on_its_line():
    options = {option.name for command in counter.commands.values() for option in command.params}

    assert options == {"who", "site", "document", "why"}
    assert all(not isinstance(option, click.Argument) for command in counter.commands.values() for option in command.params)
