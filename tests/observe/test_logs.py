import contextvars
import io
import json
import logging
import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, strategies as st

from mesh.errors import ConfigError
from mesh.observe.logs import configure, log_fields

logger = logging.getLogger("app.model")


@pytest.fixture(autouse=True)
def _root_logger_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(*, level: str = "info", json: bool = True, **fields: str) -> io.StringIO:
    stream = io.StringIO()
    configure(stream=stream, level=level, json=json, fields=fields)
    return stream


def only(stream: io.StringIO) -> dict[str, Any]:
    (line,) = stream.getvalue().splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_json_line_has_time_level_logger_and_message() -> None:
    stream = lines()
    logger.warning("loaded %d of %s", 3, "4")
    line = only(stream)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("ts"))
    assert line == {"level": "warning", "logger": "app.model", "message": "loaded 3 of 4"}
    assert list(only(stream)) == ["ts", "level", "logger", "message"]


def test_lines_carry_the_fields_of_their_context_and_process() -> None:
    stream = lines(service="Classifier", replica="main-1")
    context = contextvars.copy_context()
    context.run(log_fields.set, MappingProxyType({"request_id": "r1", "trace_id": "t1"}))
    context.run(logger.info, "inside")
    logger.info("outside")
    inside, outside = map(json.loads, stream.getvalue().splitlines())
    assert inside["request_id"] == "r1"
    assert inside["trace_id"] == "t1"
    assert inside["service"] == outside["service"] == "Classifier"
    assert inside["replica"] == "main-1"
    assert "request_id" not in outside


def test_a_field_cannot_replace_what_every_line_has() -> None:
    stream = lines(message="no", ts="no")
    logger.info("yes")
    assert only(stream)["message"] == "yes"
    assert only(stream)["ts"] != "no"


def fail() -> None:
    try:
        dict[str, str]()["inner"]
    except KeyError as error:
        raise ValueError("outer\nline two") from error


def log_failure() -> None:
    try:
        fail()
    except ValueError:
        logger.exception("could not")


def test_an_exception_is_one_string_with_its_whole_traceback() -> None:
    stream = lines()
    log_failure()
    exception = only(stream)["exception"]
    assert "KeyError: 'inner'" in exception
    assert "direct cause" in exception
    assert "in fail" in exception
    assert exception.endswith("ValueError: outer\nline two")


def test_a_stack_that_is_asked_for_is_in_the_exception() -> None:
    stream = lines()
    logger.info("here", stack_info=True)
    assert "test_a_stack_that_is_asked_for" in only(stream)["exception"]


@pytest.mark.parametrize("json", [True, False])
def test_arguments_that_do_not_fit_the_message_lose_neither_line_nor_traceback(
    json: bool,
) -> None:
    stream = lines(json=json)
    try:
        fail()
    except ValueError:
        logger.exception("got %d", "three")
    assert "got %d" in stream.getvalue()
    assert "three" in stream.getvalue()
    assert "ValueError: outer" in stream.getvalue()


@given(st.text(st.characters()))
def test_any_text_is_one_json_line(text: str) -> None:
    stream = lines()
    logger.info("%s", text)
    assert only(stream)["message"] == text


@given(st.text(st.characters()))
def test_any_text_is_one_entry_that_a_terminal_can_show(text: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    configure(stream=stream, level="info", json=False)
    logger.info("%s", text)
    stream.flush()
    first, *rest = raw.getvalue().decode("ascii").removesuffix("\n").split("\n")
    assert " app.model: " in first
    assert all(line.startswith("    ") for line in rest)
    assert all(character >= " " or character == "\t" for character in "".join((first, *rest)))


def test_a_readable_line_has_the_message_first_and_then_the_fields() -> None:
    stream = lines(json=False, service="Classifier", replica="")
    log_failure()
    first, *rest = stream.getvalue().splitlines()
    assert first.endswith("Z ERROR    app.model: could not service=Classifier")
    assert rest[0].startswith("    Traceback")
    assert rest[-1] == "    line two"


def test_lines_below_the_level_are_left_out() -> None:
    stream = lines(level="WARNING")
    logger.info("no")
    logger.warning("yes")
    assert only(stream)["message"] == "yes"


def test_configuring_again_replaces_the_stream() -> None:
    first = lines()
    second = lines()
    logger.info("once")
    assert first.getvalue() == ""
    assert only(second)["message"] == "once"


def test_a_level_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigError, match="log level: there is no 'loud'"):
        configure(stream=io.StringIO(), level="loud", json=True)
