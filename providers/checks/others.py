"""Cards at windows, banks that debit, counters that call us, folders that others fill, and where pictures lie."""

from __future__ import annotations

import os
import secrets
import uuid
from typing import TYPE_CHECKING, Final

from config.settings import SettingsFault
from providers.banks.build import build_banks
from providers.checks.common import impossible_number, reached
from providers.counters.build import build_counters
from providers.keys import KeyFileError, load_public_key_or_certificate
from providers.pictures import build_document_store, build_scanner
from providers.protocols import NewsKind, ProviderError
from providers.unionpay.build import build_pos
from providers.unionpay.signing import load_certificate

if TYPE_CHECKING:
    from pathlib import Path

    from config.settings import Partners
    from providers.checks.common import Desk

PROBE_BYTES: Final = 64
POS_REFUSALS: Final = {
    "unionpay: 11": "merchant, private_key_file and certificate_id must be of one certificate",
    "unionpay: answer with certificate_name": "certificate_name is not that of who signs: 中国银联股份有限公司, or the sandbox's own",
    "unionpay: answer with certificate_chain": "root_certificate_file and middle_certificate_file are not those of this gateway",
    "unionpay: answer with certificate_expired": "a certificate above theirs has ended: download acp_prod_root.cer and acp_prod_middle.cer",
}


def check_pos(desk: Desk, partners: Partners) -> None:
    if not partners.pos:
        return
    with reached(desk, provider="unionpay", base_url=desk.settings.unionpay_url, setting="CANBAO_UNIONPAY_URL") as line:
        is_there = line is not None
    for code, pos in partners.pos.items():
        at = f"pos.{code}"
        ours = desk.private_key(f"{at}.private_key_file", pos.private_key_file)
        are_valid = [
            _holds(desk, f"{at}.{name}", getattr(pos, name)) for name in ("root_certificate_file", "middle_certificate_file")
        ]
        one = partners.model_copy(update={"pos": {code: pos}})
        if ours is None or not all(are_valid):
            continue
        way = desk.load(at, lambda one=one: build_pos(desk.settings, one, clock=desk.clock))  # type: ignore[misc]
        if way is None:
            continue
        if not is_there:
            desk.report.good(at, "the middle certificate is issued by the root")
            continue
        try:
            told = way[code].ask(impossible_number(desk.clock.now()))
        except ProviderError as trouble:
            desk.report.bad(
                at,
                f"UnionPay refuses us ({trouble})",
                POS_REFUSALS.get(str(trouble), "look the code up in UnionPay's documents"),
            )
        else:
            if told.kind is NewsKind.NOT_FOUND:
                desk.report.good(at, f"UnionPay takes the signature of {pos.merchant}, and its own leads to the pinned root")
            else:
                desk.report.bad(at, "UnionPay knows a payment that cannot exist", "check CANBAO_UNIONPAY_URL")


def _holds(desk: Desk, what: str, name: str) -> bool:
    """Whether one of UnionPay's certificates is there and in force."""
    found = desk.load(what, lambda: load_certificate(desk.settings.secrets_dir / name))
    return found is not None and desk.report.days_left(
        what,
        begins_at=found.not_valid_before_utc,
        ends_at=found.not_valid_after_utc,
        now=desk.clock.now(),
        mend="download it anew from UnionPay's merchant site",
    )


def check_banks(desk: Desk, partners: Partners) -> None:
    for code, link in partners.banks.items():
        one = partners.model_copy(update={"banks": {code: link}})
        built = desk.load(f"banks.{code}", lambda one=one: build_banks(desk.settings, one))  # type: ignore[misc]
        if built is None:
            continue
        if not desk.calls:
            desk.report.good(f"banks.{code}", "its keys can be read" if link.sftp else "its files pass through a folder")
            continue
        try:
            waiting = len(built[0][code].arrived())
        except ProviderError as trouble:
            where = f"{link.sftp.host}:{link.sftp.port}" if link.sftp else "the folder"
            mend = (
                "ask the bank whether it let our key in, and whether host_key_files are its own"
                if link.sftp
                else "make the folder ours to write"
            )
            desk.report.bad(f"banks.{code}", f"{where} cannot be used ({trouble})", mend)
        else:
            desk.report.good(f"banks.{code}", f"reached; {waiting} files wait to be read")


