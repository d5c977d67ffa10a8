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
        text = " ".join(str(error).split())
        raise ConfigError(f"{flag}{file}: not YAML or JSON: {text}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{flag}{file}: expected keys and values at the top")
    return document
