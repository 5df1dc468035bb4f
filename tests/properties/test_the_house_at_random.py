"""The house at random: people, providers, clocks, sweeps and feeds interleave as they like, and what must be true stays true.

After each step the whole database is held against the invariants of domain §8.5; at the end the inbox is drained, everything
lapses, the daily bill tells what was lost, and then we hold to the fen what the provider holds for us.
"""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import text

from config.months import YearMonth
from models.base import IllegalMove
from models.bills import ContributionBill
from models.enrollments import Enrollment
from models.identity import FaceCheck, IdentityVerification
from models.orders import PaymentOrder
from models.payments import Payment
from models.refunds import Refund, RefundReason
from providers.protocols import NewsKind, PaymentNews, ProviderRefused, ProviderUnreachable
from services import assessment, journal, orders
from services.enrollment_feed import import_enrollments
from services.errors import BusinessError
from services.payments import ask_about_silence, close_stale
from services.refund_sending import return_surplus, send_refunds
from services.refunds import RefundWish, apply_for_refund, decide_refund
from services.settlement import settle
from tests.conftest import MovableClock, fresh_database, ports_to
from tests.factories import ALIPAY, WECHAT, World, an_id_number

if TYPE_CHECKING:
    from pathlib import Path

PEOPLE = 3
EXPECTED_REFUSALS = {
    "BILL_RESERVED",
    "BILL_NOT_PAYABLE",
    "TOO_MANY_OPEN_ORDERS",
    "REQUEST_IN_FLIGHT",
    "IDEMPOTENCY_KEY_REUSED",
    "NOT_AVAILABLE_ONLINE",
    "NOT_FOUND",
    "ORDER_CANNOT_BE_CANCELLED",
    "PAYMENT_REFUSED",
    "REFUND_UNDER_WAY",
    "REFUND_TOO_LARGE",
}
MAPS = {
    model.MOVES.noun: model.MOVES
    for model in (Enrollment, ContributionBill, PaymentOrder, Payment, Refund, IdentityVerification, FaceCheck)
}

