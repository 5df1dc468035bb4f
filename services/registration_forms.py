"""The registration form (登记表): printed by its owner once the application is approved and the agency's notice was read (R-CZ-37, R-CZ-38).

A form is a version of a printout: fetched again while nothing changed it is the same paper, byte for byte. Each fetch leaves its rows
on record. The notice gates the printing, never the payment.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from config.clock import day_start
from config.rulebook import Capability, NoRuleInForce, Status
from models.applications import ENDED_UNDONE, ApplicationState, EnrollmentApplication
from models.audit import PersonalDataAccess
from models.people import Person
from models.printouts import PrintoutKind
from services.application_fields import COLUMNS
from services.application_steps import document_kinds, form_to_print, hold_person, own_application, to_the_counter
from services.application_views import STATES
from services.consents import require_text
from services.errors import NotFound
from services.form_layout import words_of
from services.people import kept_number
from services.personal_data import open_personal
from services.printout_errors import NotApprovedYet, TooManyPrints
from services.printouts import PrintedPdf, Subject, grouped, in_beijing, issue, where_to_verify
from services.registration_form_content import Facts, blocks_of
from services.registration_form_standing import hash_of_held, held_by

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

    from sqlalchemy.orm import Session

    from config.rulebook import PrintedForm, Region
    from models.accounts import Account
    from services.form_drawing import Sheet
    from services.form_layout import Block
    from services.ports import Ports
    from services.printouts import Issued

PURPOSE: Final = "registration_form"
PRINTS_A_DAY: Final = 20
"""Of one person: each opens their data, and takes a core for some 20 ms."""
MARK: Final = "仅用于社保参保登记"
"""Said across the page, beside serial and moment."""


def print_registration_form(ports: Ports, *, account: Account, application_id: uuid.UUID) -> PrintedPdf:
    """The form of one's own approved application.

    Raises NotFound (also for other people's), NotAvailableOnline (with the window), RealNameRequired, NotApprovedYet,
    ConsentRequired (naming the text to read), TooManyPrints, SealBroken.
    """
    now, today = ports.now(), ports.today()
    with ports.begin() as session:
        application = own_application(session, account=account, application_id=application_id)
        region = ports.rulebook.region(application.region)
        form = form_to_print(ports, region, application)
        if form is None:
            raise to_the_counter(region, application.agency, _why_not(ports, region))
        person_id = hold_person(session, account=account)
        if person_id != application.person_id:
            raise NotFound
        _refuse_undecided(application)
        if form.notice is not None:
            require_text(session, account_id=account.id, notice=region.notice(form.notice, today))
        # Two presses wait for each other here, and the second finds what the first one issued.
        application = own_application(session, account=account, application_id=application_id, lock=True)
        _refuse_too_many(session, person_id=person_id, who=f"account:{account.id}", now=now)
        facts = _read(ports, session, application, who=f"account:{account.id}", now=now)
        blocks = blocks_of(region, form, facts)
        content = [form.title, str(form.status), words_of(blocks)]
        issued = issue(
            ports,
            session,
            subject=Subject(kind=PrintoutKind.REGISTRATION_FORM, region=application.region, application_id=application.id),
            content=content,
            standing=hash_of_held(facts.held),
            now=now,
        )
        case_no = application.case_no
    sheet = _sheet(form, issued, blocks, case_no=case_no, web_url=ports.web_url)
    from services.form_drawing import draw  # reportlab: whoever prints nothing need not wait for it at every start

    return PrintedPdf(content=draw(sheet), title=form.title, serial=issued.serial)


def _why_not(ports: Ports, region: Region) -> str:
    try:
        rule = region.capability(Capability.PRINT_REGISTRATION_FORM, ports.today())
    except NoRuleInForce:
        return "本地区没有可以在手机上打印的登记表"
    return rule.explanation or "此项业务没有需要打印的登记表"


def _refuse_undecided(application: EnrollmentApplication) -> None:
    """Raises NotApprovedYet with where the case stands, and the way on."""
    if application.state == ApplicationState.APPROVED:
        return
    stands = STATES[ApplicationState(application.state)]
    way = "可沿用原来的内容重新申报。" if application.state in ENDED_UNDONE else ""
    raise NotApprovedYet(detail=f"办件{application.case_no}的状态是“{stands}”。{way}{NotApprovedYet.detail}")


def _refuse_too_many(session: Session, *, person_id: uuid.UUID, who: str, now: datetime) -> None:
    """Raises TooManyPrints."""
    fetched = session.scalar(
        select(func.count()).where(
            PersonalDataAccess.subject_table == Person.__tablename__,
            PersonalDataAccess.subject_id == person_id,
            PersonalDataAccess.purpose == PURPOSE,
            PersonalDataAccess.who == who,
            PersonalDataAccess.at >= day_start(now),
        )
    )
    if (fetched or 0) >= PRINTS_A_DAY:
        raise TooManyPrints


def _read(ports: Ports, session: Session, application: EnrollmentApplication, *, who: str, now: datetime) -> Facts:
    """Everything that may be printed, opened; both openings leave their rows."""
    person = session.get_one(Person, application.person_id)
    known = open_personal(ports, session, person, "name", "id_number", purpose="registration_form", who=who, now=now)
    details: dict[str, str] = {}
    if application.details_sealed is not None:
        opened = open_personal(ports, session, application, "details", purpose="registration_form", who=who, now=now)
        details = json.loads(opened["details"])
    return Facts(
        on=ports.today(),
        name=known["name"],
        number=kept_number(known["id_number"], today=ports.today()),
        columns={key: getattr(application, key) for key in COLUMNS},
        details=details,
        held=held_by(session, application, on=ports.today()),
        documents=sorted(document_kinds(session, application)),
        decided_at=application.decided_at,
    )


def _sheet(form: PrintedForm, issued: Issued, blocks: tuple[Block, ...], *, case_no: str, web_url: str) -> Sheet:
    from services.form_drawing import Sheet

    address = where_to_verify(web_url)
    return Sheet(
        title=form.title,
        subtitle="（示例表样，以当地公布的正式表样为准）" if form.status is Status.TO_CONFIRM else None,
        serial_label="表单编号",
        serial=issued.serial,
        reference=f"办件编号：{case_no}",
        mark=MARK,
        version=issued.version,
        issued_at=in_beijing(issued.issued_at),
        code=grouped(issued.code),
        verify_at=address,
        url=f"{address}/{issued.code}",
        notes=("本表内容以核验结果为准。", "本表含有个人信息，请妥善保管，不要交给无关的人。"),
        blocks=blocks,
    )
