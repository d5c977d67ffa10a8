"""Type information of a deployed service for editors and type checkers: a `.pyi`."""

import keyword
import re
from collections.abc import Iterable, Mapping
from typing import Any

from mesh.client.description import MethodDescription, Schema, ServiceDescription

_PLAIN = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
}
_TENSORS = {
    "numpy-array": "np.ndarray",
    "torch-tensor": "torch.Tensor",
    "tf-tensor": "tf.Tensor",
}
_IMPORTS = {
    "np.": "import numpy as np",
    "pd.": "import pandas as pd",
    "tf.": "import tensorflow as tf",
    "torch.": "import torch",
    "Image": "from PIL.Image import Image",
    "Path": "from pathlib import Path",
    "IO[": "from typing import IO",
    "Any": "from typing import Any",
    "Literal": "from typing import Literal",
    "File": "from mesh import File",
    "AsyncIterator[": "from collections.abc import AsyncIterator",
    "AsyncIterable[": "from collections.abc import AsyncIterable",
    " Iterator[": "from collections.abc import Iterator",
    " Iterable[": "from collections.abc import Iterable",
}


def stub(service: ServiceDescription) -> str:
    """The text of a `.pyi` with two classes, `<Service>Client` and `Async<Service>Client`."""
    title = _identifier(service.name)
    body = "\n\n\n".join(
        (
            _class(f"{title}Client", "Client", service, is_async=False),
            _class(f"Async{title}Client", "AsyncClient", service, is_async=True),
        )
    )
    head = (
        f"# Types of the service {service.name}, for its clients:\n#\n"
        f'#     client = cast("{title}Client", Client(url))\n'
    )
    imports = sorted({line for used, line in _IMPORTS.items() if used in body})
    return "\n".join(
        (head, *imports, "from mesh.client import AsyncClient, Client", "\n", body, "")
    )


def _class(name: str, base: str, service: ServiceDescription, *, is_async: bool) -> str:
    lines = [f"class {name}({base}):"]
    if service.doc:
        lines.append(_doc(service.doc))
    for method in service.methods.values():
        if method.name.isidentifier() and not keyword.iskeyword(method.name):
            lines += _method(method, is_async=is_async)
    return "\n".join(lines if len(lines) > 1 else [*lines, "    ..."])


def _method(method: MethodDescription, *, is_async: bool) -> Iterable[str]:
    names = method.parameters
    optional = [name not in method.required for name in names]
    parameters = ["self"]
    for at, name in enumerate(names):
        if optional[at] and True not in optional[:at] and False in optional[at:]:
            parameters.append("*")  # a required one follows, which Python has only by name
        said = _parameter(method, name, is_async=is_async)
        parameters.append(f"{said} = ..." if optional[at] else said)
    result = _result(method, is_async=is_async)
    word = "async def" if is_async and not method.streams_out else "def"
    yield f"    {word} {method.name}({', '.join(parameters)}) -> {result}:"
    yield _indented(_doc(method.doc)) if method.doc else "        ..."


def _parameter(method: MethodDescription, name: str, *, is_async: bool) -> str:
    said = annotation(method.schema_of(name), method.input.get("$defs", {}), is_input=True)
    if name == method.stream:
        many = f"Iterable[{said}]"
        said = f"AsyncIterable[{said}] | {many}" if is_async else many
    return f"{name}: {said}"


def _result(method: MethodDescription, *, is_async: bool) -> str:
    said = annotation(method.output, method.output.get("$defs", {}), is_input=False)
    if not method.streams_out:
        return said
    return f"AsyncIterator[{said}]" if is_async else f"Iterator[{said}]"


def annotation(schema: Schema, definitions: Schema, *, is_input: bool) -> str:
    """The Python annotation of values of a schema, as a client takes or gives them."""
    said = _annotation(schema, definitions, frozenset(), is_input)
    nullable = "default" in schema and schema["default"] is None and not said.endswith("None")
    return f"{said} | None" if nullable and said != "Any" else said


def _annotation(
    schema: Schema,
    definitions: Schema,
    within: frozenset[str],
    is_input: bool,  # own
) -> str:
    def inner(part: Schema) -> str:
        return _annotation(part, definitions, within, is_input)

    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix("#/$defs/")
        if name in within:
            return "Any"  # contains itself
        found: Schema = definitions.get(name, {})
        return _annotation(found, definitions, within | {name}, is_input)
    if arms := schema.get("anyOf") or schema.get("oneOf"):
        return " | ".join(dict.fromkeys(inner(arm) for arm in arms))
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return f"Literal[{', '.join(map(repr, values))}]"
    match schema.get("type"):
        case "tensor":
            tensor = _TENSORS.get(str(schema.get("format")), "np.ndarray")
            return f"{tensor} | list[Any]" if is_input else tensor
        case "dataframe":
            return "pd.DataFrame"
        case "file":
            return _file(schema, is_input=is_input)
        case "array":
            return f"list[{inner(schema.get('items') or {})}]"
        case "object":
            more = schema.get("additionalProperties")
            plain = isinstance(more, Mapping) and not schema.get("properties")
            return f"dict[str, {inner(more) if plain and isinstance(more, Mapping) else 'Any'}]"
        case "string" if schema.get("format") == "binary":
            return "bytes"
        case kind:
            return _PLAIN.get(str(kind), "Any")


def _file(schema: Schema, *, is_input: bool) -> str:
    own = "Image" if schema.get("pil") else "Path"
    if not is_input:
        return own
    return " | ".join(dict.fromkeys((own, "Path", "IO[bytes]", "File", "str")))


def _doc(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"""', r"\"\"\"")
    lines = [line.rstrip() for line in quoted.splitlines()]
    if len(lines) == 1:
        return f'    """{lines[0]}"""'
    return "\n".join(
        [f'    """{lines[0]}', *(f"    {each}".rstrip() for each in lines[1:]), '    """']
    )


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.splitlines())


def _identifier(name: str) -> str:
    words: list[Any] = re.split(r"[^A-Za-z0-9]+", name)
    return "".join(word[:1].upper() + word[1:] for word in words if word)
