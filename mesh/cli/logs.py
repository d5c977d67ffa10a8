"""How logs are written, as options say it."""

from enum import StrEnum


class LogLevel(StrEnum):
    """What is logged at least."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """The form of log lines: for people, or one JSON object each."""

    TEXT = "text"
    JSON = "json"
