"""Whose it is what an event tells of."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """From events of which only names tell whose they are."""
    op.add_column("events", sa.Column("organization", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    """To events without it."""
    op.drop_column("events", "organization")
