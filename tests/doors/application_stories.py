"""Stories of applications, their forms and joint cases: what succeeds, and every refusal that is promised."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from services.registration_forms import PRINTS_A_DAY
from tests import applying
from tests.applying import (
    HRSS_APP,
    HRSS_WECHAT,
    PAPERS,
    XINJIANG_PAPERS,
    a_worker,
    an_applicant,
    approved,
    begin,
    in_xinjiang,
    judged,
    lay_papers,
    printable,
    submitted,
)
from tests.doors.stories import NOBODY, Ask, good, newcomer, refused, with_given

if TYPE_CHECKING:
    from models.accounts import Account
    from services.application_views import ApplicationView
    from tests.doors.house import House

CREATE, CHANGE, SUBMIT = "create_application", "change_application", "submit_application"
FIELDS = applying.CHANGZHOU
PENSION = {"insurance_type": "110", "tier": "3"}


def creating(account: Account, **changes: Any) -> Ask:
    given = {"kind": "NEW_ENROLLMENT", "region": "320400", "fields": FIELDS, "insurances": [PENSION], **changes}
    return Ask(method="POST", path="/applications", given=given, account=account)


def changing(account: Account, view: ApplicationView, **changes: Any) -> Ask:
    given = {"version": view.version, "fields": {"education": "COLLEGE"}, **changes}
    return Ask(method="PATCH", path=f"/applications/{view.id}", given=given, account=account)


def submitting(account: Account, view: ApplicationView) -> Ask:
    path = f"/applications/{view.id}/submission"
    return Ask(method="POST", path=path, given={"version": view.version}, account=account)


def a_draft(house: House) -> tuple[Account, ApplicationView]:
    account = an_applicant(house.world)
    return account, begin(house.world, account)


def ready_in_xinjiang(
    house: House, person: Any = None, kind: str = "NEW_ENROLLMENT", **more: Any
) -> tuple[Account, ApplicationView]:
    """Nothing is missing: 保存 submits it."""
    account = in_xinjiang(house.world, person)
    view = begin(house.world, account, kind, **more)
    if kind == "NEW_ENROLLMENT":
        lay_papers(house.world, view, *XINJIANG_PAPERS)
    return account, view


def enrolled(house: House, **how: Any) -> Any:
    person = a_worker(house.world)
    house.world.enrollment(person, **how)
    return person


# --- forms


@good
def read_application_form(house: House) -> Ask:
    path = "/application-forms/NEW_ENROLLMENT?region=320400&insurance_type=110"
    return Ask(method="GET", path=path, account=house.world.account(a_worker(house.world), miniprogram=HRSS_APP))


def form(house: House, path: str, person: Any = None, *, miniprogram: str = HRSS_WECHAT) -> Ask:
    account = house.world.account(person or a_worker(house.world), miniprogram=miniprogram)
    return Ask(method="GET", path=f"/application-forms/{path}", account=account)


@refused("read_application_form", "NOT_FOUND")
def _(house: House) -> Ask:
    return form(house, "BACK_PAYMENT")


@refused("read_application_form", "REGION_MISMATCH")
def _(house: House) -> Ask:
    return form(house, "NEW_ENROLLMENT?region=320400")


@refused("read_application_form", "NOT_AVAILABLE_ONLINE")
def _(house: House) -> Ask:
    return form(house, "SUSPENSION", miniprogram=HRSS_APP)


@refused("read_application_form", "REAL_NAME_REQUIRED")
def _(house: House) -> Ask:
    return replace(form(house, "NEW_ENROLLMENT"), account=newcomer(house, miniprogram=HRSS_WECHAT))


@refused("read_application_form", "CONSENT_REQUIRED")
def _(house: House) -> Ask:
    return taken_back(house, form(house, "NEW_ENROLLMENT"), "REAL_NAME")


@refused("read_application_form", "POOLING_AREA_UNKNOWN")
def _(house: House) -> Ask:
    return form(house, "NEW_ENROLLMENT?pooling_area=320402")


@refused("read_application_form", "BELOW_MINIMUM_AGE")
def _(house: House) -> Ask:
    return form(house, "NEW_ENROLLMENT", a_worker(house.world, born="20120101"))


@refused("read_application_form", "AT_PENSIONABLE_AGE")
def _(house: House) -> Ask:
    return form(house, "NEW_ENROLLMENT", a_worker(house.world, born="19550101"))


@refused("read_application_form", "INSURANCE_NOT_OFFERED")
def _(house: House) -> Ask:
    return form(house, "NEW_ENROLLMENT?insurance_type=310")


def taken_back(house: House, ask: Ask, purpose: str) -> Ask:
    """The same question after this consent was taken back."""
    assert ask.account is not None
    house.world.agree(ask.account, purpose)
    with house.ports.begin() as session:
        session.execute(
            text("UPDATE consents SET withdrawn_at = given_at WHERE account_id = :id AND purpose = :purpose"),
            {"id": ask.account.id, "purpose": purpose},
        )
    return ask


# --- beginning


@good
def create_application(house: House) -> Ask:
    return creating(an_applicant(house.world))


@good
def list_applications(house: House) -> Ask:
    account, _ = a_draft(house)
    return Ask(method="GET", path="/applications", account=account)


@good
def read_application(house: House) -> Ask:
    account, view = a_draft(house)
    return Ask(method="GET", path=f"/applications/{view.id}", account=account)


@refused("read_application", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(read_application(house), path=f"/applications/{NOBODY}")


@good
def change_application(house: House) -> Ask:
    return changing(*a_draft(house))


@good
def submit_application(house: House) -> Ask:
    return submitting(*ready_in_xinjiang(house))


@refused(CREATE, "NOT_FOUND")
def _(house: House) -> Ask:
    return with_given(create_application(house), joint_case_id=NOBODY)


@refused(CHANGE, "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(change_application(house), path=f"/applications/{NOBODY}")


@refused(SUBMIT, "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(submit_application(house), path=f"/applications/{NOBODY}/submission")


@refused(CREATE, "REAL_NAME_REQUIRED")
def _(house: House) -> Ask:
    return creating(newcomer(house, "ENROLLMENT", miniprogram=HRSS_APP))


@refused(CREATE, "CONSENT_REQUIRED")
def _(house: House) -> Ask:
    return creating(an_applicant(house.world, without=("ENROLLMENT",)))


def unverified(ask: Ask, house: House) -> Ask:
    """The holder of the account is not verified any more."""
    with house.ports.begin() as session:
        session.execute(text("UPDATE accounts SET person_id = NULL WHERE id = :id"), {"id": ask.account.id})
    return ask


@refused(CHANGE, "REAL_NAME_REQUIRED")
def _(house: House) -> Ask:
    return unverified(change_application(house), house)


@refused(SUBMIT, "REAL_NAME_REQUIRED")
def _(house: House) -> Ask:
    return unverified(submit_application(house), house)


@refused(CHANGE, "CONSENT_REQUIRED")
def _(house: House) -> Ask:
    return taken_back(house, change_application(house), "ENROLLMENT")


@refused(SUBMIT, "CONSENT_REQUIRED")
def _(house: House) -> Ask:
    return taken_back(house, submit_application(house), "DOCUMENTS")


@refused(CREATE, "APPLICATION_FIELDS_NOT_ACCEPTED")
def _(house: House) -> Ask:
    return with_given(create_application(house), fields={"mobile": "12345"})


@refused(CHANGE, "APPLICATION_FIELDS_NOT_ACCEPTED")
def _(house: House) -> Ask:
    return with_given(change_application(house), fields={"mobile": "12345"})


@refused(SUBMIT, "APPLICATION_FIELDS_NOT_ACCEPTED")
def _(house: House) -> Ask:
    person = enrolled(house, region="650000", start_month=202612)
    return submitting(*ready_in_xinjiang(house, person, "SUSPENSION"))


@refused(CREATE, "APPLICATION_OPEN")
def _(house: House) -> Ask:
    account, _ = a_draft(house)
    return creating(account)


@refused(CHANGE, "APPLICATION_OPEN")
def _(house: House) -> Ask:
    account, _ = a_draft(house)
    other = begin(house.world, account, choices=(applying.MEDICAL,))
    return changing(account, other, insurances=[PENSION])


@refused(CREATE, "TOO_MANY_APPLICATIONS")
def _(house: House) -> Ask:
    ask = create_application(house)
    phone = house.phone(ask.account)
    for _ in range(10):
        begun = ask.send(house)
        assert begun.status_code == 201
        assert phone.delete(f"/applications/{begun.json['id']}").status_code == 204
    return ask


@refused(CREATE, "IDEMPOTENCY_KEY_REUSED")
def _(house: House) -> Ask:
    ask = create_application(house)
    assert ask.send(house, key="the-same-key").status_code == 201
    return replace(with_given(ask, fields={}), key="the-same-key")


# --- going on


@refused(CHANGE, "APPLICATION_NOT_EDITABLE")
def _(house: House) -> Ask:
    account = an_applicant(house.world)
    return changing(account, submitted(house.world, account))


@refused(SUBMIT, "APPLICATION_NOT_EDITABLE")
def _(house: House) -> Ask:
    ask = submit_application(house)
    assert house.phone(ask.account).delete(ask.path.removesuffix("/submission")).status_code == 204
    return ask


@refused(CHANGE, "APPLICATION_CHANGED")
def _(house: House) -> Ask:
    return with_given(change_application(house), version=7)


@refused(SUBMIT, "APPLICATION_CHANGED")
def _(house: House) -> Ask:
    return with_given(submit_application(house), version=7)


@refused(SUBMIT, "APPLICATION_INCOMPLETE")
def _(house: House) -> Ask:
    return submitting(*ready_in_xinjiang(house, answers={"pooling_area": "650102"}))


@refused(SUBMIT, "DOCUMENTS_MISSING")
def _(house: House) -> Ask:
    account = in_xinjiang(house.world)
    return submitting(account, begin(house.world, account))


@refused(SUBMIT, "HAND_IN_DOCUMENTS_FIRST")
def _(house: House) -> Ask:
    account, view = a_draft(house)
    lay_papers(house.world, view, *PAPERS)
    return submitting(account, view)


@good
def hand_in_documents(house: House) -> Ask:
    account, view = a_draft(house)
    lay_papers(house.world, view, *PAPERS)
    return Ask(method="POST", path=f"/applications/{view.id}/documents-handed-in", given={}, account=account)


@refused("hand_in_documents", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(hand_in_documents(house), path=f"/applications/{NOBODY}/documents-handed-in")


@refused("hand_in_documents", "APPLICATION_NOT_EDITABLE")
def _(house: House) -> Ask:
    account = an_applicant(house.world)
    path = f"/applications/{submitted(house.world, account).id}/documents-handed-in"
    return Ask(method="POST", path=path, given={}, account=account)


@refused("hand_in_documents", "DOCUMENTS_MISSING")
def _(house: House) -> Ask:
    account, view = a_draft(house)
    return Ask(method="POST", path=f"/applications/{view.id}/documents-handed-in", given={}, account=account)


@good
def withdraw_application(house: House) -> Ask:
    account, view = a_draft(house)
    return Ask(method="DELETE", path=f"/applications/{view.id}", account=account)


@refused("withdraw_application", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(withdraw_application(house), path=f"/applications/{NOBODY}")


@refused("withdraw_application", "APPLICATION_CANNOT_BE_WITHDRAWN")
def _(house: House) -> Ask:
    account = an_applicant(house.world)
    view = submitted(house.world, account)
    judged(house.world, view, "take_up")
    return Ask(method="DELETE", path=f"/applications/{view.id}", account=account)


# --- what the rules say: the same of a new one, a changed one and one that is submitted


def after(house: House, account: Account, born: str) -> None:
    """The registrar corrected the person's number: now they were born on this day."""
    from models.people import Person

    number = applying.a_workers_number(born=born)
    with house.ports.begin() as session:
        person = session.get_one(Person, account.person_id)
        person.id_number_sealed = house.ports.seals.seal(number, place=Person.id_number_place(person.id))
        person.id_number_index = house.ports.seals.index("id_number", number)


