"""A person's page: one story in time order, masked, each thing with its words and the way to its page."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from flask import url_for

from console import money_words as told
from console import people_words
from console.money import asked, my_accounts
from console.pages import ACCOUNTANTS, BUSINESS, REVIEWERS, me, page, ports, show
from models.staff import StaffRole
from services import person_story
from services.money_scope import ways_within
from services.person_story import Place
from services.person_story_rows import ROWS, Kind
from services.staff import EVERYWHERE

if TYPE_CHECKING:
    import uuid

    from services.person_story import Entry
    from services.ports import Ports
    from services.staff import Scope

_REVIEWER: Final = frozenset(
    {Kind.ENROLLMENTS, Kind.APPLICATIONS, Kind.BILLS, Kind.ORDERS, Kind.DEBITS, Kind.MESSAGES, Kind.IDENTITY, Kind.CONSENTS}
)
_ACCOUNTANT: Final = frozenset({Kind.ENROLLMENTS, Kind.BILLS, Kind.ORDERS, Kind.REFUNDS, Kind.DEBITS, Kind.MESSAGES})
KINDS: Final = {
    StaffRole.REVIEWER: _REVIEWER,
    StaffRole.ACCOUNTANT: _ACCOUNTANT,
    StaffRole.SUPERVISOR: frozenset(Kind),
}
"""What each role may read of a person; who opened their data, a supervisor alone."""
LONGEST_KEY: Final = 64


def scope_of_person(ports: Ports, *, person_id: uuid.UUID) -> Scope:
    """Raises NotFound."""
    return me().scope if person_story.is_affair_of(ports, person_id=person_id, staff=me()) else EVERYWHERE


@page("/people/<uuid:person_id>", roles=BUSINESS, scope=scope_of_person, section="home")
def read_person(person_id: uuid.UUID) -> str:
    mine = [kind for kind in Kind if any(kind in KINDS.get(role, ()) for role in me().roles)]
    wanted = Kind(asked("kind")) if asked("kind") in set(mine) else None
    place = _place(asked("place"))
    story = person_story.read_story(ports(), person_id=person_id, staff=me(), kinds=[wanted] if wanted else mine, before=place)
    link = _links()
    return show(
        "person.html",
        story=story,
        lines=[(entry, people_words.line(ports().rulebook, entry), link(entry)) for entry in story.entries],
        kinds=mine,
        wanted=wanted,
        is_later_page=place is not None,
        older=_written(story.older) if story.older else None,
        told=told,
        people=people_words,
        rulebook=ports().rulebook,
    )


def _links() -> Any:
    """Entry → where it stands, for whoever may go there."""
    roles, accounts, ways = me().roles, my_accounts(), ways_within(ports(), me().scope)
    is_accountant, is_reviewer = not ACCOUNTANTS.isdisjoint(roles), not REVIEWERS.isdisjoint(roles)

    def link(entry: Entry) -> str | None:
        it = entry.facts
        if is_accountant and it.get("account") and (accounts is None or it["account"] in accounts):
            if entry.what in ("refund", "refunded"):
                return url_for("console.read_refund", refund_id=it["id"])
            return url_for("console.explain", no=it["payment_no"])
        if is_accountant and entry.what == "debit" and (ways is None or it["way"] in ways):
            return url_for("console.read_batch", batch_id=it["batch_id"])
        if is_reviewer and entry.what in ("application_move", "override"):
            return url_for("console.read_review", application_id=it["id"])
        return None

    return link


def _written(place: Place) -> str:
    return f"{place.at.isoformat()}~{place.what}~{place.key}"


def _place(text: str) -> Place | None:
    """None for what no page of ours wrote: then the story begins at its end."""
    at, _, rest = text.replace(" ", "+").partition("~")
    what, _, key = rest.partition("~")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    if moment.tzinfo is None or what not in ROWS or len(key) > LONGEST_KEY:
        return None
    return Place(at=moment, what=what, key=key)
