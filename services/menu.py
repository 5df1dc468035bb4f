"""The menu, as the region's own source draws it: what this account can do now, and for everything else why not, and where instead."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from config.rulebook import Capability, HotlineTopic, MenuFunction, NoRuleInForce, Side, UnknownRegion
from models.consents import Consent
from models.enrollments import Enrollment, EnrollmentState
from models.identity import IdentityVerification, VerificationState
from services.capabilities import TAKES_MONEY, is_built, takes_money
from services.consents import is_taken_back
from services.errors import NotFound, RegionMismatch

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from config.rulebook import CapabilityRule, Counter, Hotline, MenuEntry, Region
    from models.accounts import Account
    from services.ports import Ports

CONSENT_FIRST: Final = {
    Capability.PAY_FOR_OTHERS: "PROXY_PAYMENT",
    Capability.ENROLL: "ENROLLMENT",
    Capability.RESUME: "ENROLLMENT",
    Capability.SUSPEND: "ENROLLMENT",
    Capability.JOINT_CASE: "ENROLLMENT",
    Capability.PRINT_REGISTRATION_FORM: "AGENCY_CLIENT",
    Capability.WITHHOLDING_SIGN_ONLINE: "WITHHOLDING",
}
"""Business → the consent that it asks for before anything else."""
PLATFORMS: Final = {"wechat": "微信", "alipay": "支付宝"}


class Why(StrEnum):
    """Why an entry is not available now."""

    NOT_AVAILABLE_ONLINE = "NOT_AVAILABLE_ONLINE"
    COMING_SOON = "COMING_SOON"
    OTHER_MINIPROGRAM = "OTHER_MINIPROGRAM"
    PROVE_IDENTITY_FIRST = "PROVE_IDENTITY_FIRST"
    DONE_ALREADY = "DONE_ALREADY"


class Step(StrEnum):
    """What stands between an account and its business."""

    CONSENT = "CONSENT"
    REAL_NAME = "REAL_NAME"
    FACE = "FACE"
    WITHOUT_FACE = "WITHOUT_FACE"


@dataclass(frozen=True, kw_only=True)
class NextStep:
    """The way on for somebody who may only look (R-CZ-43, R-CZ-46)."""

    step: Step
    purpose: str | None
    """Which text to read, where the step is a consent."""
    title: str
    detail: str
    without_face: str | None
    """Told wherever a face would be asked for: a face is never the only way (人脸识别办法 Art 10)."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    code: str
    title: str
    elder: bool
    capability: str | None
    function: str | None
    available: bool
    why_not: Why | None
    explanation: str | None
    consent: str | None
    """Which consent this business asks for first and the account has not given."""
    hotline: Hotline | None
    counter: Counter | None
    counter_kind: str | None
    children: list[Entry]


@dataclass(frozen=True, kw_only=True)
class Menu:
    region: str
    region_name: str
    verified: bool
    next_step: NextStep | None
    hint: str | None
    """That the account is insured in another region than the one it looks at (R-XJ-28)."""
    entries: list[Entry]


@dataclass(frozen=True, kw_only=True)
class _Reader:
    """Who looks: read once, for all entries."""

    verified: bool
    next_step: NextStep | None
    agreed: frozenset[str]
    agency: str | None
    """The agency that this person entrusted in this region."""
    insured_in: frozenset[str]


def read_menu(ports: Ports, *, account: Account, region_code: str | None) -> Menu:
    """The menu of one region of this mini-program, the first where none is named.

    Raises NotFound (no such region), RegionMismatch (this mini-program does not serve it).
    """
    region = region_served(ports, account, region_code)
    with ports.begin() as session:
        reader = _read(ports, session, account=account, region=region)
    program = ports.miniprogram(account.miniprogram)
    side = Side.REGISTRAR if program.merchant is None else Side.COLLECTOR
    shown = [row for row in region.menu(ports.today()) if row.shown_in(side=side, platform=program.platform)]
    below: dict[str | None, list[MenuEntry]] = defaultdict(list)
    for row in shown:
        below[row.under].append(row)
    elder = account.elder_mode

    def entries(under: str | None) -> list[Entry]:
        rows = below[under]
        if elder:
            # What elders come for first; sorted() keeps the source's order within each half.
            rows = sorted(rows, key=lambda row: not _is_for_elders(row, below))
        return [_entry(ports, row, region=region, account=account, reader=reader, below=entries(row.code)) for row in rows]

    return Menu(
        region=region.code,
        region_name=region.name,
        verified=reader.verified,
        next_step=reader.next_step,
        hint=_hint(ports, region, reader),
        entries=entries(None),
    )