def spoil(house: House, account: Account, code: str) -> None:
    """What comes between a good draft and the next press, so that the rules refuse it."""
    world = house.world
    person_id = account.person_id
    person = type("Somebody", (), {"id": person_id})()
    sql = {
        "POOLING_AREA_UNKNOWN": "UPDATE enrollment_applications SET pooling_area = '999999' WHERE account_id = :id",
        "NOT_AVAILABLE_ONLINE": "UPDATE enrollment_applications SET pooling_area = '659001' WHERE account_id = :id",
        "TIER_NOT_OFFERED": "UPDATE application_items SET tier = '99' WHERE person_id = :person",
        "INSURANCE_NOT_OFFERED": "UPDATE application_items SET insurance_type = '310' WHERE person_id = :person",
        "DECLARED_WAGE_OUT_OF_LIMITS": "UPDATE application_items SET tier = NULL, declared_wage_fen = 1 WHERE person_id = :person",
        "NO_INSURANCE_SELECTED": "DELETE FROM application_items WHERE person_id = :person",
        "HUKOU_NOT_ELIGIBLE": "UPDATE enrollment_applications SET hukou_division = '410100' WHERE account_id = :id",
        "NOT_SUSPENDED": "UPDATE enrollments SET state = 'TERMINATED' WHERE person_id = :person",
        "NOT_ACTIVE": "UPDATE enrollments SET state = 'TERMINATED' WHERE person_id = :person",
        "REGION_MISMATCH": "UPDATE enrollments SET region = '320400', pooling_area = '320402' WHERE person_id = :person",
    }
    if code == "BELOW_MINIMUM_AGE":
        after(house, account, "20120101")
    elif code == "AT_PENSIONABLE_AGE":
        after(house, account, "19550101")
    elif code == "ALREADY_ENROLLED":
        world.enrollment(person, region="650000")
    elif code == "ALREADY_RETIRED":
        world.enrollment(person, region="650000", state="RETIRED")
    elif code == "ACTIVE_ELSEWHERE":
        world.enrollment(person, region="320400")
    else:
        with house.ports.begin() as session:
            session.execute(text(sql[code]), {"id": account.id, "person": person_id})


