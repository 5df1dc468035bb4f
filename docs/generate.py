# ruff: noqa: INP001 - a script beside the pages that it writes, not a package
"""Write what the reference can learn from the code: `python docs/generate.py`; with --check only say what is stale.

Tables of the reference, and the settings tables of both READMEs. A test compares them with the committed files.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from prometheus_client.metrics import MetricWrapperBase

import app  # noqa: F401 - the roof: whatever any process tells Prometheus is known then
import miniprogram_api
import models.tables  # noqa: F401 - every model, so that no state machine is missed
import services.agreement_errors
import services.application_errors
import services.case_errors
import services.counter_payment_errors
import services.counter_slip_errors
import services.debit_errors
import services.printout_errors  # noqa: F401 - all: refusals stand in the list once somebody knows them
from client.wire import types
from config import settings as settings_module
from config.retention import load_retention
from config.rulebook import load_rulebook
from config.settings import (
    HOME,
    Aliyun,
    BankLink,
    BankSftp,
    Counter,
    Merchant,
    Miniprogram,
    Pos,
    Settings,
    SettingsFault,
    Slips,
    load_settings,
)
from jobs.commands import COMMANDS
from jobs.house_measures import MEASURES
from miniprogram_api.errors import DOOR_CODES, STATUS
from models import (
    adjustments,
    applications,
    bills,
    counter_slips,
    debits,
    enrollments,
    identity,
    inbox,
    journal,
    messages,
    orders,
    payments,
    personal_data,
    reconciliation,
    refunds,
    reviews,
    staff,
    withholding_agreements,
)
from models.base import Base, Stateful
from services import enrollment_feed
from services.errors import BusinessError, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from enum import StrEnum
    from types import ModuleType

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
MADE = "<!-- Made by docs/generate.py from the code. Change the code, then run: make docs -->"
SETTINGS_TABLE = re.compile(r"(<!-- settings -->\n\n).*?(\n\n<!-- /settings -->)", re.DOTALL)

OUR_REFUSALS = frozenset({"403", "404", "409", "422", "429"})
EVERYWHERE = frozenset(code for code, _title, _detail in DOOR_CODES.values())

CHINESE = {
    "sandbox, or production. Production refuses figures that nobody has confirmed.": "sandbox（沙箱）或 production（生产）。生产模式拒绝尚未核实的数字。",
    "PostgreSQL 16 or newer, as postgresql+psycopg://…; unset: the embedded one.": "PostgreSQL 16 或更新，写作 postgresql+psycopg://…；不设则用内嵌数据库。",
    "Which embedded PostgreSQL: 18 or 16.": "内嵌 PostgreSQL 的版本：18 或 16。",
    "Where providers reach /webhooks: https, a public name, no query.": "服务方访问 /webhooks 的地址：https、公网域名、不带查询串。",
    "Where people reach the web process, for the codes on printed forms: https, no path.": "公众访问网页进程的地址，印在登记表的二维码里：https、不带路径。",
    "Where the tax authority's and the registrar's files come in; unset: they are read by command alone.": "税务入库清单和社保回盘文件所在的文件夹；不设则只能用命令读入。",
    "The embedded database and the sandbox's own state.": "内嵌数据库和沙箱自己的状态。",
    "Folder with every key file; nothing secret stands elsewhere.": "存放所有密钥文件的目录；别处没有任何秘密。",
    "More rulebooks, or confirmed ones in place of ours.": "更多地区的规则，或用已核实的规则替换自带的。",
    "Mini-programs, merchants and their key files.": "小程序、商户及其密钥文件名。",
    "How many reverse proxies of ours stand in front (X-Forwarded-For hops).": "前面有几层自己的反向代理（X-Forwarded-For 的跳数）。",
    "DEBUG, INFO, WARNING or ERROR.": "DEBUG、INFO、WARNING 或 ERROR。",
    "WeChat open platform.": "微信开放接口。",
    "WeChat Pay v3.": "微信支付 v3。",
    "Alipay gateway.": "支付宝网关。",
    "Alibaba Cloud identity checks.": "阿里云身份核验。",
    "Alibaba Cloud SMS.": "阿里云短信。",
    "UnionPay's gateway, for cards at the POS of a window.": "银联网关，用于窗口POS刷卡。",
    "Where sealed pictures lie: file:///…, or s3://bucket/folder with the extra s3; unset: documents/ in the state folder.": "加密照片的存放处：file:///…，或 s3://桶/目录（需安装 s3 附加依赖）；不设则放在状态目录的 documents/ 下。",
    "ClamAV's daemon, as tcp://127.0.0.1:3310 or unix:///run/clamav/clamd.ctl; unset: nothing is scanned.": "ClamAV 守护进程，写作 tcp://127.0.0.1:3310 或 unix:///run/clamav/clamd.ctl；不设则不查病毒。",
    "A font with Chinese characters for the mark on pictures; unset: one of the usual, or Latin letters.": "照片水印所用的中文字体文件；不设则用本机常见字体，没有时用拉丁字母。",
}
"""English sentence → the same in Chinese. A sentence that changes has no Chinese any more, and the test says so."""

COLUMNS = {
    "AAC002": (
        "社会保障号码",
        "ID number, 18 characters with a right check digit (GB 11643); or the 15 of a foreigner's permanent residence card as issued until November 2023.",
    ),
    "AAC003": ("姓名", "Name, 2 to 50 letters; the dot inside a name is U+00B7, its look-alikes are taken for it."),
    "AAE140": ("险种类型", "Insurance that the region offers: 110 pension, 310 medical."),
    "AAB301": ("行政区划", "Pooling area, a division code that a rulebook lists in pooling_areas.yaml. It decides the region."),
    "AAC031": ("缴费状态", "State of the enrolment, see the codes below."),
    "AAE030": ("开始年月", "First coverage month, as 202601 or 2026-01."),
    "AAE031": ("终止年月", "First month that is no longer covered. Empty: no end."),
    "AAE180": ("缴费基数", "Declared monthly base in yuan, at most two decimals, as 6000.00."),
    "AAB034": (
        "经办机构编码",
        "Code of the agency that the person entrusted, as in the region's agencies.yaml. Empty: the default window.",
    ),
    "TIER": ("缴费档次", "Ours, not the standard's: the tier of the plan, as 3."),
    "TIER_PLAN": ("档次方案", "Ours, not the standard's: the plan that the tier belongs to. Empty: the region's default plan."),
    "MONTHS_ELSEWHERE": (
        "在别处缴纳的月数",
        "Ours, not the standard's: months of this insurance and area paid elsewhere, as by an employer. Empty: as was said before.",
    ),
}
KEYS = {
    "title": "Its name, as people see it.",
    "platform": "`wechat`, `alipay` or `app`.",
    "app_id": "Its app id at the platform.",
    "app_secret_file": "WeChat: the app secret.",
    "app_private_key_file": "Alipay: our private key of the app (PEM).",
    "alipay_public_key_file": "Alipay: Alipay's public key or certificate, never the app's own.",
    "channel": "`wechat_pay` or `alipay`.",
    "authority": "The collection authority whose bills it takes, as in a region's `region.yaml`.",
    "private_key_file": "WeChat Pay: the merchant's private key (PEM).",
    "certificate_serial": "WeChat Pay: serial of the merchant's certificate.",
    "apiv3_key_file": "WeChat Pay: the APIv3 key, 32 bytes.",
    "host": "Its name or address.",
    "port": "Its port; 22.",
    "username": "Who we are there.",
    "response_key": "WeChat Pay: the serial among `platform_keys` that we ask answers to be signed with.",
    "access_key_id_file": "Alibaba Cloud: the access key's id.",
    "access_key_secret_file": "Alibaba Cloud: the access key's secret.",
}
"""What the keys of the mini-programs file mean, where the class says nothing itself."""
PAYMENT_STATES = {"1": "参保缴费", "2": "暂停缴费", "3": "终止缴费"}

FLOWS = {
    "SETTLED": ("contributions", "clearing", "One transfer for each bill of the order."),
    "SURPLUS": ("surplus", "clearing", "Wrong amount, or the month was paid meanwhile: all of the money, whatever came."),
    "UNCLAIMED": (
        "unknown",
        "clearing",
        "No payment of ours has this number at this merchant; or their second number for one payment of ours.",
    ),
    "REFUNDING": (
        "refunding",
        "contributions, treasury, surplus or unknown",
        "Decided: one transfer for each month, or one for money that settled none.",
    ),
    "REFUNDED": (
        "clearing or returned",
        "refunding",
        "The provider said that it is with the payer; or the treasury returned it, and then nothing leaves clearing.",
    ),
    "NOT_REFUNDED": (
        "contributions, treasury, surplus or unknown",
        "refunding",
        "The provider ended it without moving money, or somebody on the treasury's road said no.",
    ),
    "REFUND_SEEN": (
        "clearing",
        "surplus or unknown",
        "From surplus where the payment stood there; else from unknown: what was unclaimed, or what a settled month now lacks until a person has looked.",
    ),
    "CONFIRMED": (
        "treasury",
        "contributions",
        "The tax authority's list has the month: one transfer for each bill, by its tax receipt.",
    ),
    "FEE": (
        "clearing",
        "fees",
        "What a provider kept for its work, once for each day of a merchant account, as its bill says.",
    ),
    "ASSIGNED": (
        "contributions",
        "unknown",
        "By two people: the month bears what went back unasked (`canbao refunds apply --already-back`).",
    ),
    "REVERSAL": (
        "as the first's debit",
        "as the first's credit",
        "Points at the transfer it takes back. No command writes it yet.",
    ),
}
"""Kind → (account credited, account debited, when)."""

GOOD_ROW = {
    "AAC002": "320402199001010017", "AAC003": "张三", "AAE140": "110", "AAB301": "320402", "AAC031": "1", "AAE030": "202601",
    "AAE031": "", "AAE180": "", "AAB034": "", "TIER": "3", "TIER_PLAN": "", "MONTHS_ELSEWHERE": "84",
}  # fmt: skip
BAD_VALUES = [
    ("AAC002", "320402199001010019"), ("AAC002", "320402900101001"), ("AAC003", "张"), ("AAB301", "110101"), ("AAE140", "410"),
    ("AAC031", "9"), ("AAE030", ""), ("AAE030", "2026"), ("AAE031", "202512"), ("AAE180", "6000.001"), ("TIER", ""),
    ("TIER_PLAN", "nanjing"),
    ("MONTHS_ELSEWHERE", "7.5"),
]  # fmt: skip
FEED_DAY = date(2026, 11, 22)


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", MADE, *parts]) + "\n"


def sayings(module: ModuleType, class_name: str) -> dict[str, str]:
    """The strings under the names of a class: name → its text in one line."""
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    body = next(node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == class_name)
    said, name = {}, ""
    for node in body:
        if isinstance(node, ast.AnnAssign | ast.Assign):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            name = target.id if isinstance(target, ast.Name) else ""
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and name:
            said[name] = " ".join(str(node.value.value).split())
    return said


def settings_rows(*, chinese: bool = False) -> Iterator[tuple[str, str, str]]:
    for name, field in Settings.model_fields.items():
        default = str(field.default).replace(f"{HOME}/", "") if field.default is not None else ""
        meaning = field.description or ""
        yield f"`CANBAO_{name.upper()}`", f"`{default}`" if default else "–", CHINESE[meaning] if chinese else meaning


def settings_page() -> str:
    try:
        load_settings({"CANBAO_MODE": "production"})
        refused = ""
    except SettingsFault as fault:
        refused = str(fault)
    try:
        load_settings({"CANBAO_DATABSE_URL": "postgresql+psycopg://canbao@db/canbao"})
        misspelt = ""
    except SettingsFault as fault:
        misspelt = str(fault)
    parts = [
        (
            "Everything that differs between one installation and the next, read from the environment at the start. "
            "Source: [`Settings`](../../config/settings.py)."
        ),
        table(("setting", "default", "meaning"), settings_rows()),
        f"A misspelt name stops the start:\n\n```text\n{misspelt}\n```",
        f"So does production where it would have to guess:\n\n```text\n{refused}\n```",
        "## The mini-programs file",
        (
            "`CANBAO_MINIPROGRAMS_FILE` names a YAML file with these keys, of which miniprograms, merchants and aliyun are needed. "
            "[`config/miniprograms.sandbox.yaml`](../../config/miniprograms.sandbox.yaml) is a whole example. "
            "Values of keys that end in `_file`, and those of `platform_keys`, are names inside `CANBAO_SECRETS_DIR`."
        ),
    ]
    for key, model in (
        ("miniprograms", Miniprogram),
        ("merchants", Merchant),
        ("banks", BankLink),
        ("banks.….sftp", BankSftp),
        ("pos", Pos),
        ("counters", Counter),
        ("slips", Slips),
        ("aliyun", Aliyun),
    ):
        said = sayings(settings_module, model.__name__)
        rows = [
            (f"`{name}`", "yes" if field.is_required() else "no", said.get(name, ""))
            for name, field in model.model_fields.items()
        ]
        parts += [f"### {key}", " ".join((model.__doc__ or "").split()), table(("key", "needed", "meaning"), rows)]
    return page("Settings", *[part for part in parts if part])


def refusals_with_own_codes() -> list[tuple[int, str, str]]:
    """(status, code, detail) of refusals that name their own code at the door, and other statuses than the table's."""
    found = set()
    for path in sorted(Path(str(miniprogram_api.__file__)).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "DoorRefusal":
                said = {word.arg: word.value.value for word in node.keywords if isinstance(word.value, ast.Constant)}
                if "code" in said and isinstance(node.args[0], ast.Constant):
                    status = int(str(node.args[0].value))
                    found.add((status, str(said["code"]), str(said.get("detail") or DOOR_CODES[status][2])))
    return sorted(found)


def errors_page() -> str:
    by_kind = sorted(BusinessError.family.values(), key=lambda error: (list(Kind).index(error.kind), error.code))
    rows = [(f"`{error.code}`", error.kind, STATUS[error.kind], error.title, error.detail) for error in by_kind]
    door = [(f"`{code}`", status, title, detail) for status, (code, title, detail) in DOOR_CODES.items()]
    door += [(f"`{code}`", status, DOOR_CODES[status][1], detail) for status, code, detail in refusals_with_own_codes()]
    return page(
        "Refusals",
        "Every refusal under `/api/v1` is an RFC 9457 problem document: `type`, `status`, `code`, `title`, `detail`, `request_id`, and where "
        "it helps `errors` (field → what is wrong, in Chinese) or facts such as `counter`. The header `Retry-After` says when asking again "
        "may help. `code` is for programs and is never renamed. `title` says what happened and `detail` what to do next; a refusal may put a nearer sentence in place of the `detail` below.",
        "## Refusals of the house",
        "Source: [`BusinessError`](../../services/errors.py); numbers: [`STATUS`](../../miniprogram_api/errors.py).",
        table(("code", "kind", "status", "title", "detail"), rows),
        "## Refusals of the door",
        "The words themselves were wrong, or the house is not well. Source: [`DOOR_CODES`](../../miniprogram_api/errors.py).",
        table(("code", "status", "title", "detail"), sorted(door, key=lambda row: (row[1], row[0]))),
    )


def machine(model: type[Any], states: type[StrEnum], module: ModuleType) -> str:
    roads = model.MOVES.roads
    column = model.__table__.c.state
    start = str((column.default or column.server_default).arg)
    reached = {end for begin, end in roads if begin != end}
    left = {begin for begin, end in roads if begin != end}
    born = [start] + [str(state) for state in states if str(state) not in reached and str(state) != start]
    final = [str(state) for state in states if str(state) not in left]
    lines = ["```mermaid", "stateDiagram-v2", *(f"    [*] --> {state}" for state in born)]
    lines += [f"    {begin} --> {end}: {event}" for (begin, end), event in roads.items()]
    lines += [*(f"    {state} --> [*]" for state in final), "```"]
    said = sayings(module, states.__name__)
    parts = [f"## {model.__name__}", f"Table `{model.__tablename__}`, map [`{model.__name__}.MOVES`](../../{source(module)})."]
    parts += [
        "\n".join(lines),
        table(
            ("from", "to", "written as"), [(f"`{begin}`", f"`{end}`", f"`{event}`") for (begin, end), event in roads.items()]
        ),
    ]
    parts += ["\n".join(f"- `{name}`: {text}" for name, text in said.items())] if said else []
    return "\n\n".join(parts)


def source(module: ModuleType) -> str:
    return Path(str(module.__file__)).resolve().relative_to(ROOT).as_posix()


MACHINES = {
    payments.Payment: (payments.PaymentState, payments),
    refunds.Refund: (refunds.RefundState, refunds),
    reconciliation.Reconciliation: (reconciliation.ReconciliationState, reconciliation),
    orders.PaymentOrder: (orders.OrderState, orders),
    bills.ContributionBill: (bills.BillState, bills),
    enrollments.Enrollment: (enrollments.EnrollmentState, enrollments),
    reviews.ReviewOverride: (reviews.OverrideState, reviews),
    identity.IdentityVerification: (identity.VerificationState, identity),
    identity.FaceCheck: (identity.FaceCheckState, identity),
    identity.BankCardCheck: (identity.BankCardCheckState, identity),
    identity.CounterCheck: (identity.CounterCheckState, identity),
    counter_slips.CounterSlip: (counter_slips.SlipState, counter_slips),
    withholding_agreements.WithholdingAgreement: (withholding_agreements.AgreementState, withholding_agreements),
    debits.DebitBatch: (debits.BatchState, debits),
    debits.DebitInstruction: (debits.InstructionState, debits),
    inbox.Notice: (inbox.NoticeState, inbox),
    applications.EnrollmentApplication: (applications.ApplicationState, applications),
    personal_data.PersonalDataRequest: (personal_data.RequestState, personal_data),
    messages.Message: (messages.MessageState, messages),
    adjustments.AdjustmentReview: (adjustments.ReviewState, adjustments),
    staff.Staff: (staff.StaffState, staff),
    staff.StaffReset: (staff.ResetState, staff),
}
PLAIN_STATES = {
    bills.RecordState: (
        bills,
        "A month that was paid. Settling writes PAID; the [list of the tax authority](../tax-and-registrar-files.md) makes TAX_CONFIRMED, the registrar's POSTED.",
    ),
}


def states_page() -> str:
    known: set[type[Any]] = {mapper.class_ for mapper in Base.registry.mappers if issubclass(mapper.class_, Stateful)}
    if known != set(MACHINES.keys()):
        raise SystemExit(f"docs/generate.py: MACHINES must name {', '.join(sorted(each.__name__ for each in known))}")
    parts = [
        (
            "A state changes along a road of its map or not at all: [`Moves.event`](../../models/base.py) raises `IllegalMove` where there is none. "
            "Every step leaves a row in `moves`: from, to, why, who, when; but settle's own two steps of a notice are told by the notice's `outcome` and `settled_at`. `why` is the event below; settle adds the reason where it closes an "
            "order (`order.closed:SURPLUS`) and names the surplus (`payment.wrong_amount`)."
        ),
        *(machine(model, states, module) for model, (states, module) in MACHINES.items()),
        "## States without a map",
        "These are closed choices that the database checks; nothing walks between them along a road of ours.",
    ]
    rows = [
        (f"`{states.__name__}`", ", ".join(f"`{state}`" for state in states), text)
        for states, (_module, text) in PLAIN_STATES.items()
    ]
    return page("States", *parts, table(("choice", "values", "who writes it"), rows))


def accounts_page() -> str:
    listed = re.findall(r"^ {4}(\w+)(:\S+)\s+(.+)$", journal.__doc__ or "", re.MULTILINE)
    rows = [(f"`{name}{rest}`", text, "yes" if hasattr(journal, name) else "not yet") for name, rest, text in listed]
    said = sayings(journal, "TransferKind")
    kinds = [(f"`{kind}`", FLOWS[kind][1], FLOWS[kind][0], FLOWS[kind][2], said.get(kind, "")) for kind in journal.TransferKind]
    return page(
        "Accounts",
        "One row of `transfers` is one transfer: a debit account, a credit account, an amount in fen above 0, a kind, and what caused it. It cannot be "
        "unbalanced, because it has no second half that could be missing. The database refuses to change or delete a transfer. "
        "Source: [`Transfer`](../../models/journal.py).",
        table(("account", "holds", "used in this release"), rows),
        "A balance is debits less credits for `clearing`, which is money that we hold, and credits less debits for all others, which is money that "
        "we owe: [`balances`](../../services/journal.py). What is proven is that **a clearing account equals the money which the provider holds for "
        "that merchant**.",
        "## Transfers",
        table(("kind", "debit", "credit", "when", "remark"), kinds),
        "Read one payment's transfers with `canbao explain`, the latest with the sandbox's page.",
    )


def refused_values() -> Iterator[tuple[str, str, str]]:
    rulebook = load_rulebook()
    areas = {area: code for code, region in rulebook.regions.items() for area in region.pooling_areas}
    for column, value in BAD_VALUES:
        try:
            enrollment_feed.read_row(2, {**GOOD_ROW, column: value}, today=FEED_DAY, area_of=areas, rulebook=rulebook)
        except Exception as fault:  # noqa: BLE001 - the feed's own refusal is private to it; anything else would show in the page
            yield f"`{column}`", f"`{value}`" if value else "empty", str(fault)
        else:
            raise SystemExit(f"docs/generate.py: {column} {value!r} is not refused")


def feed_page() -> str:
    columns = [
        (f"`{name}`", "yes" if name in enrollment_feed.REQUIRED else "no", *COLUMNS[name])
        for name in enrollment_feed.REQUIRED + enrollment_feed.OPTIONAL
    ]
    states = [(code, PAYMENT_STATES[code], f"`{state}`") for code, state in enrollment_feed.PAYMENT_STATES.items()]
    return page(
        "The enrolment feed",
        "The registrar tells who is insured in what, where and from when, as a CSV file. `canbao import enrollments FILE` brings it in. "
        "Column names follow GB/T 40217; two columns are ours. Source: [`import_enrollments`](../../services/enrollment_feed.py).",
        "## The file",
        "- CSV with a header. Columns may stand in any order; a missing or unknown column refuses the whole file.\n"
        "- UTF-8, with or without a byte order mark, or GB18030. It is UTF-8 if all of it is, else GB18030 if all of it is, else refused.\n"
        "- Empty lines are passed over. Values are trimmed.\n"
        f"- Rows go in {enrollment_feed.CHUNK:,} to a transaction. A bad row is reported with its line and reason on standard error, the rest goes in, and "
        "the command exits 1.\n"
        "- One row is one person in one insurance in one pooling area. The same row again changes nothing; a changed row changes the "
        "enrolment; the last row of two about the same enrolment wins. Nobody is removed by being absent.\n"
        "- Unpaid bills for months that a changed enrolment no longer covers become VOID. A month that is being paid stays: its money decides.\n"
        "- At least one of `TIER` and `AAE180` is needed.",
        table(("column", "needed", "标准名称", "meaning"), columns),
        "## Codes of AAC031",
        table(("code", "meaning", "state here"), states),
        "## Example",
        "```text\nAAC002,AAC003,AAE140,AAB301,AAC031,AAE030,AAE031,AAE180,TIER\n320402199001010017,张三,110,320402,1,202601,,,3\n"
        "650102199203080021,李四,110,650102,1,202601,,6000.00,\n```",
        "## Refusals",
        "A row with one wrong value is refused with a sentence that names the column and, where that helps, a right example. Sentences about names and "
        "ID numbers are those that a person on the phone sees.",
        table(("column", "value", "said"), refused_values()),
        "A row whose `AAC002` is on record under another name is refused too (`AAC003: another name is on record for this AAC002; a clerk must "
        "decide`): two people with one number are not a thing that a file may settle. The first name that a file gives for a new number is the one on record for its "
        "next rows.",
    )


def command_rows(command: click.Command, name: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from command_rows(inner, f"{name} {inner.name}")
        return
    context = click.Context(command, info_name=name)
    usage = command.get_usage(context).removeprefix("Usage: ")
    options = [
        (
            f"`{', '.join(parameter.opts)}{' ' + parameter.make_metavar(context) if not parameter.is_flag else ''}`",
            parameter.help or "",
        )
        for parameter in command.params
        if isinstance(parameter, click.Option)
    ]
    yield f"## {name}\n\n{command.help}\n\n```text\n{' '.join(usage.split())}\n```"
    if options:
        yield table(("option", "meaning"), options)


def commands_page() -> str:
    parts = [part for command in COMMANDS for part in command_rows(command, f"canbao {command.name}")]
    return page(
        "Commands",
        "`make` alone prints the menu of what a developer needs. The operator's commands are `.venv/bin/canbao …`; each reads the "
        "[settings](settings.md), says what it does, and exits other than 0 when it did not do it. Source: [`COMMANDS`](../../jobs/commands.py).",
        *parts,
    )


TOLD_BY = {
    "app": "web, letterbox",
    "config": "each process",
    "providers": "each process",
    "webhooks": "letterbox",
    "miniprogram_api": "web",
    "public_pages": "web",
    "console": "web",
    "jobs.settle": "settle",
    "jobs": "worker",
}
"""Where a metric is declared → the process that tells it; the longer name first."""


def metrics_page() -> str:
    rows = []
    for name, module in sorted(sys.modules.items()):
        top = name.split(".", maxsplit=1)[0]
        if name in TOLD_BY or top in TOLD_BY:
            path = name.replace(".", "/") + ".py"
            source = f"[`{path}`](../../{path})"
            teller = TOLD_BY.get(name) or TOLD_BY[top]
            rows += [(*told, teller, source) for told in declared_in(module)]
    house = "[`jobs/house_measures.py`](../../jobs/house_measures.py)"
    rows += [
        (f"`{name}`", "gauge", ", ".join(f"`{label}`" for label in labels), says, "worker", house)
        for name, (says, labels) in MEASURES.items()
    ]
    return page(
        "Metrics",
        "What each process tells Prometheus. web and letterbox answer `/metrics` on their own port, settle and worker where `--metrics` says. "
        "No label holds anything of a person. A histogram has `_bucket`, `_sum` and `_count` behind its name. Whatever libraries tell beside "
        "these (`process_…`, `python_…`) is theirs.",
        table(("metric", "kind", "labels", "meaning", "told by", "source"), sorted(rows)),
        "One more comes from [`base-backup.sh`](../../deploy/backup/base-backup.sh), by node_exporter's textfile collector: "
        "`canbao_backup_verified_timestamp_seconds`, when the last base backup was made and verified.",
        "What to do when one of them is not as it should be: [alerts](../how-to/answer-an-alert.md).",
    )


def declared_in(module: ModuleType) -> Iterator[tuple[str, str, str, str]]:
    """(name, kind, labels, meaning) of each metric that a module declares itself."""
    known = [value for value in vars(module).values() if isinstance(value, MetricWrapperBase)]
    source = inspect.getsource(module) if known else ""
    for each in known:
        [family] = each.describe()
        if f'"{family.name}' not in source:
            continue  # another module's
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield f"`{name}`", family.type, ", ".join(f"`{label}`" for label in each._labelnames), family.documentation  # noqa: SLF001 - it tells them nowhere else


def api_page() -> str:
    document = json.loads((DOCS / "reference" / "openapi.json").read_text(encoding="utf-8"))
    by_noun: dict[str, list[tuple[str, str, str]]] = {}
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            refusals = [
                code
                for status, answer in call["responses"].items()
                if status in OUR_REFUSALS
                for code in re.findall(r"[A-Z][A-Z_]+", answer.get("description", ""))
                if code not in EVERYWHERE
            ]
            needs = (
                " 🔑" if any(each["name"] == "Idempotency-Key" for each in call["parameters"] if each.get("required")) else ""
            )
            name = f"`{method.upper()} {path.removeprefix('/api/v1')}`{needs}"
            by_noun.setdefault(call["tags"][0], []).append((name, call["summary"], ", ".join(f"`{code}`" for code in refusals)))
    parts = []
    for noun in dict.fromkeys(tag["name"] for tag in document["tags"]):
        if noun in by_noun:
            parts += [f"## {noun}", table(("call", "what it does", "its own refusals"), by_noun[noun])]
    return page(
        "API",
        "Every call below `/api/v1`, for people with a phone. Fields and types stand in [`openapi.json`](openapi.json), also served at `/openapi.json`; "
        "[how to call it](../how-to/call-the-api.md) goes through one payment, and [the client](../../client/README.md) does it in JavaScript. 🔑 wants an "
        "`Idempotency-Key`. What any call may refuse (`SIGN_IN_AGAIN`, `NOT_FOUND`, `FIELDS_INVALID` and the like) is left out here; [all refusals](errors.md).",
        *parts,
    )


def retention_page() -> str:
    policies = load_retention().policies
    parts = []
    for title, chosen in (
        ("What is erased", [each for each in policies if each.has_a_term]),
        ("What stays until its holder deletes the account", [each for each in policies if each.with_account]),
        ("What stays for ever", [each for each in policies if each.for_ever]),
    ):
        rows = [
            (
                f"`{each.policy}`",
                f"`{each.table}`" + (f": {', '.join(f'`{name}`' for name in each.erases)}" if each.erases else ""),
                f"{each.told}, from `{each.column}`" if each.has_a_term else each.told,
                each.legal_ground,
                each.source,
                f"{each.effective_from}" + (" (its table comes with a later release)" if each.table_to_come else ""),
                each.status,
            )
            for each in chosen
        ]
        parts += [f"## {title}", table(("policy", "table", "kept", "legal ground", "source", "in force from", "status"), rows)]
    return page(
        "Retention",
        "How long each table keeps what it holds, and by what right. Source: [`retention.yaml`](../../config/retention.yaml), read by "
        "[`load_retention`](../../config/retention.py); applied each night by [`apply_retention`](../../services/retention.py).",
        "Terms are whole Beijing days after the day of the moment named, so nothing goes a minute early. Where columns are named, they "
        "are emptied and the row stays. A row that somebody still waits for is never touched, however old. Each batch leaves a row in "
        "`erasures`: policy, table, how many, older than when. `canbao retention --dry-run` says what would go. A change is a second row "
        "of the same policy with a later day. TO_CONFIRM is our proposal, for the office to decide.",
        *parts,
    )


def readme(name: str, *, chinese: bool) -> str:
    head = ("设置", "默认值", "含义") if chinese else ("setting", "default", "meaning")
    made = table(head, settings_rows(chinese=chinese))
    return SETTINGS_TABLE.sub(lambda found: found[1] + made + found[2], (ROOT / name).read_text(encoding="utf-8"))


def pages() -> dict[Path, str]:
    """Every file that is made here, and what it should say."""
    reference = DOCS / "reference"
    return {
        reference / "settings.md": settings_page(),
        reference / "errors.md": errors_page(),
        reference / "states.md": states_page(),
        reference / "accounts.md": accounts_page(),
        reference / "enrollment-feed.md": feed_page(),
        reference / "commands.md": commands_page(),
        reference / "api.md": api_page(),
        reference / "retention.md": retention_page(),
        ROOT / "client" / "wire.d.ts": types(json.loads((reference / "openapi.json").read_text(encoding="utf-8"))),
        reference / "metrics.md": metrics_page(),
        ROOT / "README.md": readme("README.md", chinese=False),
        ROOT / "README.zh.md": readme("README.zh.md", chinese=True),
    }


def stale() -> list[Path]:
    return [path for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]


def main(arguments: list[str]) -> int:
    old = stale()
    if "--check" in arguments:
        for path in old:
            sys.stderr.write(f"{path.relative_to(ROOT)} is stale; run: make docs\n")
        return 1 if old else 0
    made = pages()
    for path in old:
        path.write_text(made[path], encoding="utf-8")
        sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
