"""WeChat Pay's bills as rows: a header, backticked details, a header of sums, and the sums.

No quoting: every value has a backtick before it, and `,`` is what parts them, so that a product's name may hold commas.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from providers.bills import (
    UNITS_A_PIECE,
    BillDamaged,
    BillRow,
    BillRowKind,
    Columns,
    fen_of,
    lines,
    moment_of,
    nearest_fen,
    units_of,
    word_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from typing import BinaryIO

BYTE_ORDER_MARK = "\ufeff"
NOTHING = frozenset({"", "0"})
"""What stands in a column of refunds where there was none."""
TRADE_COUNT = "总交易单数"
TRADE_SUMS = {
    "应结订单总金额": "应结订单金额",
    "退款总金额": "退款金额",
    "充值券退款总金额": "充值券退款金额",
    "手续费总金额": "手续费",
    "订单总金额": "订单金额",
    "申请退款总金额": "申请退款金额",
    # Merchants of old, whose bills keep their names.
    "总交易额": "总金额",
    "总金额": "总金额",
    "总退款金额": "退款金额",
    "总企业红包退款金额": "企业红包退款金额",
    "企业红包退款总金额": "企业红包退款金额",
}
"""A sum → the column that it sums up."""
FLOW_COUNT, INCOME, INCOMES, OUTGO, OUTGOES = "资金流水总笔数", "收入金额", "收入笔数", "支出金额", "支出笔数"
KINDS = {"SUCCESS": BillRowKind.TRADE, "REFUND": BillRowKind.REFUND, "REVOKED": BillRowKind.REFUND}
"""交易状态. REVOKED: paid, and then given back by revoking it."""

DONE = frozenset({"SUCCESS", "REVOKED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowRow:
    """One movement on the merchant's own account: where the money itself went, fees and withdrawals among it."""

    line: int
    at: datetime
    provider_no: str
    """Their number of what moved it: a payment's, a refund's, a withdrawal's."""
    flow_no: str
    business: str
    """Their word for it (业务类型)."""
    amount_fen: int
    """Above zero: it came in."""
    balance_fen: int
    our_no: str | None
    """Our number of it (业务凭证号), where it has one."""


class _Table:
    """The lines of one file, cut; `rows` ends only after the row of sums."""

    def __init__(self, file: BinaryIO) -> None:
        self._lines = lines(file, encoding="utf-8")
        line, head = next(self._lines, (1, ""))
        self.columns = Columns(line, head.removeprefix(BYTE_ORDER_MARK).split(","))
        self._sums_line, self._sums = 0, dict[str, str]()

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        size, line = len(self.columns.names), 1
        for line, text in self._lines:
            if not text.startswith("`"):
                self._read_sums(line, text)
                return
            cells = _cut(text)
            if len(cells) != size:
                raise BillDamaged(line, "not as many values as columns")
            yield line, cells
        raise BillDamaged(line + 1, "ends without its sums")

    def _read_sums(self, line: int, text: str) -> None:
        names = Columns(line, text.split(",")).names
        self._sums_line, told = next(self._lines, (line + 1, ""))
        cells = _cut(told) if told.startswith("`") else []
        if len(cells) != len(names):
            raise BillDamaged(self._sums_line, "not as many sums as names")
        self._sums = dict(zip(names, cells, strict=True))
        for after, more in self._lines:
            if more.strip():
                raise BillDamaged(after, "goes on after its sums")

    def must_agree(self, counted: Counter[str], *, count: str) -> None:
        """Raises BillDamaged unless their count and every sum of theirs that we took too is ours."""
        if count not in self._sums:
            raise BillDamaged(self._sums_line, f"no {count}")
        for name, told in self._sums.items():
            if name in counted and units_of(self._sums_line, name, told) != counted[name]:
                raise BillDamaged(self._sums_line, name)