RULES = (
    "NOT_AVAILABLE_ONLINE", "REGION_MISMATCH", "POOLING_AREA_UNKNOWN", "BELOW_MINIMUM_AGE", "AT_PENSIONABLE_AGE", "HUKOU_NOT_ELIGIBLE",
    "ALREADY_ENROLLED", "ALREADY_RETIRED", "ACTIVE_ELSEWHERE", "NOT_SUSPENDED", "NOT_ACTIVE", "INSURANCE_NOT_OFFERED", "TIER_NOT_OFFERED",
    "DECLARED_WAGE_OUT_OF_LIMITS", "NO_INSURANCE_SELECTED",
)  # fmt: skip


def a_good_draft(house: House, code: str) -> tuple[Account, ApplicationView]:
    """A draft that nothing is wrong with, of the kind that this refusal is about."""
    if code == "HUKOU_NOT_ELIGIBLE":
        account, view = a_draft(house)
        lay_papers(house.world, view, *PAPERS)
        hand = Ask(method="POST", path=f"/applications/{view.id}/documents-handed-in", given={}, account=account)
        assert hand.send(house).status_code == 200
        return account, view
    if code in ("NOT_SUSPENDED", "REGION_MISMATCH"):
        return ready_in_xinjiang(house, enrolled(house, region="650000", state="SUSPENDED", end_month=202606), "RESUMPTION")
    if code == "NOT_ACTIVE":
        return ready_in_xinjiang(house, enrolled(house, region="650000"), "SUSPENSION")
    return ready_in_xinjiang(house)


