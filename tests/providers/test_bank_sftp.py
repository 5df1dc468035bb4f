"""The bank's SFTP server, played by a real one: whole files with flags, a pinned host key, and no waiting without end."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import asyncssh
import pytest

from config.settings import BankLink, SettingsFault, load_partners, load_settings
from providers.bank_files import BatchKey
from providers.banks import sftp as sftp_module
from providers.banks.build import build_banks
from providers.banks.sftp import Sftp
from providers.protocols import NotSent, ProviderUnreachable
from tests.conftest import SANDBOX_PROGRAMS
from tests.providers.test_bank_files import KEY, LINE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OURS = asyncssh.generate_private_key("ssh-ed25519")
THEIRS = asyncssh.generate_private_key("ssh-ed25519")
SOMEBODYS = asyncssh.generate_private_key("ssh-ed25519")


class Door(asyncssh.SSHServer):
    """Lets in whoever has our key, and nobody by password."""

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: Any) -> bool:
        return username == "canbao" and key.public_data == OURS.public_data


@contextmanager
def bank_server(folder: Path, *, key: asyncssh.SSHKey = THEIRS) -> Iterator[int]:
    """The bank's server on a port of its own, in a thread of its own, for as long as the block."""
    loop, ready, found = asyncio.new_event_loop(), threading.Event(), list[int]()
    stop = asyncio.Event()

    async def serve() -> None:
        def chrooted(channel: Any) -> asyncssh.SFTPServer:
            return asyncssh.SFTPServer(channel, chroot=str(folder).encode())

        async with asyncssh.listen(
            "127.0.0.1", 0, server_factory=Door, server_host_keys=[key], sftp_factory=chrooted
        ) as listener:
            found.append(listener.sockets[0].getsockname()[1])
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def line_to(port: int, **more: Any) -> Sftp:
    given = {"host": "127.0.0.1", "port": port, "username": "canbao", "key": OURS, "host_keys": [THEIRS], **more}
    given["host_keys"] = [each.convert_to_public() for each in given["host_keys"]]
    return Sftp(**given)


@pytest.fixture
def folder(tmp_path):
    for name in ("out", "in"):
        (tmp_path / "bank" / "tax" / name).mkdir(parents=True)
    return tmp_path / "bank"


def test_files_go_and_come_whole_with_their_flags(folder):
    with bank_server(folder) as port:
        line = line_to(port, root="tax")
        line.put("a.txt", b"old", b"flag")
        line.put("a.txt", b"content", b"flag")
        assert sorted(path.name for path in (folder / "tax" / "out").iterdir()) == ["a.txt", "a.txt.ok"]
        assert (folder / "tax" / "out" / "a.txt").read_bytes() == b"content"
        assert line.waiting() == ["a.txt", "a.txt.ok"]
        line.take_back("a.txt")
        line.take_back("a.txt")
        assert line.waiting() == []

        (folder / "tax" / "in" / "b.txt").write_bytes(b"result")
        assert (line.arrived(), line.fetch("b.txt")) == ([], None)
        (folder / "tax" / "in" / "b.txt.ok").write_bytes(b"its flag")
        assert (line.arrived(), line.fetch("b.txt")) == (["b.txt"], (b"result", b"its flag"))
        line.put_away("b.txt")
        assert line.arrived() == []


def test_a_server_with_another_key_is_not_spoken_to_and_nothing_is_sent(folder):
    with bank_server(folder, key=SOMEBODYS) as port, pytest.raises(NotSent):
        line_to(port, root="tax").put("a.txt", b"cards", b"flag")

    assert list((folder / "tax" / "out").iterdir()) == []


def test_while_a_bank_changes_its_key_both_are_pinned(folder):
    with bank_server(folder, key=SOMEBODYS) as port:
        assert line_to(port, root="tax", host_keys=[THEIRS, SOMEBODYS]).waiting() == []


def test_a_server_without_a_pinned_key_is_nobody():
    with pytest.raises(ValueError, match="pinned"):
        line_to(22, host_keys=[])


def test_a_bank_that_does_not_let_us_in_or_has_no_such_folder_is_unreachable(folder):
    with bank_server(folder) as port:
        for line in (line_to(port, root="tax", key=SOMEBODYS), line_to(port, root="elsewhere")):
            with pytest.raises(ProviderUnreachable):
                line.waiting()


def test_nobody_there_and_somebody_who_says_nothing_both_end(folder, monkeypatch):
    monkeypatch.setattr(sftp_module, "CONNECT_SECONDS", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(ProviderUnreachable):
            line_to(silent.getsockname()[1]).waiting()
        free = silent.getsockname()[1]
    with pytest.raises(NotSent):
        line_to(free).waiting()


def test_the_fault_tells_no_file_name(folder):
    with bank_server(folder) as port, pytest.raises(ProviderUnreachable) as fault:
        line_to(port, root="elsewhere").put("320400003_20261125_0007_req.txt", b"x", b"y")

    assert "3204" not in str(fault.value)


# --- from the partners file


@pytest.fixture
def house(tmp_path, folder):
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    OURS.write_private_key(secrets / "bank-key")
    THEIRS.write_public_key(secrets / "bank-host.pub")
    settings = load_settings({"CANBAO_STATE_DIR": str(tmp_path / "state"), "CANBAO_SECRETS_DIR": str(secrets)})
    partners = load_partners(SANDBOX_PROGRAMS)

    def of(**sftp: Any):
        server = {
            "host": "127.0.0.1",
            "username": "canbao",
            "private_key_file": "bank-key",
            "host_key_files": ["bank-host.pub"],
            **sftp,
        }
        given = {
            "bank": "ICBC",
            "authority": "tax-320400",
            "unit": "320400003",
            "contract": "DK1",
            "layout": "fixed",
            "sftp": server,
        }
        return settings, partners.model_copy(update={"banks": {"debit-icbc-320400": BankLink.model_validate(given)}})

    return of


def test_a_bank_of_the_partners_file_is_reached_by_sftp_with_keys_from_the_secrets(house, folder):
    with bank_server(folder) as port:
        banks, money = build_banks(*house(port=port, root="tax"))
        banks["debit-icbc-320400"].send(KEY, [LINE])

        assert banks["debit-icbc-320400"].is_waiting(KEY)
        assert not banks["debit-icbc-320400"].is_waiting(BatchKey(run_day=KEY.run_day, number=8))
    assert (folder / "tax" / "out" / "320400003_20261125_0007_req.txt.ok").exists()
    assert money.keys() == banks.keys()


def test_a_missing_key_file_stops_the_start_and_is_named(house):
    for name in ("private_key_file", "host_key_files"):
        missing = "no-such-key" if name == "private_key_file" else ["no-such-key"]
        with pytest.raises(SettingsFault, match=r"no-such-key.*banks\.debit-icbc-320400"):
            build_banks(*house(**{name: missing}))


def test_the_sandboxs_partners_name_every_bank_of_both_regions(rulebook, tmp_path):
    settings = load_settings({"CANBAO_STATE_DIR": str(tmp_path)})
    partners = load_partners(SANDBOX_PROGRAMS)
    from config.rulebook import Bank

    banks, _ = build_banks(settings, partners)

    for code in ("320400", "650000"):
        region = rulebook.region(code)
        served = {link.bank for link in banks.values() if link.authority == region.authority}
        assert served == {bank.code for bank in region.own(Bank)}
