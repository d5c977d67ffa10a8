"""What a method takes and gives over HTTP: a schema for each media type."""

from collections.abc import Iterator, Mapping

from mesh.call import JSON
from mesh.io.documents.openapi_schema import Components, binary, has_file, is_file, media_type, part
from mesh.io.json_schema import Schema, walk
from mesh.io.media import ARROW, EVENTS, FORM, MIXED, NDJSON, NPY, TEXT, URLENCODED, essence
from mesh.io.spec import MethodSpec
from mesh.io.violations import TITLE

Content = dict[str, Schema]
"""Media types with an OpenAPI media type object each; the first is what tools take."""

_SCALARS = ("string", "integer", "number", "boolean")
_PLAIN_TEXT = essence(TEXT)
_OPTIONAL = 2
"""Arms of a union of one type with null."""
_OCTETS: Schema = {"type": "string", "format": "binary"}


def request_content(method: MethodSpec, components: Components) -> Content:
    """The bodies that the method takes; empty if it has no inputs."""
    schema = method.arguments.input_schema()
    if method.arguments.root and "properties" not in _resolved(schema):
        return _root_content(method, schema, components)
    fields: dict[str, Schema] = _resolved(schema).get("properties", {})
    if not fields:
        return {}
    if schema.get("title") == TITLE:
        words = method.name.split("_")
        schema = {**schema, "title": "".join(word[:1].upper() + word[1:] for word in words) + TITLE}
    placed = components.placed(schema, "Input")
    content: Content = {JSON: {"schema": placed}}
    form = _form(schema, components)
    if any(has_file(field) for field in fields.values()):
        return {FORM: form, **content}
    content[FORM] = form
    if all(_is_scalar(field) for field in fields.values()):
        content[URLENCODED] = {"schema": placed}
    return content | _only_binary_form(fields)


def _resolved(schema: Schema) -> Schema:
    """The definition that the schema is, if it is one."""
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    found: Schema = schema.get("$defs", {}).get(name, schema)
    return found


def _root_content(method: MethodSpec, schema: Schema, components: Components) -> Content:
    (field,) = method.arguments.fields.values()
    if field.is_file and not field.is_list:
        body = part(_resolved(schema))
        return {body["contentMediaType"]: {"schema": body}}
    placed = components.placed(schema, "Input")
    if field.is_text and not field.is_list:
        return {_PLAIN_TEXT: {"schema": placed}}
    return {JSON: {"schema": placed}, **_binary_forms(schema)}


def _only_binary_form(fields: Mapping[str, Schema]) -> Content:
    """The binary forms that can only be of one input, with the others in the query string."""
    found: Content = {}
    seen: list[str] = []
    for name, field in fields.items():
        for form in _binary_forms(field):
            words = f"`{name}`; the other inputs are in the query string."
            found[form] = {"schema": {**_OCTETS, "description": words}}
            seen.append(form)
    return {form: content for form, content in found.items() if seen.count(form) == 1}


def _form(schema: Schema, components: Components) -> Schema:
    """A multipart form: files as they are, text as it is, everything else as JSON."""
    resolved = _resolved(schema)
    fields: dict[str, Schema] = resolved["properties"]
    definitions = schema.get("$defs", {})
    parts: Schema = {}
    encoding: Schema = {}
    for name, field in fields.items():
        parts[name] = components.placed({**part(field), "$defs": definitions}, "Input")
        if not has_file(field) and not _is_scalar(field):
            encoding[name] = {"contentType": JSON}
            if _has_nested_file(field, definitions):
                words = f"Files in it can be parts of their own, named like `{name}.<field>`."
                said = [parts[name].get("description"), words]
                parts[name] = {**parts[name], "description": "\n\n".join(filter(None, said))}
    form: Schema = {"schema": {"type": "object", "properties": parts}}
    if required := resolved.get("required"):
        form["schema"]["required"] = required
    if encoding:
        form["encoding"] = encoding
    return form


def _is_scalar(schema: Schema) -> bool:
    if arms := schema.get("anyOf"):
        return all(arm.get("type") == "null" or _is_scalar(arm) for arm in arms)
    return schema.get("type") in _SCALARS and not is_file(schema)


def _has_nested_file(schema: Schema, definitions: Schema) -> bool:
    return any(
        each.get("type") == "file" for each in _deep({**schema, "$defs": definitions}, definitions)
    )


def _deep(schema: Schema, definitions: Schema) -> Iterator[Schema]:
    """Every schema in `schema`, through references too."""
    seen: set[str] = set()
    bare = {key: each for key, each in schema.items() if key != "$defs"}
    waiting = [bare]
    while waiting:
        for each in walk(waiting.pop()):
            yield each
            name = str(each.get("$ref", "")).removeprefix("#/$defs/")
            if name in definitions and name not in seen:
                seen.add(name)
                waiting.append(definitions[name])


def response_content(method: MethodSpec, components: Components) -> Content:
    """The bodies that the method gives when all is well."""
    schema = method.result.schema
    if method.kind.streams_out:
        placed = components.placed(schema, "Output")
        return {essence(EVENTS): {"schema": placed}, NDJSON: {"schema": placed}}
    resolved = _resolved(schema)
    declared = essence(method.reply_encoder(JSON).media_type)
    match resolved:
        case {"type": "file"}:
            return {media_type(resolved): {"schema": binary(resolved)}}
        case {"type": "string", "format": "binary"}:
            return {declared: {"schema": _OCTETS}}
        case {"type": "string"}:
            return {declared: {"schema": components.placed(schema, "Output")}}
    natural: Content = {JSON: {"schema": components.placed(schema, "Output")}}
    if any(each.get("type") == "file" for each in _deep(schema, schema.get("$defs", {}))):
        parts = {"type": "object", "description": "A JSON part, and a part for each file."}
        return {**natural, MIXED: {"schema": parts}}
    return natural | _binary_forms(schema)


def _binary_forms(schema: Schema) -> Content:
    """The binary form of one array or one frame, if the schema is of one."""
    match schema:
        case {"type": "tensor"}:
            return {NPY: {"schema": _OCTETS}}
        case {"type": "dataframe"} | {"format": "series"}:
            return {ARROW: {"schema": _OCTETS}}
        case {"anyOf": [*_, {"type": "null"}] as arms} if len(arms) == _OPTIONAL:
            return _binary_forms(arms[0])
    return {}
