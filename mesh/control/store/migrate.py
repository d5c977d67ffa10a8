"""Brings the schema of a database to what this version of the mesh knows."""

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from mesh.errors import FailedPrecondition

MIGRATIONS = Path(__file__).parent / "migrations"
TABLE = "mesh_schema"
"""Has the schema's number. Not Alembic's usual name: the database may not be ours alone."""

_one = threading.Lock()
"""Alembic does one thing at a time in a process: `alembic.context` is global."""


def upgrade(connection: Connection, label: str) -> None:
    """Runs the migrations that are missing, within the transaction that `connection` is in.

    Raises FailedPrecondition, with `label` for the database, if a later version of the mesh wrote
    it.
    """
    found = context(connection).get_current_revision()
    known = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]
    if found == known[0]:
        return
    if found is not None and found not in known:
        raise FailedPrecondition(
            f"the store {label} was written by a later version of the mesh:"
            f" its schema is {found}, this version knows {known[0]}"
        )
    with _one:
        command.upgrade(config(connection), "head")


def context(connection: Connection) -> MigrationContext:
    """What Alembic knows of the database behind `connection`."""
    return MigrationContext.configure(connection, opts={"version_table": TABLE})


def config(connection: Connection) -> Config:
    """Alembic's settings, for its commands on `connection`."""
    settings = Config()
    # `%` stands for something in these settings.
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    settings.attributes["connection"] = connection
    return settings
