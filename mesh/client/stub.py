"""Type information of a deployed service for editors and type checkers: a `.pyi`."""

import math
import re
from collections.abc import Iterator
from typing import Any

from mesh.client.annotations import IMPORTS, Annotations, class_name, is_name, renamed, words
from mesh.client.description import MethodDescription, ServiceDescription

_OWN = """\
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def close(self) -> None: ...
    def options(self, **changes: Unpack[Changes]) -> Self: ...
    @property
    def service(self) -> ServiceDescription: ...
    def call(self, method: str, /, *args: Any, **kwargs: Any) -> Any: ..."""
_OWN_ASYNC = """\
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_: object) -> None: ...
    async def connect(self) -> ServiceDescription: ...
    async def close(self) -> None: ...
    def options(self, **changes: Unpack[Changes]) -> Self: ...
    async def call(self, method: str, /, *args: Any, **kwargs: Any) -> Any: ...
    def stream(self, method: str, /, *args: Any, **kwargs: Any) -> AsyncIterator[Any]: ..."""
_OWN_IMPORTS = {
    "Any": IMPORTS["Any"],
    "AsyncIterator": "from collections.abc import AsyncIterator",
    "AsyncIterable": "from collections.abc import AsyncIterable",
    "Changes": "from mesh.client.options import Changes",
    "Iterable": "from collections.abc import Iterable",
    "Iterator": "from collections.abc import Iterator",
    "Self": "from typing import Self",
    "ServiceDescription": "from mesh.client.description import ServiceDescription",
    "Unpack": "from typing import Unpack",
}
_IMPORTS = IMPORTS | _OWN_IMPORTS
_BUILTINS = frozenset(
    {"bool", "bytes", "dict", "float", "int", "list", "object", "property", "str", "tuple"}
)
_HEAD = """\
# Types of the service {service}, as `mesh client-stub` wrote them. Kept as {module}.pyi, they
# are used so:
#
#     from typing import TYPE_CHECKING, cast
#
#     from mesh import Client
#
#     if TYPE_CHECKING:
#         from {module} import {title}
#
#     client = cast("{title}", Client(url))
"""


def stub(service: ServiceDescription) -> str:
    """The text of a `.pyi` with two classes, `<Service>Client` and `Async<Service>Client`."""
    name = class_name(service.name)
    titles = (f"{name}Client", f"Async{name}Client")
    annotations = Annotations({*titles, *_OWN_IMPORTS})
    classes = [
        _Class(service, annotations, is_async=is_async).text(title)
        for title, is_async in zip(titles, (False, True), strict=True)
    ]
    hidden = sorted({word for _, found in classes for word in found})
    body = "\n\n".join([*annotations.models(), *(text for text, _ in classes)])
    aliases = [f"_{word} = {word}" for word in hidden]
    used = words("\n".join([body, *aliases]))
    imports = sorted(line for word, line in _IMPORTS.items() if word in used)
    module = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", titles[0]).lower()
    head = _HEAD.format(service=_one_line(service.name), module=module, title=titles[0])
    blocks = (head.rstrip(), "\n".join(imports), "\n".join(aliases), body)
    return "\n\n".join(filter(None, blocks)) + "\n"


class _Class:
    """One of the two classes."""

    def __init__(
        self, service: ServiceDescription, annotations: Annotations, *, is_async: bool
    ) -> None:
        self._service = service
        self._annotations = annotations
        self._is_async = is_async
        self._own = _OWN_ASYNC if is_async else _OWN
        self._reserved = set(re.findall(r"def (\w+)", self._own))
        # Inside a class the name of a method hides what is called so outside.
        self._hides = service.methods.keys() & {*_IMPORTS, *_BUILTINS}
        self._hidden: set[str] = set()

    def text(self, title: str) -> tuple[str, set[str]]:
        """The class, and the names that it needs under another one."""
        lines = [f"class {title}:"]
        if self._service.doc:
            lines.append(_doc(self._service.doc, "    "))
        lines.append(self._aliased(self._own))
        for method in self._service.methods.values():
            lines += self._method(method)
        return "\n".join(lines), self._hidden

    def _aliased(self, text: str) -> str:
        found = self._hides & words(text)
        self._hidden |= found
        return renamed(text, sorted(found))

    def _method(self, method: MethodDescription) -> Iterator[str]:
        if not is_name(method.name) or method.name in self._reserved:
            yield f"    # {_one_line(method.name)} is reached by `call`."
            return
        result = self._aliased(self._result(method))
        word = "async def" if self._is_async and not method.streams_out else "def"
        parameters = ", ".join(["self", *self._parameters(method)])
        head = f"    {word} {method.name}({parameters}) -> {result}:"
        if method.doc:
            yield head
            yield _doc(method.doc, "        ")
        else:
            yield f"{head} ..."

    def _parameters(self, method: MethodDescription) -> Iterator[str]:
        has_default = has_star = False
        odd = [name for name in method.parameters if not is_name(name) or name == "self"]
        for name in method.parameters:
            if name in odd:
                continue
            is_optional = name not in method.required
            if has_default and not is_optional and not has_star:
                has_star = True
                yield "*"  # a required one after an optional one: Python has that only by name
            has_default = has_default or is_optional
            said = f"{name}: {self._aliased(self._parameter(method, name))}"
            yield f"{said} = {_default(method, name)}" if is_optional else said
        if odd:
            yield f"**{'others' if 'others' not in method.parameters else 'more'}: Any"

    def _parameter(self, method: MethodDescription, name: str) -> str:
        definitions = method.input.get("$defs", {})
        said = self._annotations.of(method.schema_of(name), definitions, is_input=True)
        if name != method.stream:
            return said
        many = f"Iterable[{said}]"
        return f"AsyncIterable[{said}] | {many}" if self._is_async else many

    def _result(self, method: MethodDescription) -> str:
        definitions = method.output.get("$defs", {})
        said = self._annotations.of(method.output, definitions, is_input=False)
        if not method.streams_out:
            return said
        return f"AsyncIterator[{said}]" if self._is_async else f"Iterator[{said}]"


def _default(method: MethodDescription, name: str) -> str:
    """A default as it is, if it is short and written in one way only."""
    value: Any = method.schema_of(name).get("default", ...)
    is_plain = value is None or isinstance(value, bool | int | str)
    if isinstance(value, float):
        is_plain = math.isfinite(value)
    text = repr(value)
    return text if is_plain and len(text) <= 40 else "..."


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _doc(text: str, indent: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"""', r"\"\"\"")
    first, *others = [line.rstrip() for line in quoted.strip().splitlines()]
    if not others:
        end = " " if first.endswith('"') else ""
        return f'{indent}"""{first}{end}"""'
    lines = [f'{indent}"""{first}', *(f"{indent}{line}".rstrip() for line in others)]
    return "\n".join([*lines, f'{indent}"""'])
