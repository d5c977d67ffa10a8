"""Secrets of users: what one may be, and the entry that is kept of it. Pure.

The values of a secret are in the encrypted part of its entry, by key; its document has all else.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mesh.control.records import DeploymentRecord, Document
from mesh.errors import ConfigError, FailedPrecondition

SecretType = Literal["env", "mountfile"]
Stage = Literal["build", "runtime", "all"]

HOME = "$BENTOML_HOME"
"""The folder in which files of secrets lie, by the name that users give it."""
ITEMS = 256
"""Values of one secret at most."""
BYTES = 2**20
"""Bytes of all values of one secret at most, and of their keys."""
PART = 255
"""Characters of a name of a variable, of a file or of a folder at most."""
NAME = r"^[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$"
"""The name of a secret."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Item:
    """One value of a secret: of the variable `key`, or of the file `key` in `sub_path`."""

    key: str
    value: str = field(repr=False)
    sub_path: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """What a secret holds. `path` is the folder of its files; empty for variables."""

    type: SecretType
    items: tuple[Item, ...]
    stage: Stage = "runtime"
    path: str = ""

    def document(self) -> Document:
        """What of it may be seen."""
        return {
            "type": self.type,
            "stage": self.stage,
            "path": self.path,
            "items": [{"key": item.key, "sub_path": item.sub_path} for item in self.items],
        }

    def values(self) -> dict[str, str]:
        """What of it is secret, by key."""
        return {item.key: item.value for item in self.items}


def content(type_: SecretType, items: Sequence[Item], stage: Stage, path: str) -> Content:
    """The content, if it is one that replicas can be given.

    Files are below `$BENTOML_HOME`: `path` may begin with that, or is seen from there.

    Raises:
        ConfigError: it is none; the message names the key and never a value.
    """
    if not items:
        raise ConfigError("content.items: a secret has at least one")
    if len(items) > ITEMS:
        raise ConfigError(f"content.items: {len(items)} are more than {ITEMS}")
    keys = [item.key for item in items]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise ConfigError(f"content.items: {twice[0]!r} is there more than once")
    size = sum(len(text.encode()) for item in items for text in (item.key, item.value))
    if size > BYTES:
        raise ConfigError(f"content.items: {size} bytes are more than {BYTES}")
    if type_ == "env":
        return Content("env", tuple(map(_variable, items)), stage)
    return Content("mountfile", tuple(map(_file, items)), stage, _folder(path))


def _variable(item: Item) -> Item:
    if not _VARIABLE.fullmatch(item.key) or len(item.key) > PART:
        raise ConfigError(
            f"content.items: {item.key[:PART]!r} is no name of an environment variable"
        )
    if "\0" in item.value:
        raise ConfigError(f"content.items: the value of {item.key} has a NUL in it")
    return Item(item.key, item.value)


def _file(item: Item) -> Item:
    if "/" in item.key or not _is_part(item.key):
        raise ConfigError(f"content.items: {item.key[:PART]!r} is no name of a file")
    return Item(item.key, item.value, _relative(item.sub_path, "content.items.sub_path"))


def _folder(path: str) -> str:
    below = path
    for home in (HOME, "${BENTOML_HOME}"):
        if path == home or path.startswith(f"{home}/"):
            below = path.removeprefix(home).removeprefix("/")
    inside = _relative(below, "content.path")
    return f"{HOME}/{inside}" if inside else HOME


def _relative(path: str, what: str) -> str:
    """A path below `$BENTOML_HOME`, without slashes that say nothing."""
    if path.startswith(("/", "~")):
        raise ConfigError(f"{what}: {path[:PART]!r} is not below {HOME}")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if wrong := [part for part in parts if not _is_part(part)]:
        raise ConfigError(f"{what}: {wrong[0][:PART]!r} is no name of a folder below {HOME}")
    if len("/".join(parts)) > 4 * PART:
        raise ConfigError(f"{what}: longer than {4 * PART} characters")
    return "/".join(parts)


def _is_part(text: str) -> bool:
    return 0 < len(text) <= PART and text not in (".", "..") and text.isprintable()


def names_in(config: Document) -> frozenset[str]:
    """The secrets that the settings of a deployment name, those of its canaries among them."""
    canaries: Mapping[str, Any] = (config.get("canary") or {}).get("versions") or {}
    versions: Iterable[Mapping[str, Any]] = (config, *canaries.values())
    return frozenset(name for version in versions for name in version.get("secrets") or ())


def check_unused(name: str, users: Iterable[DeploymentRecord]) -> None:
    """Raises FailedPrecondition, naming them, if deployments run that use the secret."""
    if running := sorted(each.name for each in users):
        raise FailedPrecondition(
            f"the secret {name!r} is used by {', '.join(running)}: terminate first,"
            " or deploy without it"
        )


@dataclass(frozen=True, slots=True)
class Template:
    """The keys that a well-known service wants."""

    name: str
    description: str
    keys: tuple[str, ...]


TEMPLATES = (
    Template("openai", "Key of the OpenAI API.", ("OPENAI_API_KEY",)),
    Template(
        "aws",
        "Access key of AWS, and the region it is used in.",
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"),
    ),
    Template("huggingface", "Access token of the Hugging Face Hub.", ("HF_TOKEN",)),
    Template("github", "Access token of GitHub.", ("GITHUB_TOKEN",)),
)
"""Environment variables that many services need."""