def check_counters(desk: Desk, partners: Partners) -> None:
    """They call us, so nobody is asked: what they sign with is proven by their first request."""
    for code, counter in partners.counters.items():
        at = f"counters.{code}"
        desk.private_key(f"{at}.private_key_file", counter.private_key_file)
        for key_id, name in counter.partner_keys.items():
            what, file = f"{at}.partner_keys.{key_id}", desk.settings.secrets_dir / name
            found = desk.load(what, lambda file=file: load_public_key_or_certificate(file))  # type: ignore[misc]
            if found is not None and found.expires_at is not None:
                mend = "ask the bank for its next one, and name both until it has changed"
                desk.report.days_left(what, ends_at=found.expires_at, now=desk.clock.now(), mend=mend)
        one = partners.model_copy(update={"counters": {code: counter}})
        try:
            build_counters(desk.settings, one)
        except KeyFileError as fault:
            desk.report.bad(at, str(fault), "put the bank's public key there")
        else:
            desk.report.good(at, f"{len(counter.partner_keys)} keys of the bank can be read; its first request proves them")


def check_folders(desk: Desk, partners: Partners) -> None:
    """Folders that banks and authorities fill."""
    folders: dict[str, Path] = {f"statements.{account}": folder for account, folder in partners.statements.items()}
    if desk.settings.authority_files_dir is not None:
        folders["CANBAO_AUTHORITY_FILES_DIR"] = desk.settings.authority_files_dir
    for what, folder in folders.items():
        if not folder.is_dir():
            desk.report.bad(what, f"{folder} is no folder", "make it, or mount it")
        elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            desk.report.bad(what, f"{folder}: we may not read and write there", "give it to the user that runs Canbao")
        else:
            desk.report.good(what, "can be read and written")


def check_pictures(desk: Desk) -> None:
    """A probe is kept, read and removed; and the scanner is shown something clean."""
    try:
        store, scanner = build_document_store(desk.settings), build_scanner(desk.settings)
    except SettingsFault as fault:
        what, _, said = str(fault).partition(": ")
        desk.report.bad(what, said)
        return
    if not desk.calls:
        store.close()
        return
    name, probe = f"00/{uuid.uuid4()}", secrets.token_bytes(PROBE_BYTES)
    try:
        store.put(name, probe)
        is_same = store.fetch(name) == probe
        store.delete(name)
    except ProviderError as trouble:
        desk.report.bad(
            "CANBAO_DOCUMENTS_URL", f"pictures cannot be kept ({trouble})", "check the address, its keys and our rights there"
        )
    else:
        if is_same:
            desk.report.good("CANBAO_DOCUMENTS_URL", "keeps, gives back and forgets")
        else:
            desk.report.bad("CANBAO_DOCUMENTS_URL", "gives back something else than was put", "this store cannot be used")
    finally:
        store.close()
    if scanner is None:
        desk.report.note("CANBAO_CLAMD_ADDRESS", "unset: pictures come in unscanned")
        return
    try:
        found = scanner.scan(probe)
    except ProviderError as trouble:
        desk.report.bad("CANBAO_CLAMD_ADDRESS", f"no verdict ({trouble})", "start clamd; until then every upload is refused")
    else:
        if found is None:
            desk.report.good("CANBAO_CLAMD_ADDRESS", "scans")
        else:
            desk.report.bad("CANBAO_CLAMD_ADDRESS", f"calls 64 random bytes {found}", "mend its signatures")
