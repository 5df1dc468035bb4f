"""Applications in the reviewers' hands, and the reviewers: the plainest valid ones."""

from __future__ import annotations

import io
import itertools
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from PIL import Image
from sqlalchemy import select

from config.blob_seals import new_blob_key, seal_blob
from models.applications import ApplicationDocument, ApplicationItem, ApplicationKind, ApplicationState, EnrollmentApplication
from models.base import new_id
from models.enrollments import Enrollment
from models.messages import Message
from models.reviews import StaffPerson
from services import reviews
from services.documents import name_of
from services.review_queue import Reviewer
from tests.factories import AREAS, WECHAT, XINJIANG, an_id_number
from tests.photographs import as_bytes, page

if TYPE_CHECKING:
    import uuid

    from models.accounts import Account
    from models.people import Person
    from tests.factories import World

_born = itertools.count(1)
REVIEWER = Reviewer(who="staff:S1001", roles=frozenset({"REVIEWER"}))
OTHER = Reviewer(who="staff:S1002", roles=frozenset({"REVIEWER"}))
SUPERVISOR = Reviewer(who="staff:S2001", roles=frozenset({"SUPERVISOR"}))
AUDITOR = Reviewer(who="staff:S3001", roles=frozenset({"AUDITOR"}))
ITEMS = {"320400": (("110", "3"), ("310", "5")), "650000": (("110", "3"),)}
DETAILS = {"address": "某某路1号", "ethnic_group": "汉族"}


def an_applicant(world: World, *, born: str = "19900101", **more: Any) -> Person:
    """Somebody between the ages."""
    return world.person(id_number=an_id_number(next(_born), born=born, **more))


def an_application(
    world: World,
    person: Person | None = None,
    *,
    kind: ApplicationKind = ApplicationKind.NEW_ENROLLMENT,
    region: str = "320400",
    month: int | None = None,
    enrollments: tuple[Enrollment, ...] = (),
    account: Account | None = None,
    **more: Any,
) -> EnrollmentApplication:
    """Handed in a moment ago, due in two days."""
    person = person or an_applicant(world)
    account = account or world.account(person, miniprogram=WECHAT if region == "320400" else XINJIANG)
    now, row_id = world.ports.now(), new_id()
    given = {
        "id": row_id,
        "kind": kind,
        "state": ApplicationState.SUBMITTED,
        "account_id": account.id,
        "person_id": person.id,
        "miniprogram": account.miniprogram,
        "region": region,
        "pooling_area": AREAS[region],
        "agency": "TIANNING" if region == "320400" else None,
        "hukou_division": AREAS[region],
        "residence_division": AREAS[region],
        "effective_month": month,
        "details_sealed": world.ports.seals.seal(json.dumps(DETAILS), place=EnrollmentApplication.details_place(row_id)),
        "submitted_at": now,
        "target_at": now + timedelta(days=1),
        "due_at": now + timedelta(days=2),
        "created_at": now,
        "updated_at": now,
        **more,
    }
    application = EnrollmentApplication(**given)
    if enrollments:
        items = [
            ApplicationItem(
                application_id=row_id,
                insurance_type=each.insurance_type,
                person_id=person.id,
                tier=each.tier,
                enrollment_id=each.id,
            )
            for each in enrollments
        ]
    else:
        items = [
            ApplicationItem(application_id=row_id, insurance_type=insurance, person_id=person.id, tier=tier)
            for insurance, tier in ITEMS[region]
        ]
    with world.ports.begin() as session:
        session.add(application)
        session.flush()
        session.add_all(items)
        session.flush()
        session.expunge_all()
    return application


def taken_up(world: World, *given: Any, reviewer: Reviewer = REVIEWER, **more: Any) -> EnrollmentApplication:
    """The same, in this reviewer's hands."""
    application = an_application(world, *given, **more)
    reviews.take_up(world.ports, application_id=application.id, reviewer=reviewer)
    return application


def approve(world: World, application: EnrollmentApplication, *, reviewer: Reviewer = REVIEWER):
    return reviews.approve(world.ports, application_id=application.id, version=application.version, reviewer=reviewer)


def approved(world: World, *given: Any, **more: Any) -> EnrollmentApplication:
    application = taken_up(world, *given, **more)
    approve(world, application)
    return application


def a_picture(
    world: World, application: EnrollmentApplication, kind: str = "ID_FRONT", *, content: bytes | None = None
) -> uuid.UUID:
    """A photograph of one kind of paper, sealed and in the store, as an upload leaves it."""
    ports, document_id = world.ports, new_id()
    picture, key = content or as_bytes(page(320, 200)), new_blob_key(ports.seals.algorithm)
    with Image.open(io.BytesIO(picture)) as opened:
        width, height = opened.size
    ports.documents.put(name_of(document_id), seal_blob(picture, key=key, place=f"application_documents:{document_id}"))
    with ports.begin() as session:
        session.add(
            ApplicationDocument(
                id=document_id,
                application_id=application.id,
                kind=kind,
                media_type="image/jpeg",
                byte_count=len(picture),
                width=width,
                height=height,
                content_hash=document_id.bytes,
                picture_key_sealed=ports.seals.seal(key, place=ApplicationDocument.picture_key_place(document_id)),
                uploaded_at=ports.now(),
            )
        )
    return document_id


def is_person(world: World, person: Person, who: str) -> None:
    """Note that this one of the staff is this person."""
    row_id = new_id()
    with world.ports.begin() as session:
        session.add(
            StaffPerson(
                id=row_id,
                who=who,
                id_number_sealed=world.ports.seals.seal("x", place=StaffPerson.place_of("id_number_sealed", row_id)),
                id_number_index=person.id_number_index,
                noted_by="staff:A1",
                noted_at=world.ports.now(),
            )
        )


def state_of(world: World, application_id: uuid.UUID) -> str:
    return world.scalar("SELECT state FROM enrollment_applications WHERE id = :id", id=application_id)


def enrollments_of(world: World, person: Person) -> list[Enrollment]:
    with world.ports.begin() as session:
        found = list(session.scalars(select(Enrollment).where(Enrollment.person_id == person.id).order_by(Enrollment.id)))
        session.expunge_all()
    return found


def bills_of(world: World, person: Person) -> list[tuple[str, int, str]]:
    return world.rows(
        "SELECT b.insurance_type, b.coverage_month, b.state FROM contribution_bills b JOIN enrollments e ON e.id = b.enrollment_id"
        " WHERE e.person_id = :id ORDER BY b.insurance_type, b.coverage_month, b.id",
        id=person.id,
    )


def messages_to(world: World, account_id: uuid.UUID) -> list[Message]:
    with world.ports.begin() as session:
        found = list(session.scalars(select(Message).where(Message.account_id == account_id).order_by(Message.id)))
        session.expunge_all()
    return found
