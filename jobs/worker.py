"""The worker: sweeps that the clock calls. Rows are the queue; every sweep is safe to run late, twice or never.

procrastinate keeps the clock. Its ways are wrapped here: crons are UTC (ours do not care) and name seconds last, a job whose worker was killed
stays `doing` until somebody retries it, and a lost database ends the worker without a word.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import UniqueViolation
from procrastinate.jobs import Status
from prometheus_client import Gauge
from sqlalchemy.exc import SQLAlchemyError

from config.logs import logger
from jobs import debit_sweeps  # noqa: F401 - its sweeps are SWEEPS'
from jobs.house_measures import HouseMeasures
from jobs.machines import Heart, answer_machines
from jobs.sweeping import SWEEPS, begin_measures, sweep
from services.adjustments import adjust
from services.agreement_asking import ask_about_agreements
from services.application_lapsing import lapse_returned
from services.audit_chain import chain_audit
from services.bank_card_checks import end_silent_checks
from services.billing_sweep import assess_what_is_missing
from services.counter_codes import expire_counter_checks
from services.document_sweeps import erase_pictures, sweep_orphans
from services.face_checks import expire_face_checks
from services.identity_asking import ask_face_checks
from services.list_folder import read_what_came
from services.message_sending import send_messages
from services.payment_reminders import remind
from services.payments import ask_about_silence, close_stale
from services.reconciliation import reconcile_what_is_due
from services.reconciliation_asking import compare_what_was_asked
from services.refund_sending import return_surplus, send_refunds
from services.resealing import reseal, tell_lost_seals
from services.retention import apply_retention
from services.review_queue import count_overdue
from services.reviews import put_back_forgotten, tell_overdue
from services.tax_missing import tell_tax_missing
from services.uncovered_bills import void_all_uncovered, void_uncovered_bills
from services.undelivered import count_given_up

if TYPE_CHECKING:
    from collections.abc import Hashable
    from datetime import date
    from pathlib import Path

    from jobs.machines import Address
    from services.ports import Ports

log = logger(__name__)

CONCURRENCY: Final = 4
"""A provider that answers slowly holds one sweep, never all of them."""
REENTER_SECONDS: Final = 1.0
BEAT_SECONDS: Final = 5.0
STUCK_AFTER_SECONDS: Final = 60.0
A_WEEK: Final = timedelta(days=7)
OVERDUE: Final = Gauge(
    "canbao_applications_overdue", "Applications that wait longer than was promised", multiprocess_mode="mostrecent"
)
LOST_SEALS: Final = Gauge(
    "canbao_lost_seal_rows", "Sealed values that no key in the file opens", multiprocess_mode="mostrecent"
)
GIVEN_UP: Final = Gauge(
    "canbao_messages_given_up",
    "Messages of the last seven days that did not reach a phone",
    ["key", "why"],
    multiprocess_mode="mostrecent",
)

_given_up_before: Final[set[tuple[str, str]]] = set()


@sweep("ask_providers", cron="* * * * * */2")
def ask_providers(ports: Ports) -> int:
    """Ask about payments whose silence has lasted 5 s, 30 s, 2 min, 10 min, 1 h."""
    return ask_about_silence(ports)


@sweep("close_stale_orders", cron="* * * * * */15")
def close_stale_orders(ports: Ports) -> int:
    """Close what has lapsed, at the provider first."""
    return close_stale(ports)


@sweep("return_surplus", cron="* * * * * */10")
def return_what_is_owed(ports: Ports) -> int:
    """Second and wrong money goes back to whoever paid it."""
    return return_surplus(ports)


@sweep("send_refunds", cron="* * * * * */5")
def send_what_was_decided(ports: Ports) -> int:
    """Order refunds at the provider, and ask about those that are silent."""
    return send_refunds(ports)


@sweep("ask_face_checks", cron="* * * * * */2")
def ask_faces(ports: Ports) -> int:
    """Ask about face checks that a callback named, at once; else when their silence has lasted 20 s, 1 min, 3 min, 10 min."""
    return ask_face_checks(ports)


@sweep("expire_face_checks", cron="* * * * * */30")
def expire_faces(ports: Ports) -> int:
    """Face checks that nobody finished lapse."""
    return expire_face_checks(ports)


@sweep("reseal", cron="* * * * *")
def reseal_old_rows(ports: Ports) -> int:
    """Rows that an older key sealed are sealed with the current one; nothing to do while there is one key alone."""
    return reseal(ports)


@sweep("chain_audit", cron="*/2 * * * *")
def chain_audit_rows(ports: Ports) -> int:
    """Moves, openings of personal data and transfers of the last minutes are put under blocks of the audit chain."""
    return chain_audit(ports)


@sweep("tell_lost_seals", cron="7 * * * *")
def tell_what_is_lost(ports: Ports) -> int:
    """Rows whose seal key is lost are told once an hour, and when the worker starts."""
    lost = tell_lost_seals(ports)
    LOST_SEALS.set(lost)
    return lost


@sweep("apply_retention", cron="17 19 * * *")
def erase_what_is_over(ports: Ports) -> int:
    """Each night at 03:17 in Beijing: what is over its term is erased (config/retention.yaml)."""
    return apply_retention(ports)


class OnceADay:
    """What is wrong until a person mends it is told at the first sweep of each day, and when the worker starts; not every ten minutes."""

    def __init__(self) -> None:
        self._day: date | None = None
        self._told: set[Hashable] = set()

    def is_new(self, today: date, what: Hashable) -> bool:
        """Whether it was not told yet today; from now on it was."""
        if today != self._day:
            self._day, self._told = today, set()
        if what in self._told:
            return False
        self._told.add(what)
        return True


TOLD: Final = OnceADay()


@sweep("reconcile", cron="17 2-15 * * *")
def reconcile_days(ports: Ports) -> int:
    """By day in Beijing (10:17 to 23:17): yesterday, and what of the last week was never compared, against the providers' own bills."""
    return reconcile_what_is_due(ports)


