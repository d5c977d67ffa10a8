"""Who did what an event tells."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """From events of which nobody knows whose they are."""
    op.add_column("events", sa.Column("creator", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    """To events without it."""
    op.drop_column("events", "creator")
