"""Debit batches: what each bank was told to debit, line by line, what it said, and what in its files waits for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import request

from console import money_words as told
from console.csv_files import csv_file, figure
from console.money import asked, asked_id
from console.pages import ACCOUNTANTS, field, go, me, page, ports, show, show_again
from models.debits import InstructionState
from services import debit_batches, debit_faults
from services.errors import BusinessError
from services.money_scope import ways_within
from services.staff import EVERYWHERE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Response

    from services.ports import Ports
    from services.staff import Scope, StaffView

BATCH: Final = "/debits/<int(max=999999999999999999):batch_id>"
FAULT: Final = "/debits/faults/<int(max=999999999999999999):fault_id>"
SECTION: Final = "list_batches"
DONE: Final = {"resolved": "已登记处理结果。"}
COLUMNS: Final = ("序号", "状态", "结果", "银行代码", "金额（元）", "商户单号", "协议编号", "银行卡", "银行流水号", "记账日期")
AT_ONCE: Final = 500


def scope_of_batch(ports: Ports, *, batch_id: int) -> Scope:
    """Raises NotFound."""
    with ports.begin() as session:
        way = debit_batches.way_of_batch(session, batch_id=batch_id)
    return _scope_of_way(ports, way)


def scope_of_fault(ports: Ports, *, fault_id: int) -> Scope:
    """Raises NotFound."""
    with ports.begin() as session:
        way = debit_batches.read_fault(session, fault_id=fault_id).way
    return _scope_of_way(ports, way)


def _scope_of_way(ports: Ports, way: str) -> Scope:
    ways = ways_within(ports, me().scope)
    return me().scope if ways is None or way in ways else EVERYWHERE


def waiting(ports: Ports, staff: StaffView) -> int:
    with ports.begin() as session:
        return debit_batches.count_faults(session, ways=ways_within(ports, staff.scope))


@page("/debits", roles=ACCOUNTANTS, nav="扣款批次", waiting=waiting)
def list_batches() -> str:
    ways, is_open = ways_within(ports(), me().scope), asked("part") == "open"
    with ports().begin() as session:
        faults, more_faults = debit_batches.list_faults(session, ways=ways, after=asked_id("after"))
        rows, onward = debit_batches.list_batches(session, ways=ways, is_open=is_open, before=asked_id("before"))
    return show(
        "debits.html",
        rows=rows,
        onward=onward,
        is_later_page="before" in request.args,
        faults=faults,
        more_faults=more_faults,
        is_later_fault="after" in request.args,
        part="open" if is_open else "",
        told=told,
        done=DONE.get(asked("done")),
    )


@page(BATCH, roles=ACCOUNTANTS, scope=scope_of_batch, section=SECTION)
def read_batch(batch_id: int) -> str:
    state = _state()
    with ports().begin() as session:
        batch = debit_batches.read_batch(session, batch_id=batch_id)
        lines, onward = debit_batches.list_lines(session, batch_id=batch_id, state=state, after=asked_id("after") or 0)
    later = "after" in request.args
    return show("debit_batch.html", batch=batch, lines=lines, onward=onward, state=state or "", is_later_page=later, told=told)


@page(f"{BATCH}/export", roles=ACCOUNTANTS, scope=scope_of_batch, section=SECTION)
def export_batch(batch_id: int) -> Response:
    with ports().begin() as session:
        batch = debit_batches.read_batch(session, batch_id=batch_id)
    name = f"扣款批次-{batch.way}-{batch.run_day}-{batch.number}"
    remark = told.of(told.BATCHES, batch.state)
    return csv_file(name, columns=COLUMNS, rows=_rows(ports(), batch_id, _state()), remark=remark)


@page(FAULT, roles=ACCOUNTANTS, scope=scope_of_fault, section=SECTION)
def read_fault(fault_id: int) -> str:
    return show("debit_fault.html", **_shown(fault_id))


@page(f"{FAULT}/resolution", roles=ACCOUNTANTS, methods=("POST",), scope=scope_of_fault, section=SECTION)
def resolve_fault(fault_id: int) -> Any:
    try:
        debit_faults.resolve_fault(ports(), fault_id=fault_id, words=field("words"), who=me().who)
    except BusinessError as fault:
        return show_again("debit_fault.html", fault, **_shown(fault_id, words=field("words")))
    return go("list_batches", done="resolved")


def _shown(fault_id: int, *, words: str = "") -> dict[str, Any]:
    with ports().begin() as session:
        return {"seen": debit_batches.read_fault(session, fault_id=fault_id), "words_given": words, "told": told}


def _state() -> str | None:
    return asked("state") if asked("state") in set(InstructionState) else None


def _rows(ports: Ports, batch_id: int, state: str | None) -> Iterator[tuple[Any, ...]]:
    after: int | None = 0
    while after is not None:
        with ports.begin() as session:
            lines, after = debit_batches.list_lines(session, batch_id=batch_id, state=state, after=after, limit=AT_ONCE)
        for line in lines:
            yield (
                line.seq, told.of(told.DEBITS, line.state), told.of(told.RESULTS, line.result) if line.result else "",
                line.bank_code, figure(line.amount_fen), line.payment_no, line.agreement_no, line.card_masked, line.bank_serial,
                line.booked_on,
            )  # fmt: skip
