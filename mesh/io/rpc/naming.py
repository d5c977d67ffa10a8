"""Names of Python as names of protobuf, in the forms that its style asks for.

https://protobuf.dev/programming-guides/style/
"""

import re
from collections.abc import Container

_BREAKS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")


def words(name: str) -> list[str]:
    """The words of a name in any form: `maxTokens`, `MAX_TOKENS` and `Max tokens` have two."""
    return [word for word in _BREAKS.split(name) if word]


def snake(name: str) -> str:
    """`lower_snake_case`, of fields, oneofs and packages."""
    return _identifier("_".join(words(name)).lower(), "x_")


def pascal(name: str) -> str:
    """`PascalCase`, of messages, enums, services and rpcs."""
    return _identifier("".join(word[0].upper() + word[1:] for word in words(name)), "X")


def upper_snake(name: str) -> str:
    """`UPPER_SNAKE_CASE`, of the values of enums."""
    return "_".join(words(name)).upper() or "EMPTY"


def json_name(name: str) -> str:
    """What a field is called in JSON: `lowerCamelCase`, as protoc has it."""
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def _identifier(name: str, prefix: str) -> str:
    """The name, which no other character than these may begin."""
    return name if name[:1].isalpha() else f"{prefix}{name}".rstrip("_")


def free(name: str, taken: Container[str]) -> str:
    """The name itself, or with the first number behind it that makes it one not taken."""
    if name not in taken:
        return name
    number = 2
    while f"{name}{number}" in taken:
        number += 1
    return f"{name}{number}"