def _is_for_elders(row: MenuEntry, below: dict[str | None, list[MenuEntry]]) -> bool:
    """Itself, or something below it: nobody should have to look for it."""
    return row.elder or any(_is_for_elders(child, below) for child in below.get(row.code, ()))


def region_served(ports: Ports, account: Account, code: str | None) -> Region:
    """The region that is named, the first of this mini-program where none is. Raises NotFound, RegionMismatch."""
    served = ports.regions_of(account.miniprogram)
    if code is None:
        return served[0]
    try:
        region = ports.rulebook.region(code)
    except UnknownRegion:
        raise NotFound from None
    if region.code not in {each.code for each in served}:
        names = "、".join(each.name for each in served)
        raise RegionMismatch(detail=f"本小程序办理{names}的业务，请切换地区，或使用{region.name}的小程序。")
    return region


def _read(ports: Ports, session: Session, *, account: Account, region: Region) -> _Reader:
    agreed = frozenset(
        session.scalars(select(Consent.purpose).where(Consent.account_id == account.id, Consent.withdrawn_at.is_(None)))
    )
    stopped = is_taken_back(session, account_id=account.id, purpose="REAL_NAME")
    state = session.scalar(select(IdentityVerification.state).where(IdentityVerification.account_id == account.id))
    agency, insured_in = None, frozenset[str]()
    if account.person_id is not None and not stopped:
        enrolled = session.execute(
            select(Enrollment.region, Enrollment.agency)
            .where(
                Enrollment.person_id == account.person_id,
                Enrollment.state.in_((EnrollmentState.ACTIVE, EnrollmentState.SUSPENDED)),
            )
            .order_by(Enrollment.state != EnrollmentState.ACTIVE, Enrollment.updated_at.desc(), Enrollment.id.desc())
        ).all()
        insured_in = frozenset(row.region for row in enrolled)
        agency = next((row.agency for row in enrolled if row.region == region.code and row.agency is not None), None)
    return _Reader(
        verified=account.person_id is not None and not stopped,
        next_step=_next_step(
            ports, account, state=state or VerificationState.NONE, agreed=agreed, stopped=stopped, region=region
        ),
        agreed=agreed,
        agency=agency,
        insured_in=insured_in,
    )


def _next_step(
    ports: Ports, account: Account, *, state: str, agreed: frozenset[str], stopped: bool, region: Region
) -> NextStep | None:
    """Which step is next, in the order of the source: consent, real name, consent, face (R-CZ-44, 45)."""
    if account.person_id is not None and not stopped:
        return None
    if "REAL_NAME" not in agreed:
        return _consent_step("REAL_NAME", "请先阅读并同意《实名认证信息使用说明》，再填写姓名和身份证号码。")
    if state == VerificationState.NONE:
        return NextStep(
            step=Step.REAL_NAME, purpose=None, title="实名认证", detail="请填写姓名、手机号码和身份证号码。", without_face=None
        )
    counter, hotline = region.counter_for(), region.hotline(HotlineTopic.ENROLLMENT).number
    without = f"不便刷脸的，可由家人代为缴费，或携带身份证到{counter.name}核验，咨询电话{hotline}。"
    if account.miniprogram not in ports.faces:
        return NextStep(step=Step.WITHOUT_FACE, purpose=None, title="身份核验", detail=without, without_face=without)
    if "FACE" not in agreed:
        return _consent_step("FACE", "请阅读《人脸核验单独同意书》，由您单独决定是否同意。", without_face=without)
    return NextStep(
        step=Step.FACE,
        purpose=None,
        title="人脸核验",
        detail="请点击“继续”，按提示完成人脸核验。通过后功能按钮同步生效。",
        without_face=without,
    )


def _consent_step(purpose: str, detail: str, *, without_face: str | None = None) -> NextStep:
    return NextStep(step=Step.CONSENT, purpose=purpose, title="阅读并同意", detail=detail, without_face=without_face)


def _entry(ports: Ports, row: MenuEntry, *, region: Region, account: Account, reader: _Reader, below: list[Entry]) -> Entry:
    rule = _rule(ports, region, row)
    why = _why_not(ports, row, rule=rule, region=region, account=account, reader=reader)
    counter_kind = _counter_kind(rule) if why in (Why.NOT_AVAILABLE_ONLINE, Why.COMING_SOON) else None
    counter = _counter(region, rule, reader) if counter_kind in ("ENTRUSTED_AGENCY", "AGENCY") else None
    line = region.hotline(row.topic)
    consent = CONSENT_FIRST.get(row.capability) if row.capability else None
    return Entry(
        code=row.code,
        title=(row.elder_title if account.elder_mode else None) or row.title,
        elder=row.elder,
        capability=str(row.capability) if row.capability else None,
        function=str(row.function) if row.function else None,
        available=why is None,
        why_not=why,
        explanation=_explanation(ports, why, rule=rule, region=region, reader=reader, counter=counter, line=line),
        consent=consent if why is None and consent not in reader.agreed else None,
        hotline=line if why is not None else None,
        counter=counter,
        counter_kind=counter_kind,
        children=below,
    )


