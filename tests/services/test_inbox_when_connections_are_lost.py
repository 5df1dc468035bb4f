"""Keeping a notice goes straight at the driver; whatever goes wrong there is still said in the house's words."""

from __future__ import annotations

import contextlib

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError


def test_after_a_restart_of_the_database_a_notice_is_kept_at_the_second_try(world, ports):
    _, order = world.order()
    engine = ports.sessions.kw["bind"]
    pooled = [engine.connect() for _ in range(5)]
    for connection in pooled:
        connection.execute(text("SELECT 1"))
    for connection in pooled:
        connection.close()
    with engine.connect() as connection:
        # What a restart does to every pooled connection but this one.
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        connection.commit()

    with contextlib.suppress(DBAPIError):
        world.hear(world.paid_news(order))
    world.hear(world.paid_news(order))  # the letterbox tries once more, and no oftener

    assert len(world.notices()) == 1


def test_news_that_the_database_refuses_is_not_mistaken_for_a_lost_connection(world):
    _, order = world.order()

    with pytest.raises(DBAPIError) as refused:
        world.hear(world.paid_news(order, notice="N\0"))

    assert not refused.value.connection_invalidated
    assert world.hear(world.paid_news(order)) is True


def test_a_notice_is_never_received_inside_somebody_elses_transaction(world, ports):
    _, order = world.order()

    with ports.begin(), pytest.raises(RuntimeError, match="inside a transaction"):
        world.hear(world.paid_news(order))