def _promise(code: str) -> None:
    @refused(SUBMIT, code)
    def submits(house: House) -> Ask:
        account, view = a_good_draft(house, code)
        spoil(house, account, code)
        return submitting(account, view)

    @refused(CHANGE, code)
    def changes(house: House) -> Ask:
        account, view = a_good_draft(house, code)
        if code == "NO_INSURANCE_SELECTED":
            # The pension cannot be declined here, whatever else is chosen: a draft may lack a choice, and not hold a wrong one.
            return without_medicals_freedom(house)
        spoil(house, account, code)
        key = "pooling_area" if code in ("NOT_SUSPENDED", "REGION_MISMATCH") else None
        fields = {key: "650102"} if key else {}
        return changing(account, view, fields=fields)

    @refused(CREATE, code)
    def creates(house: House) -> Ask:
        if code == "NO_INSURANCE_SELECTED":
            return without_medicals_freedom(house, create=True)
        account, view = a_good_draft(house, code)
        assert house.phone(account).delete(f"/applications/{view.id}").status_code == 204
        ask = creating(account, kind=view.kind, region=view.region, fields={}, insurances=None, copied_from=str(view.id))
        spoil(house, account, code)
        return ask


def without_medicals_freedom(house: House, *, create: bool = False) -> Ask:
    """Medical insurance alone, where the pension is a must."""
    from config.rulebook import Insurance, Rulebook

    account, view = a_draft(house)
    region = house.ports.rulebook.region("320400")
    must = tuple(row.model_copy(update={"may_be_declined": False}) for row in region.own(Insurance))
    regions = {**house.ports.rulebook.regions, "320400": replace(region, rows={**region.rows, Insurance: must})}
    house.swap_ports(rulebook=Rulebook(regions))
    medical = [{"insurance_type": "310", "tier": "5"}]
    if not create:
        return changing(account, view, insurances=medical)
    return creating(an_applicant(house.world), insurances=medical)