def trade_rows(file: BinaryIO, *, merchant: str) -> Iterator[BillRow]:
    """The rows of an unpacked trade bill, of type ALL, SUCCESS or REFUND. Raises BillDamaged, also after the last row."""
    table = _Table(file)
    columns = table.columns
    at, state, fee = columns.must_find("交易时间"), columns.must_find("交易状态"), columns.must_find("手续费")
    begun_at = columns.find("退款申请时间")
    whose, theirs, ours = columns.must_find("商户号"), columns.must_find("微信订单号"), columns.must_find("商户订单号")
    amount = columns.must_find("订单金额", "总金额", "应结订单金额")
    currency, refund_state = columns.find("货币种类"), columns.find("退款状态")
    refund, refund_no, their_refund_no = (
        columns.find("申请退款金额", "退款金额"),
        columns.find("商户退款单号"),
        columns.find("微信退款单号"),
    )
    sums = [(name, where) for name, column in TRADE_SUMS.items() if (where := columns.find(column)) is not None]
    counted = Counter({TRADE_COUNT: 0} | {name: 0 for name, _ in sums})
    for line, cells in table.rows():
        counted[TRADE_COUNT] += UNITS_A_PIECE
        for name, where in sums:
            counted[name] += units_of(line, columns.names[where], cells[where])
        if cells[whose] != merchant:
            raise BillDamaged(line, "商户号")
        kind = KINDS.get(cells[state])
        if kind is None:
            raise BillDamaged(line, "交易状态")
        is_refund = kind is BillRowKind.REFUND
        if is_refund and refund is None:
            raise BillDamaged(line, "a refund in a bill without 退款金额")
        told = refund if is_refund and refund is not None else amount
        amount_fen = fen_of(line, columns.names[told], cells[told])
        if amount_fen < 0:
            raise BillDamaged(line, columns.names[told])
        when = begun_at if is_refund and begun_at is not None and cells[begun_at] else at
        word = refund_state if is_refund and refund_state is not None and cells[refund_state] not in NOTHING else state
        yield BillRow(
            line=line,
            kind=kind,
            payment_no=word_of(line, "商户订单号", cells[ours]),
            provider_payment_no=word_of(line, "微信订单号", cells[theirs]),
            amount_fen=-amount_fen if is_refund else amount_fen,
            currency="CNY" if currency is None else word_of(line, "货币种类", cells[currency]),
            state=word_of(line, columns.names[word], cells[word]),
            at=moment_of(line, columns.names[when], cells[when]),
            fee_fen=nearest_fen(units_of(line, "手续费", cells[fee])),
            is_done=not is_refund or cells[word] in DONE,
            refund_no=_number(line, "商户退款单号", cells, refund_no) if is_refund else None,
            provider_refund_no=_number(line, "微信退款单号", cells, their_refund_no) if is_refund else None,
        )
    table.must_agree(counted, count=TRADE_COUNT)


def flow_rows(file: BinaryIO) -> Iterator[FlowRow]:
    """The rows of an unpacked fund-flow bill. Raises BillDamaged, also after the last row."""
    table = _Table(file)
    columns = table.columns
    at, theirs, number = columns.must_find("记账时间"), columns.must_find("微信支付业务单号"), columns.must_find("资金流水单号")
    business, direction = columns.must_find("业务类型"), columns.must_find("收支类型")
    amount, balance = columns.must_find("收支金额(元)"), columns.must_find("账户结余(元)")
    ours = columns.find("业务凭证号")
    counted = Counter({FLOW_COUNT: 0, INCOME: 0, INCOMES: 0, OUTGO: 0, OUTGOES: 0})
    for line, cells in table.rows():
        if cells[direction] not in {"收入", "支出"}:
            raise BillDamaged(line, "收支类型")
        came = cells[direction] == "收入"
        units = units_of(line, "收支金额(元)", cells[amount])
        if units < 0:
            raise BillDamaged(line, "收支金额(元)")
        counted.update({
            FLOW_COUNT: UNITS_A_PIECE, INCOMES if came else OUTGOES: UNITS_A_PIECE, INCOME if came else OUTGO: units
        })  # fmt: skip
        amount_fen = fen_of(line, "收支金额(元)", cells[amount])
        yield FlowRow(
            line=line,
            at=moment_of(line, "记账时间", cells[at]),
            provider_no=word_of(line, "微信支付业务单号", cells[theirs]),
            flow_no=word_of(line, "资金流水单号", cells[number]),
            business=word_of(line, "业务类型", cells[business]),
            amount_fen=amount_fen if came else -amount_fen,
            balance_fen=fen_of(line, "账户结余(元)", cells[balance]),
            our_no=_number(line, "业务凭证号", cells, ours),
        )
    table.must_agree(counted, count=FLOW_COUNT)


def _cut(text: str) -> list[str]:
    return [value.strip() for value in text[1:].split(",`")]


def _number(line: int, what: str, cells: list[str], where: int | None) -> str | None:
    return None if where is None or cells[where] in NOTHING else word_of(line, what, cells[where])
