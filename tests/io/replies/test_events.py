"""Items of a stream as server-sent events."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Annotated

import pytest
from hypothesis import given, strategies as st

from mesh.call import JSON
from mesh.io.replies.encoder import Style
from mesh.io.replies.events import binary_event, error_event, event
from mesh.io.spec import method_spec
from mesh.io.types.content_type import ContentType

texts = st.text(st.characters(codec="utf-8"))


def parsed(stream: bytes) -> list[tuple[str, str]]:
    """Kind and data of each event, as the HTML standard has a client read them."""
    found, kind, data = [], "message", []
    for line in re.split(r"\r\n|\r|\n", stream.decode())[:-1]:
        if not line:
            if data:
                found.append((kind, "\n".join(data)))
            kind, data = "message", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            kind = value
    return found


@given(st.lists(texts))
def test_a_client_gets_the_items_back(items):
    stream = b"".join(event(item.encode()) for item in items)
    whole = [re.sub(r"\r\n|\r", "\n", item) for item in items]
    assert parsed(stream) == [("message", item) for item in whole]


@given(st.binary())
def test_bytes_come_back_from_base64(data):
    ((_, text),) = parsed(binary_event(data))
    assert base64.b64decode(text) == data


@given(texts)
def test_a_failure_is_an_event_of_its_own_kind(message):
    ((kind, data),) = parsed(error_event(message))
    assert (kind, json.loads(data)) == ("error", {"error": message})


def encoder_of(item, accept, style=None):
    def items(self): ...

    items.__annotations__ = {"return": Iterator[item]}
    spec = method_spec(str, _generator(items), name="items", route="/items")
    result = spec.result if style is None else spec.result.styled(style)
    return result.encoder(JSON, accept)


def _generator(func):
    def items(self):
        yield

    items.__annotations__ = func.__annotations__
    return items


EVENTS = "text/event-stream; charset=utf-8"


@pytest.mark.parametrize(
    ("item", "accept", "value", "media_type", "data"),
    [
        (str, "", "a\nb", EVENTS, b"a\nb"),
        (str, "*/*", "a", EVENTS, b"a"),
        (bytes, "", b"\xff", EVENTS, b"\xff"),
        (int, "", 0, EVENTS, b"0"),
        (dict, "", {"i": 0}, EVENTS, b'{"i":0}'),
        (str, "text/event-stream", "a\nb", EVENTS, b"data: a\ndata: b\n\n"),
        (str, "text/event-stream, */*;q=0.1", "", EVENTS, b"data: \n\n"),
        (bytes, "text/event-stream", b"\xff", EVENTS, b"data: /w==\n\n"),
        (dict, "text/event-stream", {"i": "\n"}, EVENTS, b'data: {"i":"\\n"}\n\n'),
        (str, "application/x-ndjson", "a\nb", "application/x-ndjson", b'"a\\nb"\n'),
        (int | None, "application/x-ndjson", None, "application/x-ndjson", b"null\n"),
        (bytes, "application/x-ndjson", b"a", "application/x-ndjson", b'"a"\n'),
        (Annotated[str, ContentType("text/csv")], "", "a", "text/csv; charset=utf-8", b"a"),
        (Annotated[bytes, ContentType("audio/wav")], "*/*", b"a", "audio/wav", b"a"),
        (
            Annotated[str, ContentType("text/event-stream")],
            "text/event-stream",
            "data: mine\n\n",
            EVENTS,
            b"data: mine\n\n",
        ),
    ],
)
def test_items_go_out_bare_unless_a_frame_is_asked_for(item, accept, value, media_type, data):
    encoder = encoder_of(item, accept)
    assert (encoder.media_type, encoder.stream) == (media_type, True)
    assert encoder.encode(value) == data


def test_only_events_can_tell_of_a_failure():
    assert encoder_of(str, "").failure is None
    assert encoder_of(str, "application/x-ndjson").failure is None
    assert encoder_of(str, "text/event-stream").failure is error_event


def test_a_service_whose_items_are_frames_already_is_not_framed_again():
    encoder = encoder_of(str, "text/event-stream", Style(framed=False))
    assert encoder.encode("data: 1\n\n") == b"data: 1\n\n"
