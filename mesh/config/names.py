"""What names of deployments, endpoints, versions and instance types look like."""

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_TYPE = r"[a-z0-9]([-._a-z0-9]{0,61}[a-z0-9])?"
_ENDS = "a letter or a digit at both ends, 63 at most"


def _of(pattern: str, words: str) -> Callable[[str], str]:
    """Refuses what is not of a pattern, with words: few read patterns."""
    compiled = re.compile(pattern)

    def checked(name: str) -> str:
        if not compiled.fullmatch(name):
            raise ValueError(f"a name has {words}, {_ENDS}")
        return name

    return checked


_label = _of(_LABEL, "small letters, digits and hyphens")

Name = Annotated[
    str,
    Field(json_schema_extra={"pattern": f"^{_LABEL}$"}),
    AfterValidator(_label),
]
"""Names of deployments, versions and endpoints: a DNS label."""
NameOrNone = Annotated[
    str,
    Field(json_schema_extra={"pattern": f"^({_LABEL})?$"}),
    AfterValidator(lambda name: name and _label(name)),
]
"""The same, or empty."""
TypeName = Annotated[
    str,
    Field(json_schema_extra={"pattern": f"^{_TYPE}$"}),
    AfterValidator(_of(_TYPE, "small letters, digits, dots, hyphens and underscores")),
]
"""Names of instance types."""
