"""A PostgreSQL of the crash tests' own: they make hundreds of databases, restart servers, and must be in nobody's way."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine

from config.embedded_postgres import EmbeddedPostgres
from models.migrate import migrate
from tests.conftest import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

MIGRATED = "migrated"


@contextmanager
def a_server_of_our_own(*, major: str = "18") -> Iterator[Server]:
    """A fresh server with an empty `canbao` and a migrated template. Nothing of it is left behind."""
    with tempfile.TemporaryDirectory(prefix="cb-") as folder:
        embedded = EmbeddedPostgres(Path(folder), major=major)
        try:
            with embedded:
                ours = Server(embedded.url, embedded)
                with ours.connect() as connection:
                    # A killed process loses nothing that PostgreSQL was told; only a power cut needs the disk, and is not tested here.
                    connection.execute("ALTER SYSTEM SET fsync = off")
                    connection.execute("ALTER SYSTEM SET full_page_writes = off")
                    connection.execute("SELECT pg_reload_conf()")
                    connection.execute(f'CREATE DATABASE "{MIGRATED}"')
                engine = create_engine(ours.url_of(MIGRATED))
                migrate(engine)
                engine.dispose()
                yield ours
        finally:
            # As root its data stands under /var/lib/canbao, outside the temporary folder.
            shutil.rmtree(embedded._home, ignore_errors=True)


@pytest.fixture(scope="session")
def quick_server() -> Iterator[Server]:
    with a_server_of_our_own() as ours:
        yield ours
