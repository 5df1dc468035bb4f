"""The operator's commands: `canbao …`. Each says what it does, and exits non-zero when it did not do it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
from flask import current_app

from config.months import YearMonth
from config.seal_file import make_file
from config.seals import ALGORITHMS
from jobs import settle as settle_loop
from jobs import worker as worker_process
from jobs.adjustment_commands import adjust, adjustments_command
from jobs.agreement_commands import agreements
from jobs.asking import in_words, ports_of, settings_of
from jobs.audit_commands import audit
from jobs.check_config_commands import check_config
from jobs.counter_commands import counter
from jobs.debit_commands import debits
from jobs.list_commands import registrar_list, tax_list, tax_missing_command
from jobs.machines import Address, read_address
from jobs.progress import bar
from jobs.reconciliation_commands import differences, reconcile
from jobs.refund_commands import refunds
from jobs.review_commands import messages, reviews
from jobs.rights_commands import requests, retention
from jobs.seal_commands import seals
from jobs.simulate_commands import simulate
from jobs.slip_commands import slips
from jobs.stack import PORTS, Stack, StackFault
from jobs.staff_commands import staff
from models.migrate import migrate as bring_up_to_date
from services import assessment, enrollment_feed, inbox, journal
from services.errors import BusinessError

if TYPE_CHECKING:
    from rich.progress import TaskID


@click.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    engine = current_app.extensions["canbao.make_engine"](settings_of())
    bring_up_to_date(engine)
    engine.dispose()
    click.echo("the schema is up to date")


@click.group("seal-keys")
def seal_keys() -> None:
    """The keys that seal personal data."""


@seal_keys.command("new")
@click.option("--algorithm", type=click.Choice(list(ALGORITHMS)), default="SM4-GCM", show_default=True)
@click.option("--if-missing", is_flag=True, help="Do nothing when there is a file already.")
def new_keys(algorithm: str, *, if_missing: bool) -> None:
    """Make seal-keys.json in the secrets folder. Never overwrites one: what it sealed would be lost."""
    path = settings_of().secrets_dir / "seal-keys.json"
    if make_file(path, algorithm=algorithm):
        click.echo(f"made {path.name}")
    elif not if_missing:
        raise click.ClickException(f"{path.name} exists; whoever replaces it loses everything that it sealed")


@click.group("import")
def import_group() -> None:
    """Bring in what other authorities send."""


@import_group.command("enrollments")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_enrollments(file: Path) -> None:
    """The registrar's feed of enrolments (CSV, UTF-8 or GB18030). Exits 1 when rows were refused; the rest is in."""
    with file.open("rb") as raw:
        lines = sum(1 for _ in raw)
    try:
        with bar() as shown:
            task = shown.add_task("rows", total=max(lines - 1, 0))
            report = enrollment_feed.import_enrollments(
                ports_of(), file, on_progress=lambda line: shown.update(task, completed=line - 1)
            )
    except enrollment_feed.FeedRefused as fault:
        raise click.ClickException(f"{file.name}: {fault}") from None
    for bad in report.bad:
        click.echo(f"{file.name}: line {bad.line}: {bad.reason}", err=True)
    click.echo(f"added {report.added}, changed {report.changed}, unchanged {report.unchanged}, refused {len(report.bad)}")
    sys.exit(1 if report.bad else 0)


@click.command()
@click.option(
    "--month",
    "months",
    required=True,
    multiple=True,
    help="The coverage month, such as 2026-11; may be given again for others.",
)
def assess(months: tuple[str, ...]) -> None:
    """Issue a month's bills by the rulebook. Again changes nothing."""
    try:
        wanted = [YearMonth.parse(month) for month in months]
    except ValueError as fault:
        raise click.ClickException(str(fault)) from None
    # Every month, also where an earlier one has left something without a bill.
    lacking = [month for month in wanted if _assess(month)]
    sys.exit(1 if lacking else 0)


def _assess(wanted: YearMonth) -> bool:
    """Issue one month's bills, and say so. Whether something is left without one."""
    with bar() as shown:
        tasks: dict[tuple[str, str, str], TaskID] = {}

        def show(part: assessment.PartDone) -> None:
            group = (part.region, part.insurance_type, part.plan_id)
            if group not in tasks:
                tasks[group] = shown.add_task(" ".join(group), total=part.of)
            shown.update(tasks[group], completed=part.number)

        done = assessment.assess(ports_of(), month=wanted, on_part=show)
    click.echo(f"bills for {wanted}")
    for each in done:
        click.echo(
            f"  {each.region} {each.insurance_type} {each.plan_id}: issued {each.issued}, without a bill {each.without_bill}"
            + (f" ({each.why})" if each.why else "")
        )
    return any(each.without_bill for each in done)


def _address(_context: click.Context, _option: click.Parameter, given: str | None) -> Address | None:
    try:
        return None if given is None else read_address(given)
    except ValueError as fault:
        raise click.BadParameter(str(fault)) from None


METRICS = click.option(
    "--metrics", metavar="HOST:PORT", callback=_address, help="Answer /metrics and /healthz here, such as 127.0.0.1:9101."
)


@click.command("settle")
@click.option("--once", is_flag=True, help="Settle what waits now, and end.")
@METRICS
def settle_command(*, once: bool, metrics: Address | None) -> None:
    """The settle loop: from waiting notices to books."""
    ports = ports_of()
    if not once:
        settle_loop.run(ports, metrics=metrics)
        return
    from services.settlement import settle

    total = 0
    while taken := settle(ports):
        total += taken
    click.echo(f"settled {total}")