@sweep("reconcile_asked", cron="* * * * * */10")
def reconcile_what_was_asked(ports: Ports) -> int:
    """Days that one of the staff asked to have compared at the console."""
    return compare_what_was_asked(ports)


@sweep("read_lists", cron="* * * * *")
def read_authorities_lists(ports: Ports) -> int:
    """What the tax authority and the registrar put into their folder."""
    return read_what_came(ports)


@sweep("tell_tax_missing", cron="47 0-14 * * *")
def tell_what_tax_lacks(ports: Ports) -> int:
    """By day in Beijing: paid months that no list had within the region's working days."""
    return tell_tax_missing(ports)


@sweep("assess", cron="*/10 * * * *")
def assess_months(ports: Ports) -> int:
    """Issue the bills that are missing of every month up to this one; months that a rule is missing for are told once a day."""
    swept = assess_what_is_missing(ports)
    for month, group in swept.without_bill:
        what = (str(month), group.region, group.insurance_type, group.plan_id, group.without_bill, group.why)
        if TOLD.is_new(ports.today(), what):
            log.warning(
                "month.without_bills",
                month=str(month),
                region=group.region,
                insurance_type=group.insurance_type,
                plan=group.plan_id,
                count=group.without_bill,
                why=group.why,
            )
    return swept.issued


@sweep("adjust", cron="41 * * * *")
def adjust_months(ports: Ports) -> int:
    """Months that were billed on figures which are final by now; also those that somebody was paying at the last sweep."""
    return sum(each.did for each in adjust(ports))


@sweep("void_uncovered", cron="23 * * * *")
def void_uncovered_months(ports: Ports) -> int:
    """Unpaid bills of months that their enrolment no longer covers are void."""
    return void_all_uncovered(ports)


@sweep("erase_pictures", cron="*/5 * * * *")
def erase_unused_pictures(ports: Ports) -> int:
    """Pictures that nobody can open any more leave the store: replaced, taken back, or over their term."""
    return erase_pictures(ports)


@sweep("sweep_orphans", cron="43 * * * *")
def sweep_pictures_without_a_row(ports: Ports) -> int:
    """Once an hour: pictures whose upload died half way, or whose application is gone."""
    return sweep_orphans(ports)


@sweep("remind", cron="13 1-12 * * *")
def remind_payers(ports: Ports) -> int:
    """Five days and one day before a cut-off, by day in Beijing (09:13 to 20:13): nobody's phone rings at night."""
    return remind(ports)


@sweep("send_messages", cron="* * * * * */5")
def push_messages(ports: Ports) -> int:
    """Push what waits to those who allowed it, and give up the rest: it can be read."""
    return send_messages(ports)


@sweep("count_given_up", cron="*/5 * * * *")
def count_what_was_given_up(ports: Ports) -> None:
    """What did not reach a phone is told to whoever watches (`canbao messages given-up` names each)."""
    counted = count_given_up(ports, within=A_WEEK)
    _given_up_before.update(counted)
    for key, why in _given_up_before:
        # Also those that are none any more: a gauge keeps what it was told last.
        GIVEN_UP.labels(key, why).set(counted.get((key, why), 0))


@sweep("tell_overdue", cron="*/5 * * * *")
def tell_what_is_overdue(ports: Ports) -> int:
    """Applicants who wait longer than was promised get an apology, once; nothing is decided by time."""
    OVERDUE.set(count_overdue(ports))
    return tell_overdue(ports)


