"""The diary of migrations ends where the models stand: the same tables, columns, indexes, and the same conditions on rows."""

from __future__ import annotations

from sqlalchemy import create_engine, text

from models.migrate import differences
from models.tables import metadata
from tests.conftest import fresh_database

CONDITIONS = text("""
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE contype IN ('c', 'u', 'p', 'f') AND connamespace = 'public'::regnamespace AND conrelid::regclass::text = ANY(:tables)
    ORDER BY 1, 2
""")


def conditions(engine):
    with engine.connect() as connection:
        return connection.execute(CONDITIONS, {"tables": list(metadata.tables)}).all()


def test_a_migrated_database_is_the_one_that_the_models_describe(ports):
    assert differences(ports.sessions.kw["bind"]) == []


def test_every_condition_on_a_row_stands_in_the_diary_as_in_the_models(ports, server):
    with fresh_database(server, "template0") as url:
        engine = create_engine(url)
        metadata.create_all(engine)
        described = conditions(engine)
        engine.dispose()

    assert len(described) > len(metadata.tables)
    assert conditions(ports.sessions.kw["bind"]) == described
