"""Identity: what an account has proven about who it is, and the face checks on the way."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Moves, Stateful, new_id, one_of


class VerificationState(StrEnum):
    """How far an account has come (domain §8.4)."""

    NONE = "NONE"
    NAME_ID_MATCHED = "NAME_ID_MATCHED"
    FACE_PENDING = "FACE_PENDING"
    VERIFIED = "VERIFIED"
    DECLINED = "DECLINED"
    FAILED = "FAILED"


_V = VerificationState


class IdentityVerification(Stateful, Base):
    """One account's way from a typed name to a verified person."""

    __tablename__ = "identity_verifications"
    __table_args__ = (one_of(VerificationState),)
    MOVES: ClassVar[Moves] = Moves(
        "identity_verification",
        {
            (_V.NONE, _V.NAME_ID_MATCHED): "identity.name_matched",
            (_V.NAME_ID_MATCHED, _V.NAME_ID_MATCHED): "identity.name_matched_again",
            (_V.FAILED, _V.NAME_ID_MATCHED): "identity.name_matched_again",
            (_V.DECLINED, _V.NAME_ID_MATCHED): "identity.name_matched_again",
            (_V.FACE_PENDING, _V.NAME_ID_MATCHED): "identity.face_abandoned",
            (_V.NONE, _V.VERIFIED): "identity.vouched_for_by_platform",
            (_V.NAME_ID_MATCHED, _V.FACE_PENDING): "identity.face_started",
            (_V.FACE_PENDING, _V.FACE_PENDING): "identity.face_started_again",
            (_V.FAILED, _V.FACE_PENDING): "identity.face_started_again",
            (_V.DECLINED, _V.FACE_PENDING): "identity.face_started_again",
            (_V.FACE_PENDING, _V.VERIFIED): "identity.verified",
            (_V.FACE_PENDING, _V.FAILED): "identity.face_failed",
            (_V.FACE_PENDING, _V.DECLINED): "identity.face_declined",
            # The ways without a face (人脸识别办法 Art 10): a bank card of one's own, or a counter.
            (_V.NAME_ID_MATCHED, _V.VERIFIED): "identity.verified_without_face",
            (_V.FAILED, _V.VERIFIED): "identity.verified_without_face",
            (_V.DECLINED, _V.VERIFIED): "identity.verified_without_face",
            # The consent to use the name was taken back before anything was proven by it.
            (_V.NAME_ID_MATCHED, _V.NONE): "identity.name_taken_back",
            (_V.FACE_PENDING, _V.NONE): "identity.name_taken_back",
            (_V.FAILED, _V.NONE): "identity.name_taken_back",
            (_V.DECLINED, _V.NONE): "identity.name_taken_back",
        },
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), unique=True)
    state: Mapped[str] = mapped_column(default=VerificationState.NONE)
    name_sealed: Mapped[bytes | None]
    id_number_sealed: Mapped[bytes | None]
    name_masked: Mapped[str | None]
    id_number_masked: Mapped[str | None]
    method: Mapped[str | None]
    """What proved it: wechat_face, alipay_face, aliyun_face, alipay_account, bank_card, counter."""
    verified_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    def match_name(self, *, who: str, at: datetime) -> None:
        """Name and ID number belong together, says the authority."""
        self._move(_V.NAME_ID_MATCHED, who=who, at=at)

    def forget_name(self, *, who: str, at: datetime) -> None:
        """What was typed is gone, sealed and masked alike; a verified name stays (its payments have to be told by it)."""
        self._move(_V.NONE, who=who, at=at)
        self.name_sealed = self.id_number_sealed = self.name_masked = self.id_number_masked = None

    def start_face(self, *, who: str, at: datetime) -> None:
        self._move(_V.FACE_PENDING, who=who, at=at)

    def verify(self, *, method: str, who: str, at: datetime, why: str | None = None) -> None:
        """Somebody by now. `why` names the event where the road alone would mislead (a counter is no platform)."""
        self._move(_V.VERIFIED, who=who, at=at, why=why)
        self.method, self.verified_at = method, at

    def fail(self, *, who: str, at: datetime) -> None:
        self._move(_V.FAILED, who=who, at=at)

    def decline(self, *, who: str, at: datetime) -> None:
        """Turned down by the person: not a failure (人脸识别办法 Art 10)."""
        self._move(_V.DECLINED, who=who, at=at)

    @property
    def has_matched_name(self) -> bool:
        """Somebody's name stands here and waits for its proof."""
        return self.state in (_V.NAME_ID_MATCHED, _V.FACE_PENDING, _V.FAILED, _V.DECLINED)

    @property
    def may_start_face(self) -> bool:
        return self.MOVES.allows(self.state, _V.FACE_PENDING)