NEVER = {
    "an order's lines, its total and its payment's amount are one sum": """
        SELECT o.order_no, o.total_fen, p.amount_fen, sum(l.amount_fen) FROM payment_orders o JOIN payments p ON p.order_id = o.id
        JOIN payment_order_lines l ON l.order_id = o.id GROUP BY o.id, p.id
        HAVING sum(l.amount_fen) <> o.total_fen OR o.total_fen <> p.amount_fen""",
    "every order has one payment": """
        SELECT o.order_no FROM payment_orders o LEFT JOIN payments p ON p.order_id = o.id GROUP BY o.id HAVING count(p.id) <> 1""",
    "a line costs what its bill costs, and all its bills are one person's and one authority's": """
        SELECT o.order_no FROM payment_orders o JOIN payment_order_lines l ON l.order_id = o.id JOIN contribution_bills b ON b.id = l.bill_id
        JOIN enrollments e ON e.id = b.enrollment_id
        WHERE l.amount_fen <> b.amount_fen OR e.person_id <> o.person_id OR b.authority <> o.authority""",
    "one live bill a month, insurance, kind and person": """
        SELECT e.person_id, b.insurance_type, b.coverage_month, b.kind FROM contribution_bills b JOIN enrollments e ON e.id = b.enrollment_id
        WHERE b.state <> 'VOID' GROUP BY 1, 2, 3, 4 HAVING count(*) > 1""",
    "no unpaid bill outside its enrolment, no late fee, parts that sum": """
        SELECT b.id FROM contribution_bills b JOIN enrollments e ON e.id = b.enrollment_id
        WHERE b.late_fee_fen <> 0 OR b.account_part_fen + b.pooling_part_fen <> b.amount_fen
           OR (b.state = 'UNPAID' AND e.updated_at > b.issued_at AND (b.coverage_month < e.start_month OR b.coverage_month >= e.end_month)
               AND NOT EXISTS (SELECT 1 FROM payment_order_lines l WHERE l.bill_id = b.id))""",
    "a bill is in one live order at most": """
        SELECT bill_id FROM payment_order_lines WHERE live GROUP BY bill_id HAVING count(*) > 1""",
    "a bill is LOCKED exactly while a live order holds it": """
        SELECT b.id, b.state FROM contribution_bills b WHERE (b.state = 'LOCKED') <> EXISTS (
            SELECT 1 FROM payment_order_lines l JOIN payment_orders o ON o.id = l.order_id
            WHERE l.bill_id = b.id AND l.live AND o.state IN ('CREATED', 'PREPAY', 'UNKNOWN'))""",
    "a bill is PAID exactly when a live record says so, by a payment that succeeded, to the fen": """
        SELECT b.id, b.state FROM contribution_bills b WHERE (b.state IN ('PAID', 'REFUNDING')) <> EXISTS (
            SELECT 1 FROM contribution_records r JOIN payments p ON p.id = r.payment_id
            WHERE r.bill_id = b.id AND r.state = 'PAID' AND p.state = 'SUCCEEDED' AND r.amount_fen = b.amount_fen)""",
    "a record moved its money once, and nothing unpaid did": """
        SELECT b.id FROM contribution_bills b LEFT JOIN transfers t ON t.bill_id = b.id AND t.kind = 'SETTLED' GROUP BY b.id
        HAVING count(t.id) <> (EXISTS (SELECT 1 FROM contribution_records r WHERE r.bill_id = b.id))::int
            OR sum(t.amount_fen) <> b.amount_fen""",
    "a refund is what its lines say, and a month is in one that lives": """
        SELECT r.refund_no FROM refunds r JOIN refund_lines l ON l.refund_id = r.id GROUP BY r.id HAVING sum(l.amount_fen) <> r.amount_fen
        UNION ALL SELECT b.bill_no FROM contribution_bills b WHERE (b.state = 'REFUNDING') <> EXISTS (
            SELECT 1 FROM refund_lines l JOIN refunds r ON r.id = l.refund_id
            WHERE l.bill_id = b.id AND r.state IN ('APPROVED', 'SENT', 'ABNORMAL'))""",
    "what is on its way back stands under its number until it arrives or fails": """
        SELECT r.refund_no FROM refunds r LEFT JOIN transfers t ON 'refunding:' || r.refund_no IN (t.debit_account, t.credit_account)
        WHERE r.origin = 'ORDERED' GROUP BY r.id
        HAVING coalesce(sum(CASE WHEN t.credit_account LIKE 'refunding:%' THEN t.amount_fen ELSE -t.amount_fen END), 0)
            <> CASE WHEN r.state IN ('APPROVED', 'SENT', 'ABNORMAL') THEN r.amount_fen ELSE 0 END""",
    "nobody gets back more than they paid by what we ordered": """
        SELECT p.payment_no FROM payments p JOIN refunds r ON r.payment_id = p.id AND r.origin = 'ORDERED' AND r.state = 'REFUNDED'
        GROUP BY p.id HAVING sum(r.amount_fen) > (SELECT sum(t.amount_fen) FROM transfers t
            WHERE t.payment_id = p.id AND t.kind IN ('SETTLED', 'SURPLUS', 'UNCLAIMED'))""",
    "a closed order holds nothing, a paid one all its months": """
        SELECT o.order_no FROM payment_orders o JOIN payment_order_lines l ON l.order_id = o.id
        WHERE (o.state = 'CLOSED' AND l.live) OR (o.state <> 'CLOSED' AND NOT l.live)""",
    "an order and its payment tell one story": """
        SELECT o.state, p.state FROM payment_orders o JOIN payments p ON p.order_id = o.id WHERE (o.state, p.state) NOT IN (
            ('CREATED', 'CREATED'), ('UNKNOWN', 'CREATED'), ('PREPAY', 'OPEN'), ('PAID', 'SUCCEEDED'), ('CLOSED', 'CLOSED'), ('CLOSED', 'SURPLUS'))""",
    "money that came has a number of theirs and a time, money that did not has neither": """
        SELECT payment_no, state FROM payments
        WHERE (state IN ('SUCCEEDED', 'SURPLUS', 'UNCLAIMED')) <> (provider_payment_no IS NOT NULL AND paid_at IS NOT NULL)""",
    "what is over is not asked about, and what lives will be": """
        SELECT payment_no, state FROM payments WHERE (state IN ('CREATED', 'OPEN')) <> (next_ask_at IS NOT NULL)""",
    "what went back is what the refunds and the journal say": """
        SELECT p.payment_no FROM payments p WHERE p.refunded_fen <> (
               SELECT coalesce(sum(amount_fen), 0) FROM refunds r WHERE r.payment_id = p.id AND r.state = 'REFUNDED')
           OR p.refunded_fen <> (SELECT coalesce(sum(amount_fen), 0) FROM transfers t
               WHERE t.payment_id = p.id AND t.kind IN ('REFUND_SEEN', 'REFUNDED'))""",
    "a stranger has three live orders at most": """
        SELECT payer_account_id FROM payment_orders WHERE is_strangers AND state IN ('CREATED', 'PREPAY', 'UNKNOWN')
        GROUP BY payer_account_id HAVING count(*) > 3""",
    "every settled or parked notice has an outcome": """
        SELECT id FROM notices WHERE (state = 'WAITING') <> (outcome IS NULL) OR outcome = 'CONFLICT'""",
    "what was told to a payer happened to their order": """
        SELECT m.id FROM messages m LEFT JOIN payment_orders o ON o.order_no = m.facts->>'order_no'
        WHERE m.template <> 'payment.made_twice' AND (o.payer_account_id IS DISTINCT FROM m.account_id
            OR o.state <> CASE m.template WHEN 'payment.succeeded' THEN 'PAID' WHEN 'payment.surplus' THEN 'CLOSED' ELSE o.state END)""",
}
"""Each query finds what must not be."""

