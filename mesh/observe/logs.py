"""Log lines: JSON for machines, one readable line for terminals."""

import json as json_text
import logging
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TextIO

from mesh.errors import ConfigError

log_fields: ContextVar[Mapping[str, str]] = ContextVar("log_fields", default=MappingProxyType({}))
"""What lines logged in this context carry: `request_id`, `trace_id` and the like."""

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_CONTROL |= {ord("\t"): "\t", ord("\n"): "\n    "}


def configure(
    *, stream: TextIO, level: str, json: bool, fields: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Sends everything logged in this process from `level` up to `stream`, and nowhere else.

    `level` is `debug`, `info`, `warning`, `error` or `critical`. `json`: one JSON object per line
    with `ts` (RFC 3339, UTC, milliseconds), `level`, `logger`, `message`, the fields and, if there
    is one, `exception` with its whole traceback; else lines for a person to read. `fields` go
    with every line, those of `log_fields` too and before them.

    Raises ConfigError for a level that does not exist.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ConfigError(f"log level: there is no {level!r}")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Json(fields) if json else _Readable(fields, stream.encoding or "utf-8"))
    logging.basicConfig(handlers=[handler], level=number, force=True)


def configure_from_env(
    env: Mapping[str, str], *, stream: TextIO, fields: Mapping[str, str] = MappingProxyType({})
) -> None:
    """As `configure`, with MESH_LOG_LEVEL (info) and MESH_LOG_FORMAT (`json` or `text`; json)."""
    level, form = env.get("MESH_LOG_LEVEL", "info"), env.get("MESH_LOG_FORMAT", "json")
    configure(stream=stream, level=level, json=form == "json", fields=fields)


class _Lines(logging.Formatter):
    """What both formats have in common. Works for every record: a log line is never lost."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__()
        self._fields = fields

    def fields(self) -> dict[str, str]:
        return {**self._fields, **log_fields.get()}

    def time(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def message(self, record: logging.LogRecord) -> str:
        try:
            return record.getMessage()
        except (TypeError, ValueError, KeyError) as error:
            return f"{record.msg!r} with {record.args!r} ({error})"

    def exception(self, record: logging.LogRecord) -> str:
        parts = []
        if record.exc_info:
            parts.append(self.formatException(record.exc_info))
        elif record.exc_text:
            parts.append(record.exc_text)
        if record.stack_info:
            parts.append(self.formatStack(record.stack_info))
        return "\n".join(parts)


class _Json(_Lines):
    def format(self, record: logging.LogRecord) -> str:
        own = {
            "ts": self.time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.message(record),
        }
        if exception := self.exception(record):
            own["exception"] = exception
        # Twice: the first gives the order, the second lets no field replace what is ours.
        return json_text.dumps({**own, **self.fields(), **own})


class _Readable(_Lines):
    def __init__(self, fields: Mapping[str, str], encoding: str) -> None:
        super().__init__(fields)
        self._encoding = encoding

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={value}" for name, value in self.fields().items() if value)
        text = f"{self.time(record)} {record.levelname:<8} {record.name}: {self.message(record)}"
        text += fields
        if exception := self.exception(record):
            text += f"\n{exception}"
        # Text from outside must not forge lines, drive the terminal or fail to be encoded.
        text = text.translate(_CONTROL)
        return text.encode(self._encoding, "backslashreplace").decode(self._encoding)
