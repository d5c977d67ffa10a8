"""The tables of a SQL store. A change here needs a migration, in `migrations/versions`.

Documents are JSON; times are seconds since the Unix epoch.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

METADATA = MetaData(
    # Names that a later migration can say.
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

OWNER = Table(
    "owner",
    METADATA,
    # One row, with the number of times that the store was opened: the last one may write.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
)

DEPLOYMENTS = Table(
    "deployments",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("uid", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("intent", Text, nullable=False),
    Column("standing", JSON, nullable=False),
    Column("progress", JSON, nullable=False),
)

REVISIONS = Table(
    "revisions",
    METADATA,
    Column(
        "deployment", Text, ForeignKey(DEPLOYMENTS.c.name, ondelete="CASCADE"), primary_key=True
    ),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("uid", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("config", JSON, nullable=False),
    Column("versions", JSON, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("cause", Text, nullable=False),
)

VERSIONS = Table(
    "versions",
    METADATA,
    Column(
        "deployment", Text, ForeignKey(DEPLOYMENTS.c.name, ondelete="CASCADE"), primary_key=True
    ),
    Column("id", Text, primary_key=True),
    Column("document", JSON, nullable=False),
    Column("code", LargeBinary, nullable=False),
)

ENDPOINTS = Table(
    "endpoints",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("uid", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("config", JSON, nullable=False),
    Column("intent", Text, nullable=False),
    # What `sealing` makes of the keys of upstreams; empty if there are none.
    Column("sealed", LargeBinary, nullable=False),
)

EVENTS = Table(
    "events",
    METADATA,
    # In the order of commits. SQLite counts only in columns of this very type.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Double, nullable=False),
    Column("kind", Text, nullable=False),
    Column("deployment", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    # SHA-256 over the rest: the same event is kept once.
    Column("digest", LargeBinary, nullable=False),
    Index(None, "digest", unique=True),
    Index(None, "deployment", "endpoint", "kind", "id"),
    Index(None, "deployment", "id"),
    Index(None, "endpoint", "id"),
)
