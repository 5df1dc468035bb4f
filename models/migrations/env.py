"""Alembic's entrance: one connection, given by `models.migrate`."""

from alembic import context

from models.tables import metadata


def ours(_object: object, name: str | None, kind: str, reflected: bool, _other: object) -> bool:  # noqa: FBT001 - Alembic's signature
    """Leave procrastinate's own tables alone."""
    return not (kind == "table" and reflected and (name or "").startswith("procrastinate"))


connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, include_object=ours, compare_server_default=False)
with context.begin_transaction():
    context.run_migrations()