@sweep("lapse_returned", cron="37 1-12 * * *")
def lapse_what_nobody_mends(ports: Ports) -> int:
    """By day in Beijing (09:37 to 20:37): returned applications whose term is near or over; each is told, and nobody at night."""
    return lapse_returned(ports)


@sweep("put_back_forgotten", cron="*/5 * * * *")
def put_back_what_was_forgotten(ports: Ports) -> int:
    """Applications that somebody took up and did not decide for two hours go back to the queue."""
    return put_back_forgotten(ports)


@sweep("void_uncovered_bills", cron="* * * * *")
def void_what_is_not_covered(ports: Ports) -> int:
    """After a suspension: months whose order has ended unpaid are owed no longer."""
    return void_uncovered_bills(ports)


@sweep("end_silent_card_checks", cron="* * * * * */30")
def end_silent_cards(ports: Ports) -> int:
    """Bank card checks whose process died come to rest."""
    return end_silent_checks(ports)


@sweep("ask_about_agreements", cron="* * * * * */15")
def ask_about_pending_agreements(ports: Ports) -> int:
    """Ask about agreements whose bank has been silent for 1 min, 10 min, 1 h, 6 h; after 12 h more they are given up."""
    return ask_about_agreements(ports)


@sweep("expire_counter_checks", cron="* * * * * */30")
def expire_counters(ports: Ports) -> int:
    """Codes for the counter lapse, and what a clerk typed is erased with them."""
    return expire_counter_checks(ports)


@SWEEPS.periodic(cron="* * * * * */20")
@SWEEPS.task(name="retry_stalled", queueing_lock="retry_stalled", pass_context=True)
async def retry_stalled(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - the tick it was meant for does not matter
    """Jobs whose worker was killed are put back: they would stay `doing` for ever."""
    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs():
        try:
            await manager.retry_job(job)
            log.warning("job.put_back", task=job.task_name)
        except UniqueViolation:
            # One of its kind waits already, and that one will find all there is to do.
            await manager.finish_job(job, status=Status.ABORTED, delete_job=True)
            log.warning("job.let_go", task=job.task_name)


def run(ports: Ports, *, conninfo: str, metrics: Address | None = None, secrets_dir: Path | None = None) -> None:
    """The process: runs until SIGTERM or SIGINT, and lets the job in hand end. `metrics` is where Prometheus may ask it, about the whole
    house too; `secrets_dir` tells it of certificates that end.
    """
    heart = Heart(STUCK_AFTER_SECONDS)
    begin_measures()
    if metrics is not None:
        answer_machines(metrics, is_well=heart.is_beating, more=[HouseMeasures(ports, secrets_dir=secrets_dir)])
    asyncio.run(_run(ports, conninfo, heart))


async def _beat(heart: Heart) -> None:
    """For as long as the loop itself turns. Sweeps run beside it, and what hangs in one of them is told by its own time."""
    while True:
        heart.beat()
        await asyncio.sleep(BEAT_SECONDS)


async def _run(ports: Ports, conninfo: str, heart: Heart) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app = App(connector=PsycopgConnector(conninfo=conninfo, min_size=1, max_size=CONCURRENCY + 2))
    app.add_tasks_from(SWEEPS, namespace="canbao")
    options: dict[str, Any] = {
        "concurrency": CONCURRENCY,
        "delete_jobs": "always",
        "install_signal_handlers": False,
        "additional_context": {"ports": ports},
    }
    # Beside the loop, and left behind at the end: it reads whole tables.
    threading.Thread(target=_tell_lost_seals_once, args=(ports,), daemon=True).start()
    beating = asyncio.create_task(_beat(heart))
    log.info("worker.started")
    while not stop.is_set():
        await _until_stopped(asyncio.create_task(_work(app, options)), stop)
        if not stop.is_set():
            # A restarted database ends it with exit 0 and no error, a missing one with an error: it is entered again.
            log.warning("worker.entered_again")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), REENTER_SECONDS)
    beating.cancel()
    log.info("worker.stopped")


def _tell_lost_seals_once(ports: Ports) -> None:
    try:
        LOST_SEALS.set(tell_lost_seals(ports))
    except SQLAlchemyError as fault:
        log.warning("seals.not_counted", fault=type(fault).__name__)


async def _work(app: App, options: dict[str, Any]) -> None:
    async with app.open_async():
        await app.run_worker_async(**options)


async def _until_stopped(worker: asyncio.Task[None], stop: asyncio.Event) -> None:
    """Until it ends or we are told to stop; then the job in hand is waited for."""
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({worker, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not worker.done():
        worker.cancel()
    try:
        await worker
    except asyncio.CancelledError:
        return
    except Exception as fault:  # noqa: BLE001 - whatever ended it, it is entered again; nothing of ours runs here
        log.error("worker.ended", fault=type(fault).__name__)  # noqa: TRY400 - no traceback: it holds values