class FaceCheckState(StrEnum):
    """One try before a camera."""

    CREATED = "CREATED"
    PENDING = "PENDING"
    PASSED = "PASSED"
    FAILED = "FAILED"
    DECLINED = "DECLINED"
    EXPIRED = "EXPIRED"


_F = FaceCheckState


class FaceCheck(Stateful, Base):
    """A face check at a platform. Pictures and templates are never stored; the platform's raw code is."""

    __tablename__ = "face_checks"
    __table_args__ = (
        one_of(FaceCheckState),
        Index(None, "account_id", "created_at"),
        Index(None, "expires_at", postgresql_where=text("state IN ('CREATED', 'PENDING')")),
        Index(None, "reference_index", unique=True, postgresql_where=text("reference_index IS NOT NULL")),
        Index(None, "next_ask_at", postgresql_where=text("next_ask_at IS NOT NULL")),
    )
    MOVES: ClassVar[Moves] = Moves(
        "face_check",
        {
            (_F.CREATED, _F.PENDING): "face_check.started",
            (_F.CREATED, _F.FAILED): "face_check.refused",
            (_F.CREATED, _F.EXPIRED): "face_check.expired",
            (_F.PENDING, _F.PASSED): "face_check.passed",
            (_F.PENDING, _F.FAILED): "face_check.failed",
            (_F.PENDING, _F.DECLINED): "face_check.declined",
            (_F.PENDING, _F.EXPIRED): "face_check.expired",
        },
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    check_no: Mapped[str] = mapped_column(unique=True)
    """Our number at the platform (out_seq_no, outer_order_no)."""
    provider: Mapped[str]
    state: Mapped[str] = mapped_column(default=FaceCheckState.CREATED)
    reference_sealed: Mapped[bytes | None]
    """Their id of the check; whoever holds it can run the check, so it is sealed."""
    reference_index: Mapped[bytes | None]
    """Where a callback names it: its blind index."""
    next_ask_at: Mapped[datetime | None]
    """When a sweep asks by itself, where the phone or the callback may have gone silent."""
    asks: Mapped[int] = mapped_column(server_default=text("0"))
    """How often it has asked since the last sign of life."""
    presses: Mapped[int] = mapped_column(server_default=text("0"))
    """How often the phone said that the person is done."""
    provider_code: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    @classmethod
    def reference_place(cls, row_id: uuid.UUID) -> str:
        return cls.place_of("reference_sealed", row_id)

    @property
    def is_open(self) -> bool:
        return self.state in (_F.CREATED, _F.PENDING)

    def start(self, *, ask_at: datetime, who: str, at: datetime) -> None:
        """It stands at the platform; from `ask_at` on silence is asked about."""
        self._move(_F.PENDING, who=who, at=at)
        self.next_ask_at = ask_at

    def finish(self, outcome: FaceCheckState, *, provider_code: str, who: str, at: datetime) -> None:
        """The platform's own verdict, or our clock's (EXPIRED)."""
        self._move(outcome, who=who, at=at)
        self.provider_code, self.finished_at, self.next_ask_at = provider_code, at, None


class BankCardCheckState(StrEnum):
    """One try with a bank card, name, ID number and the phone that the bank knows (四要素)."""

    CREATED = "CREATED"
    MATCHED = "MATCHED"
    MISMATCHED = "MISMATCHED"
    UNSUPPORTED = "UNSUPPORTED"
    """The bank cannot tell for this card: nothing is said about the person."""
    UNAVAILABLE = "UNAVAILABLE"
    """Nobody answered: the try is not counted."""


_B = BankCardCheckState


class BankCardPurpose(StrEnum):
    """What a bank was asked for: each stands on a consent of its own, and all of them count as tries."""

    IDENTITY = "IDENTITY"
    """Who somebody is: the way without a face."""
    AGREEMENT = "AGREEMENT"
    """Whose card it is that a withholding agreement names."""


class BankCardCheck(Stateful, Base):
    """One asking of a bank. Neither card nor phone is kept here, only the card's last four digits."""

    __tablename__ = "bank_card_checks"
    __table_args__ = (
        one_of(BankCardCheckState),
        one_of(BankCardPurpose, "purpose"),
        Index(None, "account_id", "created_at"),
        Index(None, "created_at", postgresql_where=text("state = 'CREATED'")),
    )
    MOVES: ClassVar[Moves] = Moves(
        "bank_card_check",
        {
            (_B.CREATED, _B.MATCHED): "bank_card_check.matched",
            (_B.CREATED, _B.MISMATCHED): "bank_card_check.mismatched",
            (_B.CREATED, _B.UNSUPPORTED): "bank_card_check.unsupported",
            (_B.CREATED, _B.UNAVAILABLE): "bank_card_check.unavailable",
        },
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    state: Mapped[str] = mapped_column(default=BankCardCheckState.CREATED)
    purpose: Mapped[str] = mapped_column(default=BankCardPurpose.IDENTITY, server_default=text("'IDENTITY'"))
    card_masked: Mapped[str]
    provider_code: Mapped[str | None]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    def finish(self, outcome: BankCardCheckState, *, provider_code: str, who: str, at: datetime) -> None:
        """The bank's word, or that there was none."""
        self._move(outcome, who=who, at=at)
        self.provider_code, self.finished_at = provider_code, at


class CounterCheckState(StrEnum):
    """A person seen at a counter: one of the staff attests, another confirms."""

    OPEN = "OPEN"
    ATTESTED = "ATTESTED"
    CONFIRMED = "CONFIRMED"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"
    """Taken back on the phone, or not needed any more."""
    EXPIRED = "EXPIRED"


_C = CounterCheckState


class CounterDocument(StrEnum):
    """What the clerk may hold in hand (domain §4.2)."""

    ID_CARD = "ID_CARD"
    HMT_RESIDENCE_PERMIT = "HMT_RESIDENCE_PERMIT"
    """港澳台居民居住证."""
    FOREIGN_PERMANENT_RESIDENT_CARD = "FOREIGN_PERMANENT_RESIDENT_CARD"
    """外国人永久居留身份证."""


class CounterRefusal(StrEnum):
    """Why one of the staff said no. A closed list: free words would hold people's data."""

    NOT_THE_HOLDER = "NOT_THE_HOLDER"
    DOCUMENT_DOUBTFUL = "DOCUMENT_DOUBTFUL"
    """Expired, damaged, or not genuine."""
    TYPED_WRONGLY = "TYPED_WRONGLY"
    RECORD_DIFFERS = "RECORD_DIFFERS"
    """The registrar knows this number under another name."""


class CounterCheck(Stateful, Base):
    """The way without a face and without a card: a short code from the phone, the document in hand, two of the staff."""

    __tablename__ = "counter_checks"
    __table_args__ = (
        one_of(CounterCheckState),
        one_of(CounterDocument, "document"),
        one_of(CounterRefusal, "refused_why"),
        CheckConstraint("confirmed_by IS NULL OR confirmed_by <> attested_by", name="two_people"),
        CheckConstraint(
            "(state = 'ATTESTED') = (name_sealed IS NOT NULL) AND (state = 'ATTESTED') = (id_number_sealed IS NOT NULL)",
            name="typed_while_attested",
        ),
        Index("uq_counter_checks_account_id_open", "account_id", unique=True, postgresql_where=text("state IN ('OPEN', 'ATTESTED')")),
        Index("uq_counter_checks_code_index_open", "code_index", unique=True, postgresql_where=text("state IN ('OPEN', 'ATTESTED')")),
        Index(None, "account_id", "created_at"),
        Index(None, "expires_at", postgresql_where=text("state IN ('OPEN', 'ATTESTED')")),
    )  # fmt: skip
    MOVES: ClassVar[Moves] = Moves(
        "counter_check",
        {
            (_C.OPEN, _C.ATTESTED): "counter_check.attested",
            (_C.OPEN, _C.REFUSED): "counter_check.refused",
            (_C.OPEN, _C.WITHDRAWN): "counter_check.withdrawn",
            (_C.OPEN, _C.EXPIRED): "counter_check.expired",
            (_C.ATTESTED, _C.CONFIRMED): "counter_check.confirmed",
            (_C.ATTESTED, _C.REFUSED): "counter_check.refused",
            (_C.ATTESTED, _C.WITHDRAWN): "counter_check.withdrawn",
            (_C.ATTESTED, _C.EXPIRED): "counter_check.expired",
        },
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    code_index: Mapped[bytes]
    code_sealed: Mapped[bytes]
    """Shown again to its own account as long as it is open."""
    state: Mapped[str] = mapped_column(default=CounterCheckState.OPEN)
    document: Mapped[str | None]
    """Which document the clerk held."""
    name_sealed: Mapped[bytes | None]
    id_number_sealed: Mapped[bytes | None]
    """As the document says, typed by the clerk; there while ATTESTED and at no other time."""
    site: Mapped[str | None]
    """Code of the agency where it happened."""
    attested_by: Mapped[str | None]
    attested_at: Mapped[datetime | None]
    confirmed_by: Mapped[str | None]
    refused_why: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    @property
    def is_open(self) -> bool:
        return self.state in (_C.OPEN, _C.ATTESTED)

    def attest(
        self, *, name_sealed: bytes, id_number_sealed: bytes, document: CounterDocument, site: str, who: str, at: datetime
    ) -> None:
        """The first of the two has seen person and document."""
        self._move(_C.ATTESTED, who=who, at=at)
        self.name_sealed, self.id_number_sealed = name_sealed, id_number_sealed
        self.document, self.site, self.attested_by, self.attested_at = document, site, who, at

    def confirm(self, *, who: str, at: datetime) -> None:
        """The second of the two; the database refuses the first one's own name."""
        self._end(_C.CONFIRMED, who=who, at=at)
        self.confirmed_by = who

    def refuse(self, *, why: CounterRefusal, who: str, at: datetime) -> None:
        self._end(_C.REFUSED, who=who, at=at)
        self.refused_why = why

    def withdraw(self, *, who: str, at: datetime) -> None:
        self._end(_C.WITHDRAWN, who=who, at=at)

    def expire(self, *, who: str, at: datetime) -> None:
        self._end(_C.EXPIRED, who=who, at=at)

    def _end(self, outcome: CounterCheckState, *, who: str, at: datetime) -> None:
        """No end without erasing what was typed."""
        self._move(outcome, who=who, at=at)
        self.name_sealed = self.id_number_sealed = None
        self.finished_at = at


class CounterCodeMiss(Base):
    """One of the staff typed a code that nobody holds, or data that cannot be: a guess until shown otherwise."""

    __tablename__ = "counter_code_misses"
    __table_args__ = (Index(None, "who", "at"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    who: Mapped[str]
    at: Mapped[datetime]
