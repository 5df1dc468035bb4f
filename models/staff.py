"""Staff: who works at the console, their sessions, what they did there, and how a lost phone is replaced."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Moves, Stateful, new_id, one_of


class StaffRole(StrEnum):
    REVIEWER = "REVIEWER"
    """Decides applications and sees people at the counter."""
    SUPERVISOR = "SUPERVISOR"
    """The second person wherever one alone may not decide."""
    ACCOUNTANT = "ACCOUNTANT"
    """Answers for the money: parked notices, refunds, days against the providers' bills, the journal."""
    AUDITOR = "AUDITOR"
    """Sees who looked and who did what, and changes nothing."""
    ADMINISTRATOR = "ADMINISTRATOR"
    """Lets staff in and out, and sees nobody's affairs."""


class Power(StrEnum):
    """三员分立: whoever does the business neither lets people in nor watches over it."""

    BUSINESS = "BUSINESS"
    AUDIT = "AUDIT"
    ADMINISTRATION = "ADMINISTRATION"


POWER_OF: Final = {
    StaffRole.REVIEWER: Power.BUSINESS,
    StaffRole.SUPERVISOR: Power.BUSINESS,
    StaffRole.ACCOUNTANT: Power.BUSINESS,
    StaffRole.AUDITOR: Power.AUDIT,
    StaffRole.ADMINISTRATOR: Power.ADMINISTRATION,
}


def powers_of(roles: Collection[str]) -> set[Power]:
    """Which of the three powers these roles belong to; a person may have one."""
    return {POWER_OF[StaffRole(role)] for role in roles}


class StaffState(StrEnum):
    INVITED = "INVITED"
    """Has a code on paper, and no password yet."""
    ACTIVE = "ACTIVE"
    LOCKED = "LOCKED"
    """Until `locked_until` after too many wrong tries; without one until an administrator lets them in again."""
    LEFT = "LEFT"
    """For good. The number is never given to anybody else, since the records name it."""


class ResetState(StrEnum):
    ASKED = "ASKED"
    CONFIRMED = "CONFIRMED"
    REFUSED = "REFUSED"
    LAPSED = "LAPSED"
    """Nobody confirmed it in time."""


_S, _R = StaffState, ResetState
_LISTED: Final = ", ".join(f"'{role}'" for role in StaffRole)


def _has(power: Power) -> str:
    listed = ", ".join(f"'{role}'" for role, its in POWER_OF.items() if its is power)
    return f"CAST(roles && ARRAY[{listed}] AS integer)"


