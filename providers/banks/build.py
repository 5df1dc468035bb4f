"""From the partners file to each bank's adapters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from config.settings import SettingsFault
from providers.banks.columns import LAYOUTS
from providers.banks.debits import BankFiles
from providers.banks.money import BankMoney
from providers.banks.transport import FolderPair

if TYPE_CHECKING:
    from config.settings import BankLink, BankSftp, Partners, Settings
    from providers.bank_files import DebitProvider
    from providers.banks.transport import Transport
    from providers.protocols import PaymentProvider


def build_banks(settings: Settings, partners: Partners) -> tuple[dict[str, DebitProvider], dict[str, PaymentProvider]]:
    """By code: who debits, and through whom such money goes back. Nobody is called. Raises SettingsFault naming the key file."""
    debits: dict[str, DebitProvider] = {}
    money: dict[str, PaymentProvider] = {}
    for code, link in partners.banks.items():
        transport, layout = _transport(settings, code, link), LAYOUTS[link.layout]
        debits[code] = BankFiles(
            transport=transport,
            layout=layout,
            unit=link.unit,
            contract=link.contract,
            authority=link.authority,
            bank=link.bank,
            flag_algorithm=link.flag,
            line_limit_fen=link.line_limit_fen,
            most_lines=link.most_lines,
        )
        money[code] = BankMoney(
            transport=transport, layout=layout, unit=link.unit, contract=link.contract, flag_algorithm=link.flag
        )
    return debits, money


def _transport(settings: Settings, code: str, link: BankLink) -> Transport:
    if link.sftp is None:
        return FolderPair(settings.state_dir / (link.folder or Path("banks") / code))
    return _sftp(settings, code, link.sftp)


def _sftp(settings: Settings, code: str, sftp: BankSftp) -> Transport:
    # A quarter of a second of every start, and most houses reach no bank this way.
    import asyncssh

    from providers.banks.sftp import Sftp

    try:
        name = sftp.private_key_file
        key = asyncssh.read_private_key(settings.secrets_dir / name)
        theirs = []
        for name in sftp.host_key_files:
            theirs.append(asyncssh.read_public_key(settings.secrets_dir / name))
    except (OSError, asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        raise SettingsFault(f"{name}: not an OpenSSH key in CANBAO_SECRETS_DIR; banks.{code}.sftp names it") from None
    return Sftp(host=sftp.host, port=sftp.port, username=sftp.username, key=key, host_keys=theirs, root=sftp.root)
