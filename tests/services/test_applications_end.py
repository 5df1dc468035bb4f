"""What becomes of applications in the end: drafts go in time and with their account, what was decided stays, and no picture is forgotten."""

from __future__ import annotations

import pytest

from models.applications import ApplicationDocument, ApplicationItem, ApplicationState, EnrollmentApplication, JointCase
from models.base import new_id
from services.own_data import own_data
from services.own_data_requests import make_request
from services.retention import apply_retention

HANDED_IN = ("SUBMITTED", "UNDER_REVIEW", "RETURNED", "APPROVED", "REJECTED")


def an_application(ports, account, state="DRAFT", *, insurance_type="110", joint_case=None, copied_from=None):
    """A row in this state, as the verbs would have left it, with an insurance and a picture."""
    now, row_id = ports.now(), new_id()
    row = EnrollmentApplication(
        id=row_id,
        kind="NEW_ENROLLMENT",
        state=state,
        account_id=account.id,
        person_id=account.person_id,
        miniprogram=account.miniprogram,
        region="320400",
        joint_case_id=joint_case,
        copied_from_id=copied_from,
        details_sealed=ports.seals.seal("{}", place=EnrollmentApplication.details_place(row_id)),
        submitted_at=now if state in (*HANDED_IN, "LAPSED") else None,
        decided_by="staff:1" if state in ("APPROVED", "REJECTED") else None,
        decision_reason="OTHER" if state in ("REJECTED", "RETURNED") else None,
        created_at=now,
        updated_at=now,
    )
    with ports.begin() as session:
        session.add(row)
        session.flush()
        session.add(
            ApplicationItem(
                application_id=row_id, insurance_type=insurance_type, person_id=account.person_id, tier="3", live=row.is_open
            )
        )
        session.add(
            ApplicationDocument(
                application_id=row_id, kind="ID_FRONT", media_type="image/jpeg", byte_count=1, width=1, height=1,
                content_hash=b"h", uploaded_at=now,
            )
        )  # fmt: skip
        session.flush()
        session.expunge_all()
    return row


def close(ports, account):
    return make_request(ports, account=account, kind="DELETE", wish=None, idempotency_key=f"key-{new_id()}")


def left(world):
    return [state for (state,) in world.rows("SELECT state FROM enrollment_applications ORDER BY state")]


@pytest.mark.parametrize("state", ["DRAFT", "DOCUMENTS_READY", "WITHDRAWN", "LAPSED"])
def test_what_nobody_decided_goes_ninety_days_after_its_last_change_and_leaves_the_picture_to_its_sweep(
    world, ports, clock, state
):
    an_application(ports, world.account(), state)
    clock.move(days=90)
    apply_retention(ports)
    assert left(world) == [state]

    clock.move(days=1)
    apply_retention(ports)
    assert left(world) == []
    assert world.scalar("SELECT count(*) FROM application_items") == 0
    assert world.rows("SELECT application_id, erased_at FROM application_documents") == [(None, None)]


@pytest.mark.parametrize("state", HANDED_IN)
def test_what_was_handed_in_stays_however_old(world, ports, clock, state):
    an_application(ports, world.account(), state)
    clock.move(days=4000)
    apply_retention(ports)

    assert left(world) == [state]
    assert world.scalar("SELECT details_sealed IS NOT NULL FROM enrollment_applications")


def test_one_that_others_were_copied_from_goes_all_the_same(world, ports, clock):
    account = world.account()
    first = an_application(ports, account, "WITHDRAWN")
    an_application(ports, account, "APPROVED", copied_from=first.id)
    clock.move(days=91)
    apply_retention(ports)

    assert left(world) == ["APPROVED"]


def test_a_joint_case_goes_when_nothing_is_in_it_any_more(world, ports, clock):
    account = world.account()
    cases = [new_id(), new_id()]
    with ports.begin() as session:
        session.add_all(
            JointCase(id=case, account_id=account.id, person_id=account.person_id, region="650000", created_at=ports.now())
            for case in cases
        )
    an_application(ports, account, "APPROVED", joint_case=cases[0])
    an_application(ports, account, "DRAFT", joint_case=cases[1], insurance_type="310")
    clock.move(days=91)
    apply_retention(ports)
    apply_retention(ports)

    assert world.rows("SELECT id FROM joint_cases") == [(cases[0],)]


def test_an_erased_picture_is_remembered_for_ninety_days(world, ports, clock):
    an_application(ports, world.account(), "APPROVED")
    with ports.begin() as session:
        session.query(ApplicationDocument).update({"erased_at": ports.now()})
    clock.move(days=91)
    apply_retention(ports)

    assert world.scalar("SELECT count(*) FROM application_documents") == 0


# --- the account


def test_drafts_go_with_the_account_and_whoever_only_wrote_drafts_leaves_no_name(world, ports):
    account = world.account()
    with ports.begin() as session:
        case = JointCase(account_id=account.id, person_id=account.person_id, region="320400", created_at=ports.now())
        session.add(case)
    an_application(ports, account, "DRAFT", joint_case=case.id)
    an_application(ports, account, "WITHDRAWN")

    assert close(ports, account).state == "DONE"
    assert left(world) == []
    assert world.scalar("SELECT count(*) FROM joint_cases") == 0
    assert world.scalar("SELECT count(*) FROM persons") == 0
    assert world.scalar("SELECT count(*) FROM application_documents WHERE application_id IS NULL AND erased_at IS NULL") == 2


@pytest.mark.parametrize("state", ["SUBMITTED", "UNDER_REVIEW", "RETURNED"])
def test_what_waits_at_the_registrar_is_withdrawn_or_decided_first(world, ports, state):
    account = world.account()
    an_application(ports, account, state)
    said = close(ports, account)

    assert said.state == "REFUSED"
    assert "1件参保申请正在办理" in said.answer
    assert left(world) == [state]


@pytest.mark.parametrize("state", ["APPROVED", "REJECTED"])
def test_what_was_decided_stays_with_its_person(world, ports, state):
    account = world.account()
    an_application(ports, account, state)
    said = close(ports, account)

    assert said.state == "DONE"
    assert any("参保申请" in each["what"] for each in said.kept)
    assert left(world) == [state]
    assert world.scalar("SELECT count(*) FROM persons") == 1


# --- my own data


def test_my_applications_are_told_masked_and_nobody_elses(world, ports):
    account, stranger = world.account(), world.account()
    row = an_application(ports, account, ApplicationState.SUBMITTED)
    an_application(ports, stranger)
    told = {view.kind: view for view in own_data(ports, account=account)}

    assert [item["case_no"] for item in told["applications"].items] == [row.case_no]
    assert [item["insurance_type"] for item in told["application_items"].items] == ["110"]
    assert [item["kind"] for item in told["application_documents"].items] == ["ID_FRONT"]
