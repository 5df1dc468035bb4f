"""The worker's sweeps as a duty officer sees them: what each does, when the clock last called it, and which are late.

procrastinate remembers the last tick that it queued of each sweep, and the jobs under way; nothing else of a sweep is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from config.clock import BEIJING

if TYPE_CHECKING:
    from services.ports import Ports

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
GRACE: Final = timedelta(minutes=2)
"""A worker that starts again misses some ticks."""
LONG: Final = timedelta(minutes=15)
"""A sweep under way for longer hangs, or has more to do than was thought."""
CALLED: Final = text("""
    SELECT task_name, max(defer_timestamp) AS at FROM procrastinate_periodic_defers WHERE task_name LIKE 'canbao:%' GROUP BY 1
""")
UNDER_WAY: Final = text("""
    SELECT j.task_name, min(e.at) AS since FROM procrastinate_jobs j
    JOIN procrastinate_events e ON e.job_id = j.id AND e.type = 'started' WHERE j.status = 'doing' GROUP BY 1
""")
HEARTBEAT: Final = text("SELECT max(last_heartbeat) FROM procrastinate_workers")


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """When the clock calls a sweep. A test holds these against the crons of jobs/, which no service may import."""

    every: timedelta
    """Less than an hour: all day long. An hour or a day: at `minute` of `hours`."""
    minute: int = 0
    hours: tuple[int, int] = (0, 23)
    """In Beijing, both included."""

    def last(self, now: datetime) -> datetime:
        """The last tick at this moment or before."""
        if self.every < HOUR:
            seconds = self.every.total_seconds()
            return datetime.fromtimestamp(now.timestamp() // seconds * seconds, UTC)
        tick = now.astimezone(BEIJING).replace(minute=self.minute, second=0, microsecond=0)
        while tick > now or not self.hours[0] <= tick.hour <= self.hours[1]:
            tick -= HOUR
        return tick.astimezone(UTC)

    @property
    def words(self) -> str:
        """As people say it."""
        seconds = int(self.every.total_seconds())
        first, last = self.hours
        if self.every < HOUR:
            return f"每{seconds // 60}分钟" if seconds >= 60 else f"每{seconds}秒"  # noqa: PLR2004 - seconds of a minute
        if first == last:
            return f"每天{first:02d}:{self.minute:02d}"
        return (
            f"每小时{self.minute:02d}分"
            if (first, last) == (0, 23)
            else f"每天{first:02d}:{self.minute:02d}至{last:02d}:{self.minute:02d}每小时"
        )


def _every(seconds: int = 0, *, minutes: int = 0) -> Rhythm:
    return Rhythm(every=timedelta(seconds=seconds, minutes=minutes))


def _hourly(minute: int, first: int = 0, last: int = 23) -> Rhythm:
    return Rhythm(every=HOUR, minute=minute, hours=(first, last))


RHYTHMS: Final[dict[str, tuple[str, Rhythm]]] = {
    "ask_providers": ("查询没有回音的支付", _every(2)),
    "close_stale_orders": ("关闭过期订单", _every(15)),
    "return_surplus": ("找出应退的多余款项", _every(10)),
    "send_refunds": ("发送退款并查询结果", _every(5)),
    "reconcile": ("取对方账单对账", _hourly(17, 10, 23)),
    "reconcile_asked": ("工作台请求的对账", _every(10)),
    "read_lists": ("读入税务和社保清单", _every(60)),
    "tell_tax_missing": ("找出税务迟迟未入库的月份", _hourly(47, 8, 22)),
    "assess": ("生成账单", _every(minutes=10)),
    "adjust": ("基数确定后补差", _hourly(41)),
    "void_uncovered": ("作废不再参保的账单", _hourly(23)),
    "void_uncovered_bills": ("停保后作废未缴账单", _every(60)),
    "make_debits": ("生成扣款批次", _every(minutes=10)),
    "exchange_debits": ("与银行交换扣款文件", _every(minutes=5)),
    "remind_of_debits": ("扣款提醒", _hourly(23, 9, 20)),
    "remind": ("缴费提醒", _hourly(13, 9, 20)),
    "send_messages": ("发送消息", _every(5)),
    "count_given_up": ("统计没有送达的消息", _every(minutes=5)),
    "ask_face_checks": ("查询人脸核验结果", _every(2)),
    "expire_face_checks": ("人脸核验过期", _every(30)),
    "end_silent_card_checks": ("结束没有回音的银行卡核验", _every(30)),
    "expire_counter_checks": ("窗口核验码过期", _every(30)),
    "ask_about_agreements": ("查询待核实的扣款协议", _every(15)),
    "tell_overdue": ("逾期未审的致歉", _every(minutes=5)),
    "put_back_forgotten": ("退回久未办理的审核", _every(minutes=5)),
    "lapse_returned": ("逾期未补正的申请失效", _hourly(37, 9, 20)),
    "erase_pictures": ("删除不再需要的照片", _every(minutes=5)),
    "sweep_orphans": ("清理无主照片", _hourly(43)),
    "apply_retention": ("删除到期数据", Rhythm(every=DAY, minute=17, hours=(3, 3))),
    "reseal": ("更换密钥后重新密封", _every(60)),
    "tell_lost_seals": ("查找丢失密钥的数据", _hourly(7)),
    "chain_audit": ("审计记录上链", _every(minutes=2)),
    "retry_stalled": ("接手中断的后台任务", _every(20)),
}
"""Name of a sweep → what it does, and when. What money waits for comes first."""


@dataclass(frozen=True, kw_only=True)
class SweepView:
    name: str
    title: str
    rhythm: str
    called_at: datetime | None
    """The tick that was queued last; None: none is remembered."""
    under_way_since: datetime | None
    is_late: bool
    """A tick has passed that was not queued, though its time to be was generous."""
    hangs: bool


@dataclass(frozen=True, kw_only=True)
class SweepsView:
    heartbeat_at: datetime | None
    """The last sign of life of any worker."""
    sweeps: list[SweepView]

    @property
    def late(self) -> list[SweepView]:
        """Those somebody has to look after."""
        return [each for each in self.sweeps if each.is_late or each.hangs]


def sweeps_now(ports: Ports) -> SweepsView:
    """When each sweep was last called. One that was never called is late only where it is called all day long: a new house has no past."""
    now = ports.now()
    with ports.begin() as session:
        called = {row.task_name: datetime.fromtimestamp(row.at, UTC) for row in session.execute(CALLED)}
        under_way = {row.task_name: row.since for row in session.execute(UNDER_WAY)}
        heartbeat_at = session.scalar(HEARTBEAT)
    return SweepsView(
        heartbeat_at=heartbeat_at,
        sweeps=[
            _view(name, called_at=called.get(f"canbao:{name}"), since=under_way.get(f"canbao:{name}"), now=now)
            for name in RHYTHMS
        ],
    )


def _view(name: str, *, called_at: datetime | None, since: datetime | None, now: datetime) -> SweepView:
    title, rhythm = RHYTHMS[name]
    due = rhythm.last(now - max(GRACE, min(rhythm.every, HOUR) / 2))
    return SweepView(
        name=name,
        title=title,
        rhythm=rhythm.words,
        called_at=called_at,
        under_way_since=since,
        is_late=rhythm.every < HOUR if called_at is None else called_at < due,
        hangs=since is not None and since < now - LONG,
    )
