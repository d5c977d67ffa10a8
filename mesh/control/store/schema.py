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
from sqlalchemy.dialects import postgresql

from mesh.control.records import DEFAULT_ORGANIZATION

METADATA = MetaData(
    # Names that a later migration can say.
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Texts in the order of their characters, whatever the database's own order is.
_ORDERED = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")

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
    Column("creator", Text, nullable=False, server_default=""),
    Column("organization", Text, nullable=False, server_default=DEFAULT_ORGANIZATION),
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
    Column("creator", Text, nullable=False, server_default=""),
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
    Column("creator", Text, nullable=False, server_default=""),
    Column("organization", Text, nullable=False, server_default=DEFAULT_ORGANIZATION),
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
    Column("creator", Text, nullable=False, server_default=""),
    Column("organization", Text, nullable=False, server_default=""),
    # SHA-256 over the rest: the same event is kept once.
    Column("digest", LargeBinary, nullable=False),
    Index(None, "digest", unique=True),
    Index(None, "deployment", "endpoint", "kind", "id"),
    Index(None, "deployment", "id"),
    Index(None, "endpoint", "id"),
)

ENTRIES = Table(
    "entries",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("organization", Text, primary_key=True),
    # Empty where the kind has none.
    Column("scope", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("uid", _ORDERED, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("document", JSON, nullable=False),
    # What `sealing` makes of the secret; empty if there is none.
    Column("sealed", LargeBinary, nullable=False),
    Index(None, "kind", "uid", unique=True),
    # A page of the newest, of one scope and of all.
    Index(None, "kind", "organization", "scope", "created_at", "uid"),
    Index(None, "kind", "organization", "created_at", "uid"),
)

DEEDS = Table(
    "deeds",
    METADATA,
    # In the order in which they were noted.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("uid", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("organization", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("resource", JSON, nullable=False),
    Index(None, "uid", unique=True),
    Index(None, "organization", "id"),
)

USED = Table(
    "used",
    METADATA,
    # When the hour began.
    Column("hour", Double, primary_key=True),
    Column("organization", _ORDERED, primary_key=True),
    Column("deployment", _ORDERED, primary_key=True),
    # Empty: none.
    Column("instance_type", _ORDERED, primary_key=True),
    Column("replica_seconds", Double, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
)