STATES_NOW = text("""
    SELECT 'contribution_bill' AS noun, id::text AS row_id, state FROM contribution_bills
    UNION ALL SELECT 'payment_order', id::text, state FROM payment_orders
    UNION ALL SELECT 'payment', id::text, state FROM payments WHERE origin = 'ORDER'
    UNION ALL SELECT 'refund', id::text, state FROM refunds WHERE origin = 'ORDERED'
    UNION ALL SELECT 'enrollment', id::text, state FROM enrollments
""")
BORN = {
    "contribution_bill": "UNPAID",
    "payment_order": "CREATED",
    "payment": "CREATED",
    "enrollment": "ACTIVE",
    "refund": "APPLIED",
}


class House(RuleBasedStateMachine):
    """Three insured people who also pay for each other, on WeChat and on Alipay."""

    make_ports = None
    feed_folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.clock = MovableClock()
        self.ports = self.stack.enter_context(type(self).make_ports(self.clock))
        self.world = World(self.ports)
        self.count = itertools.count(1)
        self.placed: list[tuple[object, str, str, str]] = []
        """(account, order_no, payment_no, miniprogram) of every order."""
        self.outbox: list[tuple[str, PaymentNews]] = []
        """Everything the provider ever had to tell, delivered or not."""
        self.taken: dict[tuple[str, str], int] = {}
        self.returned: dict[tuple[str, str], int] = {}
        """(mini-program, their number) → fen: the provider's own books."""
        self.heard: list[tuple[str, PaymentNews]] = []

    def teardown(self) -> None:
        self.stack.close()

    @initialize()
    def people_are_enrolled(self) -> None:
        self.people, self.wishes = [], []
        for at in range(PEOPLE):
            number = an_id_number(at + 1)
            person = self.world.person(name="张三", id_number=number)
            for insurance in ("110", "310"):
                self.world.enrollment(person, insurance_type=insurance)
            self.people.append((person, number))
        assessment.assess(self.ports, month=YearMonth(2026, 11))
        accounts = [
            (at, self.world.account(person, miniprogram=program))
            for at, (person, _) in enumerate(self.people)
            for program in (WECHAT, ALIPAY)
        ]
        for at, account in accounts:
            self.world.agree(account, "PROXY_PAYMENT")
            for other, (person, _) in enumerate(self.people):
                relation = self.world.me_in_list(account) if other == at else self._relation(account, person)
                self.wishes.append((account, relation, person))
        # One's own order and a stranger's, so that every story begins with something to happen to.
        self.somebody_places_an_order(who=0, bills=(0, 1), key="fresh")
        self.somebody_places_an_order(who=3, bills=(0,), key="fresh")

    def _relation(self, account, person):
        from models.people import Person
        from services.insured_persons import _add

        with self.ports.begin() as session:
            return _add(
                session,
                account=account,
                person=session.get_one(Person, person.id),
                relation=None,
                keep=True,
                now=self.clock.now(),
            ).id

    # People.

    @rule(
        who=st.integers(0, 99),
        bills=st.sampled_from([(0,), (1,), (0, 1)]),
        key=st.sampled_from(["same", "fresh", "fresh", "fresh"]),
    )
    def somebody_places_an_order(self, who: int, bills: tuple[int, ...], key: str) -> None:
        account, relation, person = self.wishes[who % len(self.wishes)]
        theirs = self.world.rows(
            "SELECT b.bill_no, b.amount_fen FROM contribution_bills b JOIN enrollments e ON e.id = b.enrollment_id"
            " WHERE e.person_id = :id AND b.state <> 'VOID' ORDER BY b.coverage_month DESC, b.id LIMIT 2",
            id=person.id,
        )
        wanted = [theirs[at] for at in bills if at < len(theirs)]
        new = orders.NewOrder(
            insured_person_id=relation,
            bill_nos=tuple(number for number, _ in wanted),
            expected_amount_fen=sum(fen for _, fen in wanted),
        )
        try:
            view = orders.place_order(
                self.ports, account=account, new=new, idempotency_key=key if key == "same" else f"k{next(self.count)}"
            )
        except BusinessError as refusal:
            self._expect(refusal)
            self._note_orders()
            return
        self._note_orders()
        assert any(order_no == view.order_no for _, order_no, _, _ in self.placed)

    def _note_orders(self) -> None:
        known = {order_no for _, order_no, _, _ in self.placed}
        by_id = {account.id: account for account, _, _ in self.wishes}
        for order_no, payer, payment_no, program in self.world.rows(
            "SELECT o.order_no, o.payer_account_id, p.payment_no, o.miniprogram FROM payment_orders o JOIN payments p ON p.order_id = o.id ORDER BY o.id"
        ):
            if order_no not in known:
                self.placed.append((by_id[payer], order_no, payment_no, program))

    @precondition(lambda self: self.placed)
    @rule(which=st.integers(0, 99), other=st.integers(0, 99))
    def months_are_paid_twice_over_two_channels(self, which: int, other: int) -> None:
        """An order is cancelled, somebody orders the same person's months again, and both cashiers take the money."""
        _, order_no, payment_no, program = self.placed[which % len(self.placed)]
        if self.ports.payments[program].news.get(payment_no) is None or self.world.read_order_row(order_no).state != "PREPAY":
            return
        self.somebody_looks_or_cancels(which=which, cancels=True)
        person_id = self.world.read_order_row(order_no).person_id
        theirs = [at for at, (_, _, person) in enumerate(self.wishes) if person.id == person_id]
        count = len(self.placed)
        self.somebody_places_an_order(who=theirs[other % len(theirs)], bills=(0, 1), key="fresh")
        self.the_payer_pays(which=which % count, off_by=0, even_if_closed=True)
        if len(self.placed) > count:
            self.the_payer_pays(which=count, off_by=0, even_if_closed=True)

    @precondition(lambda self: self.placed)
    @rule(which=st.integers(0, 99), cancels=st.booleans())
    def somebody_looks_or_cancels(self, which: int, cancels: bool) -> None:  # noqa: FBT001 - hypothesis calls it
        account, order_no, _, _ = self.placed[which % len(self.placed)]
        try:
            (orders.cancel_order if cancels else orders.refresh_order)(self.ports, account=account, order_no=order_no)
        except BusinessError as refusal:
            self._expect(refusal)

    def _expect(self, refusal: BusinessError) -> None:
        assert refusal.code in EXPECTED_REFUSALS, refusal.code

    # The provider.

    @precondition(lambda self: self.placed)
    @rule(which=st.integers(0, 99), off_by=st.sampled_from([0, 0, 0, 0, 1, -1]), even_if_closed=st.booleans())
    def the_payer_pays(self, which: int, off_by: int, even_if_closed: bool) -> None:  # noqa: FBT001 - hypothesis calls it
        _, _, payment_no, program = self.placed[which % len(self.placed)]
        provider = self.ports.payments[program]
        known = provider.news.get(payment_no)
        if known is None or known.kind not in (NewsKind.NOT_PAID, NewsKind.CLOSED):
            return
        if known.kind is NewsKind.CLOSED and not even_if_closed:
            return
        asked_fen = self.world.read_payment(payment_no).amount_fen
        paid = provider.pay(payment_no, amount_fen=asked_fen + off_by, at=self.clock.now())
        self.taken[program, paid.provider_payment_no] = paid.amount_fen
        self.outbox.append((program, replace(paid, notification_id=f"N{next(self.count)}")))

    @precondition(lambda self: self.taken)
    @rule(which=st.integers(0, 99), share=st.sampled_from([1, 1000, None]), told_times=st.sampled_from([0, 1, 2]))
    def the_provider_sends_some_back(self, which: int, share: int | None, told_times: int) -> None:
        program, number = sorted(self.taken)[which % len(self.taken)]
        left = self.taken[program, number] - self.returned.get((program, number), 0)
        fen = left if share is None else min(share, left)
        if fen <= 0:
            return
        self.returned[program, number] = self.returned.get((program, number), 0) + fen
        paid = next(news for prog, news in self.outbox if (prog, news.provider_payment_no) == (program, number))
        at = next(self.count)
        more = (
            {"refunded_total_fen": self.returned[program, number]}
            if program == ALIPAY
            else {"refund_fen": fen, "provider_refund_no": f"PR{at}"}
        )
        told = replace(paid, notification_id=f"N{at}", kind=NewsKind.REFUNDED, refund_no=f"R{at}", **more)
        self.outbox.append((program, told))
        for _ in range(told_times):
            self._hear(program, replace(told, notification_id=f"N{next(self.count)}"))
        if program == ALIPAY and fen == left:
            provider = self.ports.payments[program]
            if paid.payment_no in provider.news and provider.news[paid.payment_no].provider_payment_no == number:
                provider.news[paid.payment_no] = replace(
                    told, notification_id=f"query:{paid.payment_no}:REFUNDED:{number}", refund_no=None
                )

    @rule(
        program=st.sampled_from([WECHAT, ALIPAY]),
        fen=st.sampled_from([1, 160_000]),
        ours=st.booleans(),
        which=st.integers(0, 99),
    )
    def money_turns_up_that_nobody_asked_for(self, program: str, fen: int, ours: bool, which: int) -> None:  # noqa: FBT001 - hypothesis calls it
        at = next(self.count)
        payment_no = f"STRAY{at:019d}"
        if ours:
            # A second payment under a number of ours that was paid already.
            paid = [news.payment_no for prog, news in self.outbox if prog == program and news.kind is NewsKind.PAID]
            with self.ports.begin() as session:
                settled = set(session.scalars(text("SELECT payment_no FROM payments WHERE state IN ('SUCCEEDED', 'SURPLUS')")))
            paid = [number for number in paid if number in settled]
            if not paid:
                return
            payment_no = paid[which % len(paid)]
        news = PaymentNews(
            notification_id=f"N{at}",
            kind=NewsKind.PAID,
            payment_no=payment_no,
            provider_payment_no=f"U{at}",
            amount_fen=fen,
            happened_at=self.clock.now(),
        )
        self.taken[program, news.provider_payment_no] = fen
        self.outbox.append((program, news))

    @precondition(lambda self: self.outbox)
    @rule(which=st.integers(0, 99), own_id=st.booleans())
    def a_notice_arrives(self, which: int, own_id: bool) -> None:  # noqa: FBT001 - hypothesis calls it
        program, news = self.outbox[-1 - which % len(self.outbox)]
        self._hear(program, replace(news, notification_id=f"N{next(self.count)}") if own_id else news)

    @precondition(lambda self: self.placed)
    @rule(which=st.integers(0, 99))
    def a_closing_notice_arrives(self, which: int) -> None:
        _, _, payment_no, program = self.placed[which % len(self.placed)]
        known = self.ports.payments[program].news.get(payment_no)
        if known is not None and known.kind is NewsKind.CLOSED:
            self._hear(
                program, PaymentNews(notification_id=f"N{next(self.count)}", kind=NewsKind.CLOSED, payment_no=payment_no)
            )

    def _hear(self, program: str, news: PaymentNews) -> None:
        self.world.hear(news, miniprogram=program)

    @rule(
        program=st.sampled_from([WECHAT, ALIPAY]),
        call=st.sampled_from(["open_payment", "ask", "close", "refund", "ask_refund"]),
        how=st.sampled_from(["down", "busy", "no"]),
    )
    def the_provider_will_fail_once(self, program: str, call: str, how: str) -> None:
        fault = {
            "down": ProviderUnreachable("down"),
            "busy": ProviderRefused("BUSY", permanent=False),
            "no": ProviderRefused("NO"),
        }[how]
        fails = self.ports.payments[program].fails
        if len(fails) < 2:
            fails.append((call, fault))

    @precondition(lambda self: self._pending())
    @rule(
        which=st.integers(0, 99),
        end=st.sampled_from([NewsKind.REFUNDED, NewsKind.REFUNDED, NewsKind.REFUND_ABNORMAL, NewsKind.REFUND_FAILED]),
        told_times=st.sampled_from([0, 1, 2]),
    )
    def a_refund_of_ours_comes_to_an_end(self, which: int, end: NewsKind, told_times: int) -> None:
        pending = self._pending()
        program, order = pending[which % len(pending)]
        provider, key = self.ports.payments[program], (program, order.provider_payment_no)
        left = self.taken[key] - self.returned.get(key, 0)
        if end is NewsKind.REFUNDED and order.refund_fen > left:
            end = NewsKind.REFUND_FAILED
        provider.refunds[order.refund_no] = end
        told = provider.refund_news(order, at=self.clock.now())
        if end is NewsKind.REFUNDED:
            self.returned[key] = self.returned.get(key, 0) + order.refund_fen
            if program == ALIPAY:
                told = replace(told, refund_fen=None, refunded_total_fen=self.returned[key])
        told = replace(told, notification_id=f"N{next(self.count)}")
        self.outbox.append((program, told))
        for _ in range(told_times):
            self._hear(program, replace(told, notification_id=f"N{next(self.count)}"))

    def _pending(self):
        """Refunds that the provider took on and did not end: (mini-program, order)."""
        return [
            (program, order)
            for program in (WECHAT, ALIPAY)
            for order in dict.fromkeys(self.ports.payments[program].asked("refund"))
            if self.ports.payments[program].refunds.get(order.refund_no) in (NewsKind.REFUND_PENDING, NewsKind.REFUND_ABNORMAL)
        ]

    # The staff.

    @rule(which=st.integers(0, 99), months=st.integers(1, 2), reason=st.sampled_from(list(RefundReason)), yes=st.booleans())
    def somebody_refunds_months(self, which: int, months: int, reason: RefundReason, yes: bool) -> None:  # noqa: FBT001 - hypothesis calls it
        rows = self.world.rows(
            "SELECT p.payment_no, array_agg(b.bill_no ORDER BY b.id) FROM payments p JOIN contribution_records r ON r.payment_id = p.id"
            " JOIN contribution_bills b ON b.id = r.bill_id WHERE b.state = 'PAID' AND r.state = 'PAID' GROUP BY p.id ORDER BY p.id"
        )
        if not rows:
            return
        payment_no, bill_nos = rows[which % len(rows)]
        wish = RefundWish(payment_no=payment_no, bill_nos=tuple(bill_nos[:months]), reason=reason, words="材料已核对")
        try:
            number = apply_for_refund(self.ports, wish=wish, who="staff:S1024")
            decide_refund(self.ports, refund_no=number, approve=yes, words="材料已核对", who="staff:S2048")
        except BusinessError as refusal:
            self._expect(refusal)

    @rule()
    def the_sweep_returns_what_is_owed(self) -> None:
        return_surplus(self.ports)

    @rule()
    def the_sweep_sends_refunds(self) -> None:
        send_refunds(self.ports)

    # The house.

    @rule(limit=st.sampled_from([1, 2, 200]))
    def the_settle_loop_runs(self, limit: int) -> None:
        settle(self.ports, limit=limit)

    @rule()
    def the_sweep_asks_about_silence(self) -> None:
        ask_about_silence(self.ports)

    @rule()
    def the_sweep_closes_what_lapsed(self) -> None:
        close_stale(self.ports)

    @rule(seconds=st.sampled_from([2, 5, 20, 61, 121, 601, 1801]))
    def time_passes(self, seconds: int) -> None:
        self.clock.move(seconds=seconds)

    @rule(
        who=st.integers(0, PEOPLE - 1),
        state=st.sampled_from("112"),
        tier=st.sampled_from("135"),
        ends=st.sampled_from(["", "", "", "202611", "202612"]),
    )
    def the_registrar_sends_its_feed(self, who: int, state: str, tier: str, ends: str) -> None:
        path = self.feed_folder / "feed.csv"
        _, number = self.people[who]
        path.write_text(
            f"AAC002,AAC003,AAE140,AAB301,AAC031,AAE030,AAE031,TIER\n{number},张三,110,320402,{state},202601,{ends},{tier}\n"
        )
        assert import_enrollments(self.ports, path).bad == []
        assert import_enrollments(self.ports, path).unchanged == 1

    @rule()
    def the_month_is_assessed_again(self) -> None:
        for done in assessment.assess(self.ports, month=YearMonth(2026, 11)):
            assert done.without_bill == 0

    # What must be true.

    @invariant()
    def nothing_is_that_must_not_be(self) -> None:
        with self.ports.begin() as session:
            connection = session.connection()
            for claim, query in NEVER.items():
                found = connection.execute(text(query)).all()
                assert found == [], claim

    @invariant()
    def every_state_is_the_end_of_a_chain_of_legal_moves(self) -> None:
        with self.ports.begin() as session:
            now = {(row.noun, row.row_id): row.state for row in session.execute(STATES_NOW)}
            moves = session.execute(text("SELECT noun, row_id, from_state, to_state FROM moves ORDER BY id")).all()
        at = {key: BORN[key[0]] for key in now}
        for noun, row_id, start, end in moves:
            assert at[noun, row_id] == start
            try:
                MAPS[noun].event(start, end)
            except IllegalMove:
                pytest.fail(f"{noun}: {start} → {end}")
            at[noun, row_id] = end
        assert at == now

    @invariant()
    def clearing_holds_what_the_settled_news_say(self) -> None:
        """Reckoned from the inbox by itself: each number of theirs once, less what went back, both ways of counting.

        Exact but for one case: of a sum told while a refund of ours was at the provider, only history tells whether it is in it.
        """
        took: dict[tuple[str, str], int] = {}
        ordered = {
            (merchant, number): fen
            for merchant, number, fen in self.world.rows(
                "SELECT p.channel || ':' || p.merchant, p.provider_payment_no, coalesce(sum(r.amount_fen) FILTER"
                " (WHERE r.state IN ('APPROVED', 'SENT', 'ABNORMAL')), 0)::bigint FROM payments p"
                " JOIN refunds r ON r.payment_id = p.id WHERE r.origin = 'ORDERED' GROUP BY 1, 2"
            )
        }
        singles: dict[tuple[str, str, str], int] = {}
        totals: dict[tuple[str, str], int] = {}
        rows = self.world.rows(
            "SELECT merchant_account, kind, provider_payment_no, amount_fen, refund_no, refund_fen, refunded_total_fen"
            " FROM notices WHERE state <> 'WAITING' AND kind IN ('PAID', 'REFUNDED')"
        )
        for merchant, kind, number, fen, refund_no, refund_fen, total_fen in rows:
            took[merchant, number] = fen
            if kind == "REFUNDED" and total_fen is not None:
                totals[merchant, number] = max(totals.get((merchant, number), 0), total_fen)
            elif kind == "REFUNDED":
                singles[merchant, number, refund_no] = refund_fen
        least: dict[str, int] = {}
        most: dict[str, int] = {}
        for (merchant, number), fen in took.items():
            alone = sum(part for key, part in singles.items() if key[:2] == (merchant, number))
            total = totals.get((merchant, number), 0)
            back = gone = max(alone, total)
            if total and (merchant, number) in ordered:
                back, gone = max(alone, total - ordered[merchant, number]), alone + total
            account = f"clearing:{merchant}"
            least[account] = least.get(account, 0) + fen - min(gone, fen)
            most[account] = most.get(account, 0) + fen - back
        with self.ports.begin() as session:
            held = journal.balances(session)
        clearing = {account: fen for account, fen in held.items() if account.startswith("clearing:")}
        assert clearing.keys() <= most.keys()
        for account, fen in most.items():
            assert least[account] <= clearing.get(account, 0) <= fen, account
        # What we hold for each merchant, we owe to somebody by name.
        assert sum(clearing.values()) == sum(fen for account, fen in held.items() if not account.startswith("clearing:"))

    @rule()
    def everything_comes_to_an_end(self) -> None:
        """The outage is over, the inbox is drained, all lapses, and the daily bill tells what was lost."""
        for program in (WECHAT, ALIPAY):
            self.ports.payments[program].fails.clear()
        self.world.settle()
        assert self.world.scalar("SELECT count(*) FROM notices WHERE state = 'WAITING'") == 0
        self.clock.move(hours=2)
        ask_about_silence(self.ports)
        close_stale(self.ports)
        self.world.settle()
        assert self.world.scalar("SELECT count(*) FROM notices WHERE state = 'WAITING'") == 0
        assert self.world.scalar("SELECT count(*) FROM payment_orders WHERE state NOT IN ('PAID', 'CLOSED')") == 0
        assert self.world.scalar("SELECT count(*) FROM contribution_bills WHERE state = 'LOCKED'") == 0
        for program, news in self.outbox:
            self._hear(program, replace(news, notification_id=f"bill:{news.notification_id}"))
        self.world.settle()
        return_surplus(self.ports)
        for _ in range(40):
            self.clock.move(hours=7)
            if not send_refunds(self.ports) and not self._pending():
                break
            while self._pending():
                self.a_refund_of_ours_comes_to_an_end(which=0, end=NewsKind.REFUNDED, told_times=1)
            self.world.settle()
        assert self.world.rows("SELECT refund_no, state FROM refunds WHERE state IN ('APPROVED', 'SENT', 'ABNORMAL')") == []
        with self.ports.begin() as session:
            held = journal.balances(session)
        for program in (WECHAT, ALIPAY):
            provider = self.ports.payments[program]
            theirs = sum(fen for (prog, _), fen in self.taken.items() if prog == program)
            theirs -= sum(fen for (prog, _), fen in self.returned.items() if prog == program)
            assert held.get(f"clearing:{provider.channel}:{provider.merchant}", 0) == theirs


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_whatever_happens_in_whatever_order_the_books_hold(server, template, rulebook, seals, tmp_path):
    from contextlib import contextmanager

    @contextmanager
    def make_ports(clock):
        with fresh_database(server, template) as url, ports_to(url, rulebook=rulebook, seals=seals, clock=clock) as ports:
            yield ports

    machine = type("House", (House,), {"make_ports": staticmethod(make_ports), "feed_folder": tmp_path})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=settings().max_examples * 15 // 100, stateful_step_count=30)
    )
