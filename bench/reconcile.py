"""A day's bill by `services.reconciliation`, against reading the very same file and copying it into staging alone."""

from __future__ import annotations

import gc
import multiprocessing
import resource
import time
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

from bench.machines import MERCHANT, PROGRAM
from bench.seed import AMOUNT_FEN, NUMBER, UUID
from config.clock import BEIJING
from config.rulebook import load_rulebook
from config.seals import load_seals
from config.settings import load_partners
from models.migrate import migrate
from providers.bills import Bill
from providers.protocols import Channel
from providers.wechat.bill_rows import trade_rows
from services.ports import Ports
from services.reconciliation import reconcile
from services.reconciliation_steps import stage

if TYPE_CHECKING:
    from pathlib import Path

    from bench.machines import Machines
    from providers.bills import Funds

DAY: Final = date(2026, 11, 20)
NOON: Final = "2026-11-20 12:00:00+08"
ACCOUNT: Final = f"{Channel.WECHAT_PAY}:{MERCHANT}"
SPAWN: Final = multiprocessing.get_context("spawn")
COLUMNS: Final = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,"
    "微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)
SUMS: Final = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
YUAN: Final = f"{AMOUNT_FEN // 100}.{AMOUNT_FEN % 100:02d}"
THEIRS: Final = "'42000' || lpad(n::text, 23, '0')"

PAYMENTS: Final = f"""
    INSERT INTO payments (id, payment_no, origin, channel, merchant, miniprogram, amount_fen, state, provider_payment_no, paid_at, created_at)
    SELECT {UUID}, {NUMBER}, 'ORDER', '{Channel.WECHAT_PAY}', '{MERCHANT}', '{PROGRAM}', {AMOUNT_FEN}, 'SUCCEEDED', {THEIRS}, '{NOON}', '{NOON}'
    FROM generate_series(1, %(count)s::int) n
""".format(salt="'payment'")  # noqa: S608 - our own words only
TRANSFERS: Final = f"""
    INSERT INTO transfers (debit_account, credit_account, amount_fen, kind, payment_id, who, at)
    SELECT 'clearing:{ACCOUNT}', 'contributions:tax-320400:110', amount_fen, 'SETTLED', id, 'settle', paid_at FROM payments
"""  # noqa: S608 - our own words only


@dataclass(frozen=True, kw_only=True)
class Measured:
    reconcile_s: float
    copy_s: float
    memory_mb: float
    """Of the Python process that reconciles, at its most."""


class Reconciling:
    """One database of a day's payments, and the provider's bill of that day as a file."""

    def __init__(self, machines: Machines, *, payments: int) -> None:
        self.machines, self.payments = machines, payments
        self.template = f"paid_{payments}"
        self.file = machines.folder / f"bill-{payments}.csv"
        with machines.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.template)))
        engine = create_engine(machines.url_of(self.template))
        migrate(engine)
        engine.dispose()
        with machines.connect(self.template) as connection:
            connection.execute(PAYMENTS, {"count": payments})
            connection.execute(TRANSFERS)
            connection.execute("VACUUM ANALYZE")
            self._write_bill(connection)

    def measure(self) -> Measured:
        """Once; a comparison without differences leaves only its own row, so the same database serves again."""
        with self.machines.connect(self.template) as connection:
            connection.execute("CHECKPOINT")
        # In a process of its own: how much memory it takes is measured too.
        with SPAWN.Pool(1) as one:
            matched, seconds, copy_s, megabytes = one.apply(
                _reconcile, (self.machines.url_of(self.template), self.machines.folder, self.file)
            )
        assert matched == self.payments, f"{matched} of {self.payments} agree"
        return Measured(reconcile_s=seconds, copy_s=copy_s, memory_mb=megabytes)

    def drop(self) -> None:
        self.file.unlink()
        with self.machines.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self.template)))

    def _write_bill(self, connection: Any) -> None:
        total = f"{self.payments * AMOUNT_FEN // 100}.{self.payments * AMOUNT_FEN % 100:02d}"
        with (
            self.file.open("w", encoding="utf-8-sig", newline="") as file,
            connection.transaction(),
            connection.cursor(name="numbers") as cursor,
        ):
            file.write(COLUMNS + "\r\n")
            cursor.execute("SELECT payment_no, provider_payment_no FROM payments")
            for ours, theirs in cursor:
                row = (
                    "2026-11-20 12:00:00", "wx3204000000000001", MERCHANT, "0", "", theirs, ours, "openid", "JSAPI", "SUCCESS", "OTHERS", "CNY",
                    YUAN, "0.00", "0", "0", "0.00", "0.00", "", "", "社会保险费", "", "0.00000", "0.00%", YUAN, "0.00", "",
                )  # fmt: skip
                file.write("`" + ",`".join(row) + "\r\n")
            sums = (f"{self.payments}.0", total, "0.00", "0.00", "0.00000", total, "0.00")
            file.write(SUMS + "\r\n`" + ",`".join(sums) + "\r\n")


class FileBills:
    """A BillProvider with one file."""

    channel, merchant, counts_refunds_together = Channel.WECHAT_PAY, MERCHANT, False

    def __init__(self, file: Path) -> None:
        self.file = file

    def fetch(self, day: date, *, now: datetime) -> Bill:  # noqa: ARG002 - as the protocol has it
        return Bill(self.file.open("rb"), partial(trade_rows, merchant=MERCHANT))

    def funds(self, day: date, *, now: datetime) -> Funds | None:  # noqa: ARG002 - as the protocol has it
        return None


class NextNoon:
    """The bill of DAY is there."""

    def now(self) -> datetime:
        return datetime(2026, 11, 21, 12, tzinfo=BEIJING)


def _reconcile(url: str, folder: Path, file: Path) -> tuple[int, float, float, float]:
    """How many agree, in how many seconds, of which staging alone takes how many, with how many megabytes of memory at most."""
    engine, bills = create_engine(url), FileBills(file)
    partners = load_partners(folder / "miniprograms.yaml")
    ports = Ports(
        clock=NextNoon(),
        sessions=sessionmaker(engine, expire_on_commit=False),
        seals=load_seals(folder / "secrets" / "seal-keys.json"),
        rulebook=load_rulebook(),
        partners=partners,
        logins={},
        # Its channel and its merchant are all that a comparison asks of it.
        payments={PROGRAM: bills},  # type: ignore[dict-item]
        faces={},
        messengers={},
        message_events={},
        daily_bills={ACCOUNT: bills},
        # A comparison asks nobody for a name, a card or a message.
        names=None,  # type: ignore[arg-type]
        cards=None,  # type: ignore[arg-type]
        sms=None,  # type: ignore[arg-type]
        documents=None,  # type: ignore[arg-type]
    )
    gc.collect()
    started = time.perf_counter()
    with bills.fetch(DAY, now=ports.now()) as bill, ports.begin() as session:
        stage(session, bill.rows())
    copied = time.perf_counter()
    done = reconcile(ports, merchant_account=ACCOUNT, day=DAY)
    ended = time.perf_counter()
    engine.dispose()
    return done.matched, ended - copied, copied - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
