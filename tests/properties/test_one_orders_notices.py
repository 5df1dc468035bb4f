"""However one order's news arrives (in any order, twice, in any batches, or not at all until somebody asks), the books end the same."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.protocols import NewsKind, PaymentNews
from services.payments import ask_provider
from tests.factories import ALIPAY, WECHAT

_deliveries = itertools.count()


@dataclass(frozen=True)
class Story:
    """What really happened at the provider."""

    miniprogram: str
    paid: bool
    off_by_fen: int = 0
    refunds_fen: tuple[int, ...] = ()
    closed: bool = False
    """They sent a notice of closing too; after a payment it can only be a mistake of theirs."""
    finished: bool = False
    """Alipay's TRADE_FINISHED: the payment told again under another notice."""
    refund_failed: bool = False
    deliveries: tuple[tuple[int, bool], ...] = field(default=())
    """Which piece of news, and whether under a notification id of its own."""
    lost: frozenset[int] = frozenset()
    batches: tuple[bool, ...] = ()
    """After each delivery: whether settle runs."""

    def news_of(self, order, provider_no: str) -> list[PaymentNews]:
        paid_fen = order.total_fen + self.off_by_fen
        base = PaymentNews(
            notification_id="",
            kind=NewsKind.PAID,
            payment_no=order.payment_no,
            provider_payment_no=provider_no,
            amount_fen=paid_fen,
            happened_at=order.created_at,
        )
        told = []
        if self.paid:
            told += [base] * (2 if self.finished else 1)
            for at, refund_fen in enumerate(self.refunds_fen):
                told.append(self._refund(base, at, refund_fen))
            if self.refund_failed:
                told.append(replace(base, kind=NewsKind.REFUND_FAILED, refund_no="F", refund_fen=1))
        if self.closed:
            told.append(PaymentNews(notification_id="", kind=NewsKind.CLOSED, payment_no=order.payment_no))
        return [replace(news, notification_id=f"{provider_no}-{at}") for at, news in enumerate(told)]

    def _refund(self, base: PaymentNews, at: int, refund_fen: int) -> PaymentNews:
        if self.miniprogram == ALIPAY:
            total = sum(self.refunds_fen[: at + 1])
            return replace(base, kind=NewsKind.REFUNDED, refund_no=f"R{at}", refunded_total_fen=total)
        return replace(base, kind=NewsKind.REFUNDED, refund_no=f"R{at}", provider_refund_no=f"PR{at}", refund_fen=refund_fen)

    def answer(self, order, provider_no: str) -> PaymentNews:
        """What the provider says when asked: WeChat only that it was paid, Alipay a closed trade once all of it went back."""
        news = self.news_of(order, provider_no)
        if not self.paid:
            kind = NewsKind.CLOSED if self.closed else NewsKind.NOT_PAID
            told = PaymentNews(notification_id="", kind=kind, payment_no=order.payment_no)
        elif self.miniprogram == ALIPAY and sum(self.refunds_fen) == news[0].amount_fen:
            told = replace(news[0], kind=NewsKind.REFUNDED, refunded_total_fen=news[0].amount_fen, happened_at=None)
        else:
            told = news[0]
        return replace(told, notification_id=f"query:{order.payment_no}:{told.kind}:{told.provider_payment_no or ''}")

    def books(self, order, merchant: str) -> dict[str, object]:
        """What must stand at the end, reckoned from the story alone."""
        refunded = sum(self.refunds_fen)
        paid_fen = order.total_fen + self.off_by_fen
        clearing, unknown = f"clearing:{merchant}", f"unknown:{merchant}"
        if not self.paid:
            over = self.closed
            return {
                "payment": "CLOSED" if over else "OPEN",
                "order": "CLOSED" if over else "PREPAY",
                "bills": {"UNPAID" if over else "LOCKED"},
                "live_lines": 0 if over else len(order.lines),
                "records": 0,
                "refunded_fen": 0,
                "balances": {},
            }
        if self.off_by_fen:
            return {
                "payment": "SURPLUS",
                "order": "CLOSED",
                "bills": {"UNPAID"},
                "live_lines": 0,
                "records": 0,
                "refunded_fen": refunded,
                "balances": _without_zeros({clearing: paid_fen - refunded, f"surplus:{order.payment_no}": paid_fen - refunded}),
            }
        owed = {"contributions:tax-320400:110": 0, "contributions:tax-320400:310": 0}
        for line in order.lines:
            owed[f"contributions:tax-320400:{line.insurance_type}"] += line.amount_fen
        return {
            "payment": "SUCCEEDED",
            "order": "PAID",
            "bills": {"PAID"},
            "live_lines": len(order.lines),
            "records": order.total_fen,
            "refunded_fen": refunded,
            "balances": _without_zeros({clearing: paid_fen - refunded, unknown: -refunded, **owed}),
        }


def _without_zeros(balances: dict[str, int]) -> dict[str, int]:
    return {account: fen for account, fen in balances.items() if fen}