def _rule(ports: Ports, region: Region, row: MenuEntry) -> CapabilityRule | None:
    """What the region says of the business today. None where it says nothing, or the entry is no business."""
    if row.capability is None:
        return None
    try:
        return region.capability(row.capability, ports.today())
    except NoRuleInForce:
        return None


def _why_not(
    ports: Ports, row: MenuEntry, *, rule: CapabilityRule | None, region: Region, account: Account, reader: _Reader
) -> Why | None:
    """What the region does not offer comes before what the account lacks: proving who one is would open nothing."""
    if row.capability is None and row.function is None:
        return None  # a page of entries: it always opens
    if row.capability is not None and (rule is None or not rule.available):
        return Why.NOT_AVAILABLE_ONLINE
    if not (is_built(row.capability) and is_built(row.function)):
        return Why.COMING_SOON
    if row.capability in TAKES_MONEY and not takes_money(ports, account.miniprogram, region):
        return Why.OTHER_MINIPROGRAM
    if row.function == MenuFunction.PROVE_IDENTITY:
        return Why.DONE_ALREADY if reader.verified else None
    return None if reader.verified else Why.PROVE_IDENTITY_FIRST


def _counter_kind(rule: CapabilityRule | None) -> str:
    """ENTRUSTED_AGENCY, BANK_BRANCH, or AGENCY: a window that the region names, or its default one."""
    if rule is not None and rule.counter in ("ENTRUSTED_AGENCY", "BANK_BRANCH"):
        return rule.counter
    return "AGENCY"


def _counter(region: Region, rule: CapabilityRule | None, reader: _Reader) -> Counter:
    """The person's own agency where it is for that one to do (R-CZ-18)."""
    named = rule.counter if rule is not None else None
    return region.counter_for(reader.agency if named in (None, "ENTRUSTED_AGENCY") else named)


def _explanation(
    ports: Ports,
    why: Why | None,
    *,
    rule: CapabilityRule | None,
    region: Region,
    reader: _Reader,
    counter: Counter | None,
    line: Hotline,
) -> str | None:
    window = counter.name if counter is not None else "银行网点"
    match why:
        case None:
            return None
        case Why.NOT_AVAILABLE_ONLINE:
            told = rule.explanation if rule is not None else None
            return told or f"此项业务以当地公布为准，请到{window}办理，咨询电话{line.number}。"
        case Why.COMING_SOON:
            return f"此功能即将开放。开放以前请到{window}办理，去之前可先拨打{line.number}咨询。"
        case Why.OTHER_MINIPROGRAM:
            return _where_to_pay(ports, region)
        case Why.DONE_ALREADY:
            return "您已通过实名认证，无需重复认证。"
        case Why.PROVE_IDENTITY_FIRST:
            step = reader.next_step
            return f"请先完成身份核验。下一步：{step.title}。{step.detail}" if step else "请先完成身份核验。"


def _where_to_pay(ports: Ports, region: Region) -> str:
    """The mini-programs of this region that take its money, by the names that people search for (R-CZ-15, R-XJ-21)."""
    found: dict[str, list[str]] = defaultdict(list)
    for code, program in ports.partners.miniprograms.items():
        if region.code in program.regions and takes_money(ports, code, region) and program.platform in PLATFORMS:
            found[program.title].append(PLATFORMS[program.platform])
    if not found:
        return f"本地区还不能在手机上缴费，请到{region.counter_for().name}咨询。"
    ways = "；".join(f"在{'或'.join(dict.fromkeys(platforms))}搜索“{title}”" for title, platforms in found.items())
    return f"此小程序不办理缴费。请{ways}办理缴费。"


def _hint(ports: Ports, region: Region, reader: _Reader) -> str | None:
    if not reader.insured_in or region.code in reader.insured_in:
        return None
    names = "、".join(ports.rulebook.region(code).name for code in sorted(reader.insured_in))
    return f"您目前的参保所在地区是{names}。请切换到参保所在地区，或使用当地的小程序。"
