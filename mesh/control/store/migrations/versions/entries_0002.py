"""Entries, deeds and what was used; who made deployments, revisions and endpoints."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

_OWNED = ("deployments", "endpoints")


def upgrade() -> None:
    """From records only."""
    for table in (*_OWNED, "revisions"):
        op.add_column(table, sa.Column("creator", sa.Text, nullable=False, server_default=""))
    for table in _OWNED:
        op.add_column(
            table, sa.Column("organization", sa.Text, nullable=False, server_default="default")
        )
    _entries()
    _deeds()
    _used()


def downgrade() -> None:
    """To records only."""
    for table in ("used", "deeds", "entries"):
        op.drop_table(table)
    for table in _OWNED:
        op.drop_column(table, "organization")
    for table in (*_OWNED, "revisions"):
        op.drop_column(table, "creator")


def _ordered() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def _entries() -> None:
    op.create_table(
        "entries",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("organization", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("uid", _ordered(), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("kind", "organization", "scope", "name", name="pk_entries"),
    )
    op.create_index("ix_entries_kind_uid", "entries", ["kind", "uid"], unique=True)
    op.create_index(
        "ix_entries_kind_organization_scope_created_at_uid",
        "entries",
        ["kind", "organization", "scope", "created_at", "uid"],
    )
    op.create_index(
        "ix_entries_kind_organization_created_at_uid",
        "entries",
        ["kind", "organization", "created_at", "uid"],
    )


def _deeds() -> None:
    op.create_table(
        "deeds",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("uid", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("organization", sa.Text, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("resource_type", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("resource", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_deeds"),
    )
    op.create_index("ix_deeds_uid", "deeds", ["uid"], unique=True)
    op.create_index("ix_deeds_organization_id", "deeds", ["organization", "id"])


def _used() -> None:
    op.create_table(
        "used",
        sa.Column("hour", sa.Double, nullable=False),
        sa.Column("organization", _ordered(), nullable=False),
        sa.Column("deployment", _ordered(), nullable=False),
        sa.Column("instance_type", _ordered(), nullable=False),
        sa.Column("replica_seconds", sa.Double, nullable=False),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("errors", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint(
            "hour", "organization", "deployment", "instance_type", name="pk_used"
        ),
    )
