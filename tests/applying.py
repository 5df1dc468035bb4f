"""People who apply: grown up, verified, agreed, with everything that a region asks for at hand."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from config.rulebook import ApplicationKind
from models.applications import ApplicationDocument, EnrollmentApplication
from services import reviews
from services.applications import NewApplication, create_application, hand_in_documents, submit_application
from services.choices import Choice
from services.review_queue import Reviewer
from tests.factories import an_id_number

if TYPE_CHECKING:
    from models.accounts import Account
    from models.people import Person
    from services.application_views import ApplicationView
    from tests.factories import World

HRSS_APP = "changzhou-hrss-app"
HRSS_WECHAT = "xinjiang-hrss-wechat"
CARD = "6222021001112223331"
CHANGZHOU = {
    "hukou_division": "320402",
    "residence_division": "320402",
    "residence_address": "常州市天宁区某某街道一号",
    "mobile": "13912345678",
    "employment_form": "FLEXIBLE",
    "pooling_area": "320402",
}
BANK = {"bank_category": "ICBC", "card_number": CARD}
XINJIANG = {
    "residence_address": "乌鲁木齐市天山区某某路二号",
    "mobile": "13912345678",
    "employment_form": "FLEXIBLE",
    "pooling_area": "650102",
    **BANK,
}
PENSION = Choice(insurance_type="110", tier="3")
MEDICAL = Choice(insurance_type="310", tier="5")
PAPERS = ("ID_FRONT", "ID_BACK", "RESIDENCE_PERMIT")
XINJIANG_PAPERS = ("ID_FRONT", "ID_BACK", "HUKOU_SELF_PAGE")
REVIEWER = Reviewer(who="staff:S1001", roles=frozenset({"REVIEWER"}))
_people = itertools.count()


def a_workers_number(*, born: str | None = None, female: bool = False) -> str:
    """Somebody of some thirty years, another one each time."""
    count = next(_people)
    return an_id_number(count, born=born or f"1992{1 + count // 500 % 12:02d}15", female=female)


def a_worker(world: World, **how: Any) -> Person:
    return world.person(id_number=a_workers_number(**how))


def an_applicant(
    world: World, person: Person | None = None, *, miniprogram: str = HRSS_APP, without: tuple[str, ...] = ()
) -> Account:
    """Verified, and agreed to all that applying asks for, except what is left out."""
    account = world.account(person or a_worker(world), miniprogram=miniprogram)
    world.agree(account, *(each for each in ("ENROLLMENT", "DOCUMENTS", "BANK_ACCOUNT") if each not in without))
    return account


def in_xinjiang(world: World, person: Person | None = None, **how: Any) -> Account:
    return an_applicant(world, person, miniprogram=HRSS_WECHAT, **how)


def begin(
    world: World, account: Account, kind: str = "NEW_ENROLLMENT", *, key: str | None = None, **more: Any
) -> ApplicationView:
    """A draft with everything filled in, unless told otherwise."""
    region = more.pop("region", "650000" if account.miniprogram.startswith("xinjiang") else "320400")
    answers = {
        ("320400", "NEW_ENROLLMENT"): CHANGZHOU,
        ("650000", "NEW_ENROLLMENT"): XINJIANG,
        ("650000", "RESUMPTION"): {"pooling_area": "650102", **BANK},
        ("650000", "SUSPENSION"): {"change_reason": "6300"},
    }.get((region, kind), {})
    choice = Choice(insurance_type="110") if kind == "SUSPENSION" else PENSION
    given = {"answers": answers, "choices": (choice,), **more}
    new = NewApplication(kind=ApplicationKind(kind), region=region, **given)
    return create_application(world.ports, account=account, new=new, idempotency_key=key or f"key-{next(_people)}-{account.id}")


def lay_papers(world: World, view: ApplicationView, *kinds: str) -> None:
    """The rows of uploaded papers, without pictures."""
    with world.ports.begin() as session:
        for kind in kinds:
            session.add(
                ApplicationDocument(
                    application_id=view.id, kind=kind, media_type="image/jpeg", byte_count=1, width=1, height=1,
                    content_hash=kind.encode(), uploaded_at=world.ports.now(),
                )
            )  # fmt: skip


def submitted(world: World, account: Account, kind: str = "NEW_ENROLLMENT", **more: Any) -> ApplicationView:
    """All the way to the registrar's desk, as the region says."""
    view = begin(world, account, kind, **more)
    if view.region == "320400":
        lay_papers(world, view, *PAPERS)
        view = hand_in_documents(world.ports, account=account, application_id=view.id)
    elif kind == "NEW_ENROLLMENT":
        lay_papers(world, view, *XINJIANG_PAPERS)
    return submit_application(world.ports, account=account, application_id=view.id, version=view.version)


def judged(world: World, view: ApplicationView, verb: str, *given: Any, remark: str | None = None) -> None:
    """What a reviewer did: taken up first, then approve, reject or give_back."""
    ports, who = world.ports, "staff:7"
    with ports.begin() as session:
        row = session.get_one(EnrollmentApplication, view.id)
        row.take_up(who=who, at=ports.now())
        if verb == "take_up":
            return
        getattr(row, verb)(*given, who=who, at=ports.now())
        if remark is not None:
            row.remark_sealed = ports.seals.seal(remark, place=EnrollmentApplication.remark_place(row.id))
        if verb in ("approve", "reject"):
            from services.application_steps import end_items

            end_items(session, row)


def approved(world: World, account: Account, **more: Any) -> ApplicationView:
    """Submitted and approved by a reviewer, with all that follows: enrolments, bills, messages."""
    view = submitted(world, account, **more)
    reviews.take_up(world.ports, application_id=view.id, reviewer=REVIEWER)
    reviews.approve(world.ports, application_id=view.id, version=view.version, reviewer=REVIEWER)
    return view


def printable(
    world: World, account: Account | None = None, *, read: bool = True, **more: Any
) -> tuple[Account, ApplicationView]:
    """Approved in Changzhou, with the agency's notice read unless told otherwise: the form may be printed."""
    account = account or an_applicant(world)
    view = approved(world, account, **{"choices": (PENSION, MEDICAL), **more})
    if read:
        world.agree(account, "AGENCY_CLIENT")
    return account, view