class Staff(Stateful, Base):
    """One of the staff, by number. No name is kept: the office's own register says who S1024 is."""

    __tablename__ = "staff"
    __table_args__ = (
        one_of(StaffState),
        CheckConstraint(f"roles <@ ARRAY[{_LISTED}]", name="roles_known"),
        CheckConstraint(" + ".join(_has(power) for power in Power) + " = 1", name="powers_apart"),
        CheckConstraint("number ~ '^[A-Z0-9]{2,16}$'", name="number_in_one_writing"),
        CheckConstraint("agency IS NULL OR region IS NOT NULL", name="agency_within_region"),
        CheckConstraint("admitted_by <> created_by OR created_by = 'operator'", name="two_people"),
        CheckConstraint("state NOT IN ('ACTIVE', 'LOCKED') OR admitted_by IS NOT NULL", name="admitted_before_enrolled"),
        CheckConstraint("NOT ('AUDITOR' = ANY (roles)) OR region IS NULL", name="auditors_see_every_region"),
        CheckConstraint(
            "(state IN ('ACTIVE', 'LOCKED')) = (password_hash IS NOT NULL)", name="password_while_enrolled"
        ),
        CheckConstraint("state NOT IN ('ACTIVE', 'LOCKED') OR totp_sealed IS NOT NULL", name="two_factors"),
        CheckConstraint("state <> 'LEFT' OR totp_sealed IS NULL", name="nothing_left_behind"),
        CheckConstraint("state = 'LOCKED' OR locked_until IS NULL", name="locked_until_while_locked"),
        CheckConstraint(
            "(state = 'INVITED') = (invitation_hash IS NOT NULL) AND (state = 'INVITED') = (invitation_expires_at IS NOT NULL)",
            name="invitation_while_invited",
        ),
    )  # fmt: skip
    MOVES: ClassVar[Moves] = Moves(
        "staff",
        {
            (_S.INVITED, _S.ACTIVE): "staff.enrolled",
            (_S.INVITED, _S.LEFT): "staff.left",
            (_S.ACTIVE, _S.LOCKED): "staff.locked",
            (_S.LOCKED, _S.ACTIVE): "staff.unlocked",
            (_S.LOCKED, _S.LOCKED): "staff.locked",
            (_S.ACTIVE, _S.INVITED): "staff.reset",
            (_S.LOCKED, _S.INVITED): "staff.reset",
            (_S.ACTIVE, _S.LEFT): "staff.left",
            (_S.LOCKED, _S.LEFT): "staff.left",
        },
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[str] = mapped_column(unique=True)
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    region: Mapped[str | None]
    """Code of the region whose affairs they see, with all regions below it; None: every region."""
    agency: Mapped[str | None]
    """Code of the agency within the region; None: every agency there."""
    state: Mapped[str] = mapped_column(default=StaffState.INVITED)
    invitation_hash: Mapped[bytes | None]
    invitation_expires_at: Mapped[datetime | None]
    password_hash: Mapped[str | None]
    """argon2id, with its parameters inside."""
    password_set_at: Mapped[datetime | None]
    totp_sealed: Mapped[bytes | None]
    """The secret that the phone shares, sealed; offered with the invitation, proven by the first code."""
    totp_step: Mapped[int | None]
    """The last half minute whose code was taken. An older one, or the same again, is refused."""
    failed_tries: Mapped[int] = mapped_column(server_default="0")
    lockouts: Mapped[int] = mapped_column(server_default="0")
    """In a row, without a good sign-in between: each doubles the wait."""
    locked_until: Mapped[datetime | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    admitted_by: Mapped[str | None]
    """Who issued the first code: another administrator than the one who invited, or the operator. Empty: no code is out yet."""
    signed_in_at: Mapped[datetime | None]

    @classmethod
    def totp_place(cls, row_id: uuid.UUID) -> str:
        return cls.place_of("totp_sealed", row_id)

    @property
    def who(self) -> str:
        """As records name them."""
        return f"staff:{self.number}"

    def admit(self, *, who: str) -> None:
        """By the second of the two; the database refuses the first one's own number. Who admitted first, stays."""
        self.admitted_by = self.admitted_by or who

    def invite_again(self, *, invitation_hash: bytes, expires_at: datetime, totp_sealed: bytes) -> None:
        """Another code in place of one that was lost or lapsed; nothing was enrolled by the old one."""
        self.invitation_hash, self.invitation_expires_at, self.totp_sealed = invitation_hash, expires_at, totp_sealed
        self.totp_step = None

    def enrol(self, *, password_hash: str, totp_step: int, who: str, at: datetime) -> None:
        """Password and phone are theirs from now on; the code on paper is spent."""
        self._move(_S.ACTIVE, who=who, at=at)
        self.password_hash, self.password_set_at, self.totp_step = password_hash, at, totp_step
        self.invitation_hash = self.invitation_expires_at = None
        self.failed_tries = self.lockouts = 0

    def lock(self, *, until: datetime | None, who: str, at: datetime, why: str | None = None) -> None:
        """`until` None: until an administrator unlocks."""
        self._move(_S.LOCKED, who=who, at=at, why=why)
        self.locked_until, self.failed_tries = until, 0
        if until is not None:
            self.lockouts += 1

    def unlock(self, *, who: str, at: datetime, why: str | None = None, forgiven: bool = True) -> None:
        """`forgiven`: the next lock is a short one again. Whoever only waited is not."""
        self._move(_S.ACTIVE, who=who, at=at, why=why)
        self.locked_until, self.failed_tries = None, 0
        if forgiven:
            self.lockouts = 0

    def reset(self, *, invitation_hash: bytes, expires_at: datetime, totp_sealed: bytes, who: str, at: datetime) -> None:
        """The phone is lost: password and phone are set anew, by a code on paper."""
        self._move(_S.INVITED, who=who, at=at)
        self.password_hash = self.password_set_at = self.locked_until = None
        self.failed_tries = self.lockouts = 0
        self.invite_again(invitation_hash=invitation_hash, expires_at=expires_at, totp_sealed=totp_sealed)

    def leave(self, *, who: str, at: datetime) -> None:
        self._move(_S.LEFT, who=who, at=at)
        self.password_hash = self.password_set_at = self.totp_sealed = self.totp_step = None
        self.invitation_hash = self.invitation_expires_at = self.locked_until = None


class StaffSession(Base):
    """A signed-in browser of one of the staff. Only the token's SHA-256 is kept."""

    __tablename__ = "staff_sessions"
    __table_args__ = (
        Index("uq_staff_sessions_staff_id_live", "staff_id", unique=True, postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    staff_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("staff.id"))
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    address: Mapped[str]
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    """At the latest; a quarter of an hour without a request ends it sooner."""
    ended_at: Mapped[datetime | None]
    ended_why: Mapped[str | None]

    staff: Mapped[Staff] = relationship(lazy="joined")


class StaffAct(Base):
    """What one of the staff looked at or did, from where, and how it ended. Never changed, never deleted."""

    __tablename__ = "staff_acts"
    __table_args__ = (
        Index(None, "who", "id"),
        Index(None, "network", "at", postgresql_where=text("result <> 'DONE'")),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    who: Mapped[str]
    """`staff:…`, `operator` at the command line, or `nobody` where no number was known."""
    act: Mapped[str]
    """`staff.…` for what a service did; `GET …` or `POST …` with the page's name for a request."""
    subject: Mapped[str]
    """What it was done to, by its number or id; empty where the page is about nobody."""
    result: Mapped[str]
    """DONE, or the code of the refusal."""
    address: Mapped[str]
    network: Mapped[str]
    """The address, or of an IPv6 address its /64: one household, one count."""
    request_id: Mapped[str]
    at: Mapped[datetime]


class StaffReset(Stateful, Base):
    """A lost phone: one administrator asks, another confirms, and neither of them is the one who lost it."""

    __tablename__ = "staff_resets"
    __table_args__ = (
        one_of(ResetState),
        CheckConstraint("confirmed_by IS NULL OR confirmed_by <> asked_by", name="two_people"),
        Index("uq_staff_resets_staff_id_asked", "staff_id", unique=True, postgresql_where=text("state = 'ASKED'")),
    )
    MOVES: ClassVar[Moves] = Moves(
        "staff_reset",
        {
            (_R.ASKED, _R.CONFIRMED): "staff_reset.confirmed",
            (_R.ASKED, _R.REFUSED): "staff_reset.refused",
            (_R.ASKED, _R.LAPSED): "staff_reset.lapsed",
        },
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    staff_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("staff.id"))
    state: Mapped[str] = mapped_column(default=ResetState.ASKED)
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    confirmed_by: Mapped[str | None]
    finished_at: Mapped[datetime | None]

    staff: Mapped[Staff] = relationship(lazy="joined")

    def confirm(self, *, who: str, at: datetime) -> None:
        """The second of the two; the database refuses the first one's own number."""
        self._move(_R.CONFIRMED, who=who, at=at)
        self.confirmed_by, self.finished_at = who, at

    def refuse(self, *, who: str, at: datetime) -> None:
        self._move(_R.REFUSED, who=who, at=at)
        self.finished_at = at

    def lapse(self, *, at: datetime) -> None:
        self._move(_R.LAPSED, who="staff_resets.lapse", at=at)
        self.finished_at = at
