"""Things: each factory builds the plainest valid one and takes only what the story needs."""

from __future__ import annotations

import itertools
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text

from config.months import YearMonth
from models.accounts import Account
from models.applications import EnrollmentApplication
from models.base import new_id
from models.bills import ContributionBill, ContributionRecord
from models.consents import NoticeReading
from models.enrollments import Enrollment
from models.inbox import Notice
from models.insured_persons import PayerBlock
from models.orders import OrderOrigin, PaymentOrder
from models.payments import Payment
from models.people import Person
from providers.protocols import NewsKind, PaymentNews
from services import assessment, journal, orders
from services.consents import give_consent, notice_texts
from services.inbox import receive
from services.insured_persons import add_self
from services.outside_orders import OutsideOrder, place_outside
from services.people import mask_name, parse_persons_number
from services.settlement import settle

if TYPE_CHECKING:
    from models.consents import Consent
    from services.order_views import OrderView
    from services.ports import Ports

APP = "changzhou-hrss-app"
WECHAT = "jiangsu-tax-wechat"
ALIPAY = "jiangsu-tax-alipay"
XINJIANG = "xinjiang-tax-wechat"
POS = "pos-changzhou"
COUNTER = "counter-boc-320400"
SLIP = "slip-320400"
DEBIT = "debit-icbc-320400"
"""A way that is no phone's."""
APP = "changzhou-hrss-app"
AREAS = {"320400": "320402", "650000": "650102"}


def an_id_number(sequence: int = 1, *, place: str = "320402", born: str = "19900101", female: bool = False) -> str:
    """A well-formed, synthetic resident ID number; every sequence another one."""
    body = f"{place}{born}{(sequence % 500) * 2 + (0 if female else 1):03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(w * int(d) for w, d in zip(weights, body, strict=True)) % 11]