for _code in RULES:
    _promise(_code)


# --- joint cases


@good
def open_joint_case(house: House) -> Ask:
    return Ask(method="POST", path="/joint-cases", given={"region": "650000"}, account=in_xinjiang(house.world))


@good
def list_joint_cases(house: House) -> Ask:
    ask = open_joint_case(house)
    assert ask.send(house).status_code == 201
    return Ask(method="GET", path="/joint-cases", account=ask.account)


@good
def read_joint_case(house: House) -> Ask:
    ask = open_joint_case(house)
    return Ask(method="GET", path=f"/joint-cases/{ask.send(house).json['id']}", account=ask.account)


@refused("read_joint_case", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(read_joint_case(house), path=f"/joint-cases/{NOBODY}")


@refused("open_joint_case", "NOT_FOUND")
def _(house: House) -> Ask:
    return with_given(open_joint_case(house), region="320000")


@refused("open_joint_case", "REGION_MISMATCH")
def _(house: House) -> Ask:
    return with_given(open_joint_case(house), region="320400")


@refused("open_joint_case", "REAL_NAME_REQUIRED")
def _(house: House) -> Ask:
    return replace(open_joint_case(house), account=newcomer(house, "ENROLLMENT", miniprogram=HRSS_WECHAT))


@refused("open_joint_case", "CONSENT_REQUIRED")
def _(house: House) -> Ask:
    return replace(open_joint_case(house), account=in_xinjiang(house.world, without=("ENROLLMENT",)))


@refused("open_joint_case", "NOT_AVAILABLE_ONLINE")
def _(house: House) -> Ask:
    return with_given(open_joint_case(house), resident_scheme="170")


@refused("open_joint_case", "INSURANCE_NOT_OFFERED")
def _(house: House) -> Ask:
    from config.rulebook import ResidentScheme, Rulebook

    region = house.ports.rulebook.region("650000")
    regions = {**house.ports.rulebook.regions, "650000": replace(region, rows={**region.rows, ResidentScheme: ()})}
    house.swap_ports(rulebook=Rulebook(regions))
    return with_given(open_joint_case(house), resident_scheme="390")


@refused("open_joint_case", "TOO_MANY_APPLICATIONS")
def _(house: House) -> Ask:
    ask = open_joint_case(house)
    for _ in range(10):
        assert ask.send(house).status_code == 201
    return ask


@refused("open_joint_case", "IDEMPOTENCY_KEY_REUSED")
def _(house: House) -> Ask:
    ask = open_joint_case(house)
    assert ask.send(house, key="the-same-key").status_code == 201
    with house.ports.begin() as session:
        session.execute(text("UPDATE idempotency_keys SET request_hash = 'x' WHERE account_id = :id"), {"id": ask.account.id})
    return replace(ask, key="the-same-key")


# --- the form to print


def printing(account: Account, view: ApplicationView) -> Ask:
    return Ask(method="GET", path=f"/applications/{view.id}/registration-form", account=account)


@good
def print_registration_form(house: House) -> Ask:
    return printing(*printable(house.world))


@refused("print_registration_form", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(print_registration_form(house), path=f"/applications/{NOBODY}/registration-form")


@refused("print_registration_form", "NOT_AVAILABLE_ONLINE")
def _(house: House) -> Ask:
    account = in_xinjiang(house.world)
    return printing(account, approved(house.world, account))


@refused("print_registration_form", "NOT_APPROVED_YET")
def _(house: House) -> Ask:
    account = an_applicant(house.world)
    house.world.agree(account, "AGENCY_CLIENT")
    return printing(account, submitted(house.world, account))


@refused("print_registration_form", "CONSENT_REQUIRED")
def _(house: House) -> Ask:
    return printing(*printable(house.world, read=False))


@refused("print_registration_form", "REAL_NAME_REQUIRED")
def _(house: House) -> Ask:
    ask = print_registration_form(house)
    with house.ports.begin() as session:
        session.execute(text("UPDATE accounts SET person_id = NULL WHERE id = :id"), {"id": ask.account.id})
    return ask


@refused("print_registration_form", "TOO_MANY_PRINTS")
def _(house: House) -> Ask:
    ask = print_registration_form(house)
    for _ in range(PRINTS_A_DAY):
        assert ask.send(house).status_code == 200
    return ask