@click.command()
@METRICS
def worker(metrics: Address | None) -> None:
    """The sweeps that the clock calls."""
    ports = ports_of()
    url = ports.sessions.kw["bind"].url
    conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
    worker_process.run(ports, conninfo=conninfo, metrics=metrics, secrets_dir=settings_of().secrets_dir)


@click.command("inbox")
@click.option("--resolve", metavar="NOTICE_ID", help="Mark a parked notice as dealt with.")
@click.option("--again", metavar="NOTICE_ID", help="Settle a CONFLICT again, once what it clashed with is mended.")
@click.option("--reason", help="What was done about it.")
@click.option("--who", help="Who did it: a staff member's number.")
def inbox_command(resolve: str | None, again: str | None, reason: str | None, who: str | None) -> None:
    """Parked notices: money that waits for a person, and what to do about it."""
    ports = ports_of()
    if resolve or again:
        if not reason or not who:
            raise click.ClickException("this wants --reason and --who, such as --reason '已原路退回' --who S1024")
        with in_words():
            if resolve:
                inbox.resolve(ports, notice_id=resolve, reason=reason, who=who)
            if again:
                inbox.settle_again(ports, notice_id=again, reason=reason, who=who)
        click.echo("resolved" if resolve else "back in the queue")
        return
    with ports.begin() as session:
        rows = inbox.parked(session)
    # Not a table: whoever copies a number from here needs all of it.
    click.echo(f"{len(rows)} parked" + (", oldest first" if rows else ""))
    for row in rows:
        amount = "-" if row.amount_fen is None else f"{row.amount_fen} fen"
        click.echo(
            f"\n{row.id}\n  {row.outcome}: {amount} at {row.merchant_account}, received {row.received_at.isoformat(timespec='seconds')}"
            f"\n  payment {row.payment_no or '-'}, their number {row.provider_payment_no or '-'}\n  → {row.next_step}"
        )


@click.command()
@click.argument("payment_no")
def explain(payment_no: str) -> None:
    """Every row that touched this money, in time order. Takes our payment or order number, or the provider's."""
    ports = ports_of()
    try:
        with ports.begin() as session:
            events = journal.explain(session, payment_no=payment_no)
    except BusinessError:
        raise click.ClickException(f"nothing is known of {payment_no}") from None
    for event in events:
        click.echo(f"{event.at.isoformat(timespec='milliseconds')}  {event.table:<21}  {event.what}")


@click.command()
@click.option("--check", is_flag=True, help="Only compare; exit 1 when the committed document is stale.")
def openapi(*, check: bool) -> None:
    """Write docs/reference/openapi.json."""
    path = Path(__file__).parent.parent / "docs" / "reference" / "openapi.json"
    text = json.dumps(current_app.spec, ensure_ascii=False, indent=2, sort_keys=True) + "\n"  # type: ignore[attr-defined]
    if check and (not path.exists() or path.read_text() != text):
        raise click.ClickException("docs/reference/openapi.json is stale; run: make openapi")
    if not check:
        path.write_text(text)


@click.command()
@click.option(
    "--port",
    default=PORTS["web"],
    show_default=True,
    help="Of the web; the letterbox has the next one, the sandbox the hundredth after it.",
)
def run(port: int) -> None:
    """Everything on this machine: database, sandbox, web, letterbox, settle, worker. Ctrl-C ends it."""
    stack = Stack.from_port(settings_of().state_dir, port)
    # A polite stop from a process manager is a Ctrl-C too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    click.echo("starting: database, keys, schema, sandbox, web, letterbox, settle, worker …")
    try:
        with stack:
            stack.run([sys.executable, "-m", "sandbox.demo_people", "--sandbox-url", stack.url("sandbox")])
            click.echo(
                f"\n  sandbox page   {stack.url('sandbox')}/\n  API            {stack.url('web')}/api/v1"
                f"\n  its document   {stack.url('web')}/openapi.json"
                f"\n  console        {stack.url('web')}/console\n  letterbox      {stack.url('letterbox')}/webhooks"
                f"\n  logs           {stack.logs}\n\nCtrl-C ends everything."
            )
            while not (ended := stack.ended()):
                time.sleep(0.5)
    except KeyboardInterrupt:
        click.echo("\nstopped")
        return
    except StackFault as fault:
        raise click.ClickException(str(fault)) from None
    raise click.ClickException(f"{', '.join(ended)} ended by itself; see {stack.logs}")


@click.command()
def demo() -> None:
    """One story from the registrar's feed to proven books, in a world of its own; exits non-zero if anything disagrees."""
    with tempfile.TemporaryDirectory(prefix="canbao-demo-") as folder:
        click.echo("starting a world of its own …")
        try:
            with Stack.on_free_ports(Path(folder), notice_time_scale=0.05) as stack:
                urls = ["--canbao-url", stack.url("web"), "--sandbox-url", stack.url("sandbox")]
                story = subprocess.run([sys.executable, "-m", "sandbox.demo", *urls], env=stack.environment, check=False)  # noqa: S603 - our own
        except StackFault as fault:
            raise click.ClickException(str(fault)) from None
    sys.exit(story.returncode)


COMMANDS = (
    migrate,
    check_config,
    seal_keys,
    seals,
    audit,
    import_group,
    assess,
    adjust,
    adjustments_command,
    settle_command,
    worker,
    inbox_command,
    counter,
    agreements,
    slips,
    debits,
    staff,
    messages,
    reviews,
    refunds,
    reconcile,
    differences,
    tax_list,
    registrar_list,
    tax_missing_command,
    explain,
    requests,
    retention,
    openapi,
    run,
    demo,
    simulate,
)