class World:
    def __init__(self, ports: Ports) -> None:
        self.ports = ports
        self._numbers = itertools.count(1)

    def person(self, *, name: str = "张三丰", id_number: str | None = None) -> Person:
        count = next(self._numbers)
        number = id_number or an_id_number(count, born=f"19{60 + count // 500 % 30:02d}0101")
        seals, row_id = self.ports.seals, new_id()
        person = Person(
            id=row_id,
            name_sealed=seals.seal(name, place=Person.name_place(row_id)),
            name_index=seals.index("name", name),
            name_masked=mask_name(name),
            id_number_sealed=seals.seal(number, place=Person.id_number_place(row_id)),
            id_number_index=seals.index("id_number", number),
            id_number_masked=parse_persons_number(number, today=self.ports.today()).masked,
            created_at=self.ports.now(),
        )
        with self.ports.begin() as session:
            session.add(person)
            session.flush()
            session.expunge(person)
        return person

    def enrollment(
        self, person: Person | None = None, *, region: str = "320400", insurance_type: str = "110", **more: Any
    ) -> Enrollment:
        person = person or self.person()
        tier = None if "declared_wage_fen" in more else "5" if insurance_type == "310" else "3"
        given = {"tier": tier, "state": "ACTIVE", "start_month": 202601, "pooling_area": AREAS[region], **more}
        enrollment = Enrollment(
            person_id=person.id,
            region=region,
            insurance_type=insurance_type,
            created_at=self.ports.now(),
            updated_at=self.ports.now(),
            **given,
        )
        with self.ports.begin() as session:
            session.add(enrollment)
            session.flush()
            session.expunge(enrollment)
        return enrollment

    def bills(self, enrollment: Enrollment, *months: str) -> list[ContributionBill]:
        """Bills of these months (this one, if none is named), issued by the real assessment."""
        for month in months or ("2026-11",):
            assessment.assess(self.ports, month=YearMonth.parse(month))
        with self.ports.begin() as session:
            found = session.scalars(
                select(ContributionBill)
                .where(ContributionBill.enrollment_id == enrollment.id)
                .order_by(ContributionBill.coverage_month)
            ).all()
            session.expunge_all()
        return list(found)

    def bills_issued(self, month: str = "2026-11") -> None:
        """Everybody's bills of this month."""
        assessment.assess(self.ports, month=YearMonth.parse(month))

    def account(self, person: Person | None = None, *, miniprogram: str = WECHAT, verified: bool = True) -> Account:
        """Somebody signed in; verified as this person, unless told otherwise."""
        seals, row_id = self.ports.seals, new_id()
        subject = f"openid-{uuid.uuid4().hex}"
        account = Account(
            id=row_id,
            miniprogram=miniprogram,
            subject_sealed=seals.seal(subject, place=Account.subject_place(row_id)),
            subject_index=seals.index("subject", miniprogram, subject),
            person_id=(person or self.person()).id if verified else None,
            elder_mode=False,
            created_at=self.ports.now(),
        )
        with self.ports.begin() as session:
            session.add(account)
            session.flush()
            if account.person_id is not None:
                add_self(session, account=account, person_id=account.person_id, now=self.ports.now())
            session.refresh(account)
            session.expunge_all()
        return account

    def payer_for(self, person: Person, *, miniprogram: str = WECHAT) -> tuple[Account, uuid.UUID]:
        """Somebody else who may pay for this person: the account, and the person's id in its list."""
        from services.insured_persons import _add

        account = self.account(miniprogram=miniprogram)
        self.agree(account, "PROXY_PAYMENT")
        with self.ports.begin() as session:
            row = _add(
                session,
                account=account,
                person=session.get_one(Person, person.id),
                relation="父亲",
                keep=True,
                now=self.ports.now(),
            )
        return account, row.id

    def agree(self, account: Account, *purposes: str) -> list[Consent]:
        """This account read the texts for these purposes, an hour long where they ask for it, and agreed."""
        texts = {text.purpose: text for text in notice_texts(self.ports, account=account)}
        with self.ports.begin() as session:
            for text in (texts[purpose] for purpose in purposes):
                if text.reading_seconds is not None and text.opened_at is None:
                    session.add(
                        NoticeReading(
                            account_id=account.id,
                            text_hash=text.text_hash,
                            purpose=text.purpose,
                            version=text.version,
                            opened_at=self.ports.now() - timedelta(hours=1),
                        )
                    )
        return [
            give_consent(
                self.ports,
                account=account,
                purpose=purpose,
                version=texts[purpose].version,
                text_hash=texts[purpose].text_hash,
            )
            for purpose in purposes
        ]

    def application(
        self,
        account: Account | None = None,
        *,
        kind: str = "NEW_ENROLLMENT",
        region: str = "320400",
        state: str = "DRAFT",
        agreed: bool = True,
    ) -> EnrollmentApplication:
        """An application of this account's own person, in this state, and its consent to photographs."""
        account = account or self.account()
        now, decided = self.ports.now(), state in ("APPROVED", "REJECTED", "RETURNED")
        application = EnrollmentApplication(
            id=new_id(),
            kind=kind,
            state=state,
            account_id=account.id,
            person_id=account.person_id or self.person().id,
            miniprogram=account.miniprogram,
            region=region,
            submitted_at=None if state in ("DRAFT", "DOCUMENTS_READY", "WITHDRAWN") else now,
            decided_by="staff:S1024" if decided else None,
            decision_reason="DOCUMENT_UNREADABLE" if state in ("REJECTED", "RETURNED") else None,
            created_at=now,
            updated_at=now,
        )
        with self.ports.begin() as session:
            session.add(application)
            session.flush()
            session.expunge(application)
        if agreed:
            self.agree(account, "DOCUMENTS")
        return application

    def block(self, person: Person, *, payer: Account) -> None:
        """This person does not want that payer to pay for them."""
        with self.ports.begin() as session:
            session.add(PayerBlock(person_id=person.id, payer_person_id=payer.person_id, created_at=self.ports.now()))

    def me_in_list(self, account: Account) -> uuid.UUID:
        from services.insured_persons import list_insured_persons

        return next(row.id for row in list_insured_persons(self.ports, account=account) if row.is_self)

    def order(
        self, *months: str, miniprogram: str = WECHAT, region: str = "320400", key: str | None = None
    ) -> tuple[Account, OrderView]:
        """A verified person's own order for bills of their own."""
        person = self.person()
        bills = self.bills(self.enrollment(person, region=region), *months)
        account = self.account(person, miniprogram=miniprogram)
        return account, self.order_for(account, self.me_in_list(account), bills, key=key)

    def order_for(
        self, account: Account, insured_person_id: uuid.UUID, bills: list[ContributionBill], *, key: str | None = None
    ) -> OrderView:
        new = orders.NewOrder(
            insured_person_id=insured_person_id,
            bill_nos=tuple(bill.bill_no for bill in bills),
            expected_amount_fen=sum(bill.amount_fen for bill in bills),
        )
        return orders.place_order(self.ports, account=account, new=new, idempotency_key=key or uuid.uuid4().hex)

    def outside_order(
        self,
        person: Person,
        bills: list[ContributionBill],
        *,
        origin: OrderOrigin = OrderOrigin.DEBIT,
        account: Account | None = None,
        way: str = DEBIT,
        payment_no: str | None = None,
    ) -> Payment:
        """What a bank was told to debit, or a window is to take."""
        provider = self.ports.payments[way]
        new = OutsideOrder(
            origin=origin,
            way=way,
            channel=provider.channel,
            merchant=provider.merchant,
            person_id=person.id,
            payer_account_id=account.id if account else None,
            expires_at=self.ports.now() + timedelta(hours=1),
            payment_no=payment_no,
        )
        with self.ports.begin() as session:
            held = session.scalars(
                select(ContributionBill)
                .where(ContributionBill.id.in_([bill.id for bill in bills]))
                .order_by(ContributionBill.id)
                .with_for_update()
            ).all()
            _, payment = place_outside(session, bills=held, new=new, who="debit", now=self.ports.now())
            session.expunge_all()
        return payment

    def paid_news(
        self, order: OrderView | Payment, *, notice: str = "N1", miniprogram: str = WECHAT, **more: Any
    ) -> PaymentNews:
        """The provider's word that this order was paid."""
        given = {
            "notification_id": notice,
            "kind": NewsKind.PAID,
            "payment_no": order.payment_no,
            "provider_payment_no": f"P{order.payment_no}",
            "amount_fen": order.amount_fen if isinstance(order, Payment) else order.total_fen,
            "happened_at": self.ports.now(),
            **more,
        }
        return PaymentNews(**given)

    def hear(self, news: PaymentNews, *, miniprogram: str = WECHAT) -> bool:
        return receive(self.ports, miniprogram=miniprogram, news=news, raw=b"raw")

    def settle(self) -> int:
        total = 0
        while taken := settle(self.ports):
            total += taken
        return total

    def balances(self) -> dict[str, int]:
        with self.ports.begin() as session:
            return {account: fen for account, fen in journal.balances(session).items() if fen}

    def read_payment(self, payment_no: str) -> Payment:
        with self.ports.begin() as session:
            found = session.scalars(select(Payment).where(Payment.payment_no == payment_no)).one()
            session.expunge(found)
            return found

    def read_order_row(self, order_no: str) -> PaymentOrder:
        with self.ports.begin() as session:
            found = session.scalars(select(PaymentOrder).where(PaymentOrder.order_no == order_no)).one()
            session.expunge(found)
            return found

    def bill_states(self) -> list[str]:
        with self.ports.begin() as session:
            return list(session.scalars(select(ContributionBill.state).order_by(ContributionBill.id)))

    def records(self) -> list[ContributionRecord]:
        with self.ports.begin() as session:
            found = list(session.scalars(select(ContributionRecord).order_by(ContributionRecord.id)))
            session.expunge_all()
            return found

    def notices(self) -> list[Notice]:
        with self.ports.begin() as session:
            found = list(session.scalars(select(Notice).order_by(Notice.id)))
            session.expunge_all()
            return found

    def rows(self, sql: str, **given: Any) -> list[tuple[Any, ...]]:
        with self.ports.begin() as session:
            return [tuple(row) for row in session.execute(text(sql), given)]

    def scalar(self, sql: str, **given: Any) -> Any:
        with self.ports.begin() as session:
            return session.execute(text(sql), given).scalar()
