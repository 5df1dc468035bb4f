"""What stands on a receipt, in the manner of a bank's: who paid when and by which numbers, each month, the sum in figures and words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from config.clock import BEIJING
from models.bills import BillKind
from services.amount_words import in_figures, in_words
from services.application_fields import said
from services.form_layout import GRID, LABEL, Block, Cell, RowSpec
from services.receipt_standing import authority_of, channel_of, month_label, state_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from config.rulebook import Region
    from services.receipt_standing import PaidMonth, PaidOrder

LABEL_SHARE: Final = LABEL / GRID
MONEY: Final = "金额（元）"
COLUMNS: Final = (("费款所属期", 0.15), ("险种", 0.28), ("项目", 0.11), (MONEY, 0.16), ("状态", 0.30))
KINDS: Final = {BillKind.NORMAL: "月缴费", BillKind.SUPPLEMENT: "补差"}
NOT_POSTED: Final = (
    "支付成功不等于缴费成功：支付渠道收款以后为支付成功，税务机关入库以后为缴费成功，社保经办机构记账以后计入缴费记录。"
    "上列状态为生成本回单时的状态，现在的状态以核验结果为准。"
)
NO_CERTIFICATE: Final = "本回单不是税收完税证明，也不能代替。需要完税证明的，请在税务入库以后向征收机关开具。"
MASKED: Final = "为保护个人信息，姓名和证件号码只显示一部分，以订单编号和渠道交易单号核对。"
WENT_BACK: Final = "款项已退回付款人{fen}（人民币{words}）。"
VOID: Final = "款项已全部退回，本回单作废。"
SAMPLE: Final = "示例金额：费用标准未经当地确认，本回单仅供测试，不是缴费凭证。"


def blocks_of(region: Region | None, paid: PaidOrder) -> tuple[Block, ...]:
    """Everything that stands in the frame."""
    return (
        Block(title="付款信息", rows=tuple(_payment_rows(paid))),
        Block(title="参保信息", rows=tuple(_insured_rows(region, paid))),
        Block(title="缴费明细", rows=tuple(_month_rows(region, paid.months))),
        Block(title="合计", rows=tuple(_sum_rows(paid))),
        Block(title="说明", rows=(RowSpec(cells=(Cell(text="\n".join(_remarks(paid)), share=1.0),)),)),
    )


def _payment_rows(paid: PaidOrder) -> list[RowSpec]:
    paid_at = f"{paid.paid_at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"
    return [
        _row(("付款人", paid.payer_masked), ("支付渠道", channel_of(paid))),
        _row(("付款时间", f"{paid_at}（北京时间）")),
        _row(("渠道交易单号", paid.provider_payment_no or "—")),
        # Each number on a line of its own: 24 capitals are wider than half a row.
        _row(("订单编号", paid.order_no)),
        _row(("商户单号", paid.payment_no)),
    ]


def _insured_rows(region: Region | None, paid: PaidOrder) -> list[RowSpec]:
    return [
        _row(("参保人", paid.insured_masked), ("证件号码", paid.insured_number_masked)),
        _row(("参保地区", paid.region if region is None else region.name), ("征收机关", authority_of(region, paid))),
    ]


def _month_rows(region: Region | None, months: Sequence[PaidMonth]) -> list[RowSpec]:
    rows = [RowSpec(cells=tuple(Cell(text=text, share=share, is_label=True, is_centred=True) for text, share in COLUMNS))]
    for each in months:
        texts = (
            said(each.month),
            month_label(region, each),
            KINDS[BillKind(each.kind)],
            in_figures(each.amount_fen)[1:],
            state_of(each),
        )
        rows.append(
            RowSpec(
                cells=tuple(
                    Cell(text=text, share=share, is_centred=column != MONEY, is_right=column == MONEY)
                    for text, (column, share) in zip(texts, COLUMNS, strict=True)
                )
            )
        )
    return rows


def _sum_rows(paid: PaidOrder) -> list[RowSpec]:
    back = in_figures(paid.refunded_fen) if paid.refunded_fen else "无"
    return [
        _row(("金额（大写）", f"人民币{in_words(paid.total_fen)}")),
        _row(("金额（小写）", in_figures(paid.total_fen)), ("已退金额", back)),
    ]


def _remarks(paid: PaidOrder) -> list[str]:
    """What everybody has to know who is shown it, the most important first."""
    went_back = WENT_BACK.format(fen=in_figures(paid.refunded_fen), words=in_words(paid.refunded_fen))
    all_of_it = paid.refunded_fen >= paid.total_fen
    remarks = [
        *([SAMPLE] if paid.is_sample else []),
        *([went_back + (VOID if all_of_it else "")] if paid.refunded_fen else []),
        NO_CERTIFICATE,
        NOT_POSTED,
        MASKED,
    ]
    return [f"{number}. {remark}" for number, remark in enumerate(remarks, start=1)]


def _row(*pairs: tuple[str, str]) -> RowSpec:
    cells: list[Cell] = []
    for label, value in pairs:
        cells.append(Cell(text=label, share=LABEL_SHARE, is_label=True, is_centred=True))
        cells.append(Cell(text=value, share=1 / len(pairs) - LABEL_SHARE))
    return RowSpec(cells=tuple(cells))
