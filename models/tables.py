"""Every table, imported once, for Alembic and for those who need the whole metadata."""

from models import (
    accounts,
    adjustments,
    applications,
    audit,
    bills,
    consents,
    enrollments,
    identity,
    inbox,
    insured_persons,
    journal,
    messages,
    orders,
    payments,
    people,
    personal_data,
    printouts,
    reconciliation,
    refunds,
    reviews,
    staff,
)
from models.base import Base

metadata = Base.metadata

__all__ = [
    "accounts",
    "adjustments",
    "applications",
    "audit",
    "bills",
    "consents",
    "enrollments",
    "identity",
    "inbox",
    "insured_persons",
    "journal",
    "messages",
    "metadata",
    "orders",
    "payments",
    "people",
    "personal_data",
    "printouts",
    "reconciliation",
    "refunds",
    "reviews",
    "staff",
]
