"""What Alembic runs: within the transaction of whoever opens the store."""

from alembic import context

from mesh.control.store.migrate import TABLE
from mesh.control.store.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=TABLE,
)
with context.begin_transaction():
    context.run_migrations()
