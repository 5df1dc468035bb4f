"""What codes are called on the pages, and how moments are written there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from config.clock import BEIJING
from models.identity import CounterDocument, CounterRefusal
from models.staff import StaffRole, StaffState
from services.own_data_rows import COLUMNS, PURPOSES

if TYPE_CHECKING:
    from datetime import datetime

ROLES: Final = {
    StaffRole.REVIEWER: "审核员",
    StaffRole.SUPERVISOR: "复核主管",
    StaffRole.ACCOUNTANT: "财务员",
    StaffRole.AUDITOR: "审计员",
    StaffRole.ADMINISTRATOR: "系统管理员",
}
ROLE_HINTS: Final = {
    StaffRole.REVIEWER: "办理审核和窗口核验",
    StaffRole.SUPERVISOR: "对需要第二人确认的事项进行复核",
    StaffRole.ACCOUNTANT: "办理资金通知、退款、对账，查看账簿",
    StaffRole.AUDITOR: "查看谁看过、谁办过，不办理业务",
    StaffRole.ADMINISTRATOR: "管理工作人员账号，不接触业务数据",
}
STATES: Final = {
    StaffState.INVITED: "待开通",
    StaffState.ACTIVE: "正常",
    StaffState.LOCKED: "已锁定",
    StaffState.LEFT: "已离岗",
}
DOCUMENTS: Final = {
    CounterDocument.ID_CARD: "居民身份证",
    CounterDocument.HMT_RESIDENCE_PERMIT: "港澳台居民居住证",
    CounterDocument.FOREIGN_PERMANENT_RESIDENT_CARD: "外国人永久居留身份证",
}
REFUSALS: Final = {
    CounterRefusal.NOT_THE_HOLDER: "来人不是证件持有人本人",
    CounterRefusal.DOCUMENT_DOUBTFUL: "证件过期、损坏或存疑",
    CounterRefusal.TYPED_WRONGLY: "录入有误",
}
"""Those that staff may choose; the fourth is the house's own."""


def moment(at: datetime | None) -> str:
    """2026-11-22 16:05:09 in Beijing."""
    return "—" if at is None else at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def since(at: datetime, now: datetime) -> str:
    """How long ago, in the two largest units: 3 天 4 小时."""
    minutes = max(0, int((now - at).total_seconds()) // 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    told = [f"{number} {unit}" for number, unit in ((days, "天"), (hours, "小时"), (minutes, "分钟")) if number]
    return " ".join(told[:2]) or "不到 1 分钟"


def machine_moment(at: datetime) -> str:
    """For `<time datetime>`."""
    return at.astimezone(BEIJING).isoformat(timespec="seconds")


def roles(of: tuple[StaffRole, ...]) -> str:
    return "、".join(ROLES[role] for role in of)


def person(who: str) -> str:
    """Who did it: one of the staff by number, an account by nothing that names it, a part of the house by its own word."""
    kind, _, rest = who.partition(":")
    match kind:
        case "staff":
            return f"工号 {rest}"
        case "account":
            return f"账户 …{rest[-6:]}"
        case "operator":
            return "系统命令行"
        case "nobody":
            return "未识别"
        case _:
            return f"系统（{who}）"


def columns(of: tuple[str, ...]) -> str:
    return "、".join(COLUMNS.get(each, each) for each in of)


def purpose(of: str) -> str:
    return PURPOSES.get(of, of)
