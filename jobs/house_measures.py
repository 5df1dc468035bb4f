"""The house's figures as Prometheus reads them, asked of the database at the moment of the scrape: what nobody asks about costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from config.logs import logger
from providers.certificates import certificate_ends
from services.house_figures import HouseFigures, read_house_figures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from services.house_figures import Waiting
    from services.ports import Ports

log = logger(__name__)

MEASURES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "canbao_house_figures_up": (
        "1 when the database answered the questions of this scrape; the others are missing where it did not",
        (),
    ),
    "canbao_unsettled_notices": ("Notices that wait to be settled", ()),
    "canbao_unsettled_oldest_seconds": ("How long the oldest of them has waited; 0 where none waits", ()),
    "canbao_parked_notices": ("Parked notices that nobody has dealt with", ("outcome",)),
    "canbao_parked_oldest_seconds": ("How long the oldest of them has waited", ("outcome",)),
    "canbao_open_differences": ("Differences of reconciliation that are open", ("kind",)),
    "canbao_open_differences_oldest_seconds": ("How long the oldest of them has been open", ("kind",)),
    "canbao_reconciliation_days_due": ("Days of the last week whose bill is due and was never compared", ("merchant_account",)),
    "canbao_open_refunds": ("Refunds that are not over, or failed and are owed as before", ("state",)),
    "canbao_open_refunds_oldest_seconds": ("How long ago the oldest of them was written", ("state",)),
    "canbao_asks_overdue_seconds": (
        "How long a silent payment should have been asked about, at most; 0 where none is late",
        (),
    ),
    "canbao_bank_file_faults": ("What in banks' files made no sense and waits for a person", ()),
    "canbao_wal_archiving": ("1 when the database archives its log", ()),
    "canbao_wal_archiving_fails": ("1 when its last try to archive failed", ()),
    "canbao_wal_archived_timestamp_seconds": ("When it archived last; missing where it never did", ()),
    "canbao_database_clock_ahead_seconds": ("How far the database's clock is ahead of this machine's", ()),
    "canbao_certificate_ends_timestamp_seconds": ("When a certificate in CANBAO_SECRETS_DIR ends", ("file",)),
}
"""Name → what it says, and its labels. All are gauges."""
OLDEST: Final = {
    "canbao_parked_notices": "canbao_parked_oldest_seconds",
    "canbao_open_differences": "canbao_open_differences_oldest_seconds",
    "canbao_open_refunds": "canbao_open_refunds_oldest_seconds",
}


class HouseMeasures(Collector):
    """A collector. Several workers may have one each: what they tell is the same, so whoever reads takes the largest."""

    def __init__(self, ports: Ports, *, secrets_dir: Path | None) -> None:
        self._ports, self._secrets_dir = ports, secrets_dir

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Or the registry would collect once to learn the names."""
        return iter(_empty().values())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            figures = read_house_figures(self._ports)
        except SQLAlchemyError as fault:
            log.warning("house_figures.not_read", fault=type(fault).__name__)
            figures = None
        told = _empty()
        told["canbao_house_figures_up"].add_metric([], 0 if figures is None else 1)
        if figures is not None:
            _tell(told, figures, now=self._ports.now())
        for name, ends in certificate_ends(self._secrets_dir).items() if self._secrets_dir else ():
            told["canbao_certificate_ends_timestamp_seconds"].add_metric([name], ends.timestamp())
        return iter(told.values())


def _empty() -> dict[str, GaugeMetricFamily]:
    return {name: GaugeMetricFamily(name, says, labels=labels) for name, (says, labels) in MEASURES.items()}


def _tell(told: dict[str, GaugeMetricFamily], figures: HouseFigures, *, now: datetime) -> None:
    told["canbao_unsettled_notices"].add_metric([], figures.notices.count)
    told["canbao_unsettled_oldest_seconds"].add_metric([], _age(figures.notices.since, now))
    groups: dict[str, dict[str, Waiting]] = {
        "canbao_parked_notices": figures.parked,
        "canbao_open_differences": figures.differences,
        "canbao_open_refunds": figures.refunds,
    }
    for name, group in groups.items():
        for label, waiting in group.items():
            told[name].add_metric([label], waiting.count)
            told[OLDEST[name]].add_metric([label], _age(waiting.since, now))
    for account, days in figures.days_due.items():
        told["canbao_reconciliation_days_due"].add_metric([account], days)
    told["canbao_asks_overdue_seconds"].add_metric([], _age(figures.asks_due_since, now))
    told["canbao_bank_file_faults"].add_metric([], figures.bank_file_faults)
    told["canbao_wal_archiving"].add_metric([], figures.archives)
    told["canbao_wal_archiving_fails"].add_metric([], figures.archiving_fails)
    if figures.archived_at is not None:
        told["canbao_wal_archived_timestamp_seconds"].add_metric([], figures.archived_at.timestamp())
    told["canbao_database_clock_ahead_seconds"].add_metric([], figures.database_ahead_seconds)


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())
