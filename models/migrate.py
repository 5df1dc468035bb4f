"""Bring a database to the newest schema: one migrator at a time, and never waiting long for anybody's lock."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from models.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER: Final = Path(__file__).parent / "migrations"
ADVISORY_LOCK: Final = 0x63616E62616F  # "canbao"


def configuration(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    # {date}_{noun}_{what}.py: the folder reads as history.
    config.set_main_option("file_template", "%%(year)d%%(month).2d%%(day).2d_%%(slug)s")
    config.attributes["connection"] = connection
    return config


def migrate(engine: Engine, *, to: str = "head") -> None:
    """Run what is missing. A second migrator waits for the first; a busy table is given up on after a second."""
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
        connection.commit()
        try:
            connection.execute(text("SET lock_timeout = '1s'"))
            connection.commit()
            command.upgrade(configuration(connection), to)
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("RESET lock_timeout"))
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": ADVISORY_LOCK})
            connection.commit()


def is_newest(engine: Engine) -> bool:
    """Whether the database has the schema that this release wants. Raises SQLAlchemyError where it does not answer."""
    with engine.connect() as connection:
        if connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
            return False
        wanted = ScriptDirectory.from_config(configuration(connection)).get_current_head()
        return bool(connection.scalar(text("SELECT version_num FROM alembic_version")) == wanted)


def differences(engine: Engine) -> Sequence[object]:
    """What the models say and the database does not. Empty when they agree."""

    def ours(_object: object, name: str | None, kind: str, reflected: bool, _other: object) -> bool:  # noqa: FBT001 - Alembic's signature
        return not (kind == "table" and reflected and (name or "").startswith("procrastinate"))

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours})
        return list(compare_metadata(context, metadata))
