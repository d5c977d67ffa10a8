"""Files in YAML or JSON."""

from pathlib import Path
from typing import Any

import yaml

from mesh.errors import ConfigError


def read(file: Path, flag: str = "") -> dict[str, Any]:
    """The keys and values of a file in YAML or JSON. Raises ConfigError."""
    try:
        # JSON is YAML.
        document = yaml.safe_load(file.read_text())
    except OSError as error:
        raise ConfigError(f"{flag}{file}: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        text = _why(error)
        raise ConfigError(f"{flag}{file}: not YAML or JSON: {text}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{flag}{file}: expected keys and values at the top")
    return document


def _why(error: Exception) -> str:
    """What is wrong, and where it was noticed."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None)
    if mark is None or not problem:
        return " ".join(str(error).split())
    return f"line {mark.line + 1}, column {mark.column + 1}: {' '.join(problem.split())}"
