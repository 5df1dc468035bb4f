"""What in an exchange with a bank made no sense: kept as rows that a person has to look at, and resolved by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from models.debits import BankFileFault, FaultKind
from services.debit_errors import BankFaultDealtWith
from services.errors import NotFound
from services.staff_words import staff_words

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.ports import Ports

NEXT_STEPS: Final = {
    FaultKind.FILE_DAMAGED: "整个文件未采用：请银行核对后以同名文件重新回盘",
    FaultKind.BATCH_UNKNOWN: "本系统没有报送过该批次，整个文件未采用：与银行核实",
    FaultKind.LINE_UNKNOWN: "本系统没有报送过该笔，未入账：与银行核实是否扣了款，扣了的请银行退回",
    FaultKind.LINE_TWICE: "同一笔有两条结果，只采用第一条：与银行核实是否重复扣款，重复的请银行退回",
    FaultKind.OTHER_PAYMENT: "该笔的缴费单号与报送的不同，未采用：与银行核实是哪一批的结果",
    FaultKind.OTHER_AMOUNT: "失败结果的金额与报送的不同，未采用：与银行核实",
    FaultKind.CODE_UNKNOWN: "银行的结果代码不在对照表内，该笔仍在途：与银行核实，补充对照表后请银行重新回盘",
    FaultKind.CONTRADICTION: "该笔已按成功入账，银行又说失败：与银行核实，账目以已扣款为准",
    FaultKind.NOT_TAKEN: "到时银行仍未取走报盘文件：与银行联系",
    FaultKind.NO_ANSWER: "多次查询仍无结果，该批次仍在途，不可重新报送：与银行联系",
}
"""Kind → what a person does about it."""


@dataclass(frozen=True, kw_only=True)
class OpenFault:
    id: int
    way: str
    file_name: str
    kind: str
    line: int
    what: str
    seq: int | None
    amount_fen: int | None
    first_seen_at: datetime
    next_step: str


def note_fault(
    session: Session,
    *,
    way: str,
    file_name: str,
    kind: FaultKind,
    at: datetime,
    digest: bytes = b"",
    line: int = 0,
    what: str = "",
    batch_id: int | None = None,
    seq: int | None = None,
    amount_fen: int | None = None,
) -> None:
    """Keep it; the same again changes nothing."""
    session.execute(
        insert(BankFileFault)
        .values(
            way=way,
            file_name=file_name,
            digest=digest,
            kind=kind,
            line=line,
            what=what,
            batch_id=batch_id,
            seq=seq,
            amount_fen=amount_fen,
            first_seen_at=at,
        )
        .on_conflict_do_nothing()
    )


def open_faults(session: Session, *, limit: int = 200) -> list[OpenFault]:
    """What nobody has resolved, the oldest first."""
    rows = session.scalars(
        select(BankFileFault).where(BankFileFault.resolved_at.is_(None)).order_by(BankFileFault.id).limit(limit)
    )
    return [
        OpenFault(
            id=row.id,
            way=row.way,
            file_name=row.file_name,
            kind=row.kind,
            line=row.line,
            what=row.what,
            seq=row.seq,
            amount_fen=row.amount_fen,
            first_seen_at=row.first_seen_at,
            next_step=NEXT_STEPS[FaultKind(row.kind)],
        )
        for row in rows
    ]


def resolve_fault(ports: Ports, *, fault_id: int, words: str, who: str) -> None:
    """A person has dealt with it, and says how. Raises NotFound, BankFaultDealtWith, and what `staff_words` refuses."""
    said = staff_words(words)
    with ports.begin() as session:
        fault = session.scalar(select(BankFileFault).where(BankFileFault.id == fault_id).with_for_update())
        if fault is None:
            raise NotFound
        if fault.resolved_at is not None:
            raise BankFaultDealtWith
        fault.resolve(words=said, who=who, at=ports.now())