@st.composite
def stories(draw) -> Story:
    miniprogram = draw(st.sampled_from([WECHAT, ALIPAY]))
    paid = draw(st.booleans() | st.just(True))
    shares = draw(st.lists(st.sampled_from([1, 100, 25_000, 70_000, 210_000]), max_size=3)) if paid else []
    off_by = draw(st.sampled_from([0, 0, 0, 1, -1])) if paid else 0
    refunds = []
    if draw(st.booleans()) and paid and draw(st.booleans()):
        refunds = [-1]  # all of it: filled in when the order is known
    elif shares:
        refunds = list(itertools.takewhile(lambda _: True, shares))[:2]
    finished = paid and miniprogram == ALIPAY and draw(st.booleans())
    closed = draw(st.booleans()) if not paid else draw(st.sampled_from([False, False, True]))
    failed = paid and miniprogram == WECHAT and draw(st.booleans())
    count = (paid + finished + len(refunds) + failed) + closed
    told = draw(st.permutations(range(count)))
    again = draw(st.lists(st.sampled_from(range(count)), max_size=4)) if count else []
    order = draw(st.permutations([*told, *again])) if count else []
    return Story(
        miniprogram=miniprogram,
        paid=paid,
        off_by_fen=off_by,
        refunds_fen=tuple(refunds),
        closed=closed,
        finished=finished,
        refund_failed=failed,
        deliveries=tuple((which, draw(st.booleans())) for which in order),
        lost=draw(st.frozensets(st.sampled_from(range(count)))) if count else frozenset(),
        batches=tuple(draw(st.booleans()) for _ in order),
    )


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_any_order_duplication_loss_and_batching_of_news_ends_in_the_same_books(ports, world):
    # Inside, so that a failing example shows its story and not the whole house.
    @settings(max_examples=settings().max_examples * 60 // 100)
    @given(story=stories())
    def books_end_as_the_story_says(story: Story) -> None:
        tell(ports, world, story)

    books_end_as_the_story_says()


def tell(ports, world, story: Story) -> None:
    person = world.person()
    bills = [
        *world.bills(world.enrollment(person)),
        *world.bills(world.enrollment(person, insurance_type="310")),
    ]
    account = world.account(person, miniprogram=story.miniprogram)
    order = world.order_for(account, world.me_in_list(account), bills)
    if -1 in story.refunds_fen:
        story = replace(story, refunds_fen=(order.total_fen + story.off_by_fen,))
    provider_no = f"P{next(_deliveries)}"
    news = story.news_of(order, provider_no)

    for (which, own_id), settle_now in zip(story.deliveries, story.batches, strict=True):
        if which not in story.lost:
            told = replace(news[which], notification_id=f"again-{next(_deliveries)}") if own_id else news[which]
            world.hear(told, miniprogram=story.miniprogram)
        if settle_now:
            world.settle()
    ports.payments[story.miniprogram].news[order.payment_no] = story.answer(order, provider_no)
    ask_provider(ports, order.payment_no)
    # Nobody asks about what is over. What was lost then (a refund, or money after a mistaken closing) stands in the daily bill.
    for at in story.lost:
        if news[at].kind is NewsKind.REFUNDED or (news[at].kind is NewsKind.PAID and story.closed):
            world.hear(replace(news[at], notification_id=f"bill:{provider_no}:{at}"), miniprogram=story.miniprogram)
    world.settle()

    assert books_of(world, order) == story.books(order, _merchant(ports, story.miniprogram))
    assert world.scalar("SELECT count(*) FROM notices WHERE state = 'WAITING'") == 0


def _merchant(ports, miniprogram: str) -> str:
    provider = ports.payments[miniprogram]
    return f"{provider.channel}:{provider.merchant}"


def books_of(world, order) -> dict[str, object]:
    payment = world.read_payment(order.payment_no)
    sides = world.rows(
        "SELECT account, sum(fen)::bigint FROM ("
        " SELECT debit_account AS account, CASE WHEN debit_account LIKE 'clearing:%' THEN amount_fen ELSE -amount_fen END AS fen"
        " FROM transfers WHERE payment_id = :id"
        " UNION ALL SELECT credit_account, CASE WHEN credit_account LIKE 'clearing:%' THEN -amount_fen ELSE amount_fen END"
        " FROM transfers WHERE payment_id = :id) AS sides GROUP BY account",
        id=payment.id,
    )
    return {
        "payment": payment.state,
        "order": world.read_order_row(order.order_no).state,
        "bills": {
            state
            for (state,) in world.rows(
                "SELECT b.state FROM contribution_bills b WHERE b.bill_no = ANY(:nos)",
                nos=[line.bill_no for line in order.lines],
            )
        },
        "live_lines": world.scalar(
            "SELECT count(*) FROM payment_order_lines WHERE order_id = :id AND live", id=payment.order_id
        ),
        "records": world.scalar(
            "SELECT coalesce(sum(amount_fen), 0)::bigint FROM contribution_records WHERE payment_id = :id", id=payment.id
        ),
        "refunded_fen": payment.refunded_fen,
        "balances": {account: fen for account, fen in sides if fen},
    }
