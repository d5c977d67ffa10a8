"""What installers say, without the secrets that they were given."""

import pytest

from mesh.launch import Secrets
from mesh.nodes.redacted import redacted


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("at http://ada:s3same@127.0.0.1:9/simple/", "at http://***@127.0.0.1:9/simple/"),
        ("at http://ada:s3@same@127.0.0.1/x@y", "at http://***@127.0.0.1/x@y"),
        (
            "https://t0ken@pypi.example and git+ssh://git@x",
            "https://***@pypi.example and git+ssh://***@x",
        ),
        ("mail ada@example.com", "mail ada@example.com"),
    ],
)
def test_names_and_passwords_in_urls_are_hidden(text: str, told: str) -> None:
    assert redacted(text) == told


def test_what_was_given_is_hidden_wherever_it_stands() -> None:
    given = Secrets(
        {
            "PASSWORD": "open-sesame",
            "SHORT": "abc",
            "NO": "1",
            "INDEX": "https://ada:p%40ss-word@index.example/simple",
            "NOTHING": "",
        },
        {"netrc": b"machine index.example\npassword  pl4inly\n"},
    )
    said = "xopen-sesamex p@ss-word p%40ss-word abc cabc 1.1 https://ada:p%40ss-word@index.example/simple"
    assert redacted(said, given) == "x***x *** *** *** cabc 1.1 https://***@index.example/simple"
    assert redacted("password  pl4inly", given) == "***"
    assert redacted("ada likes index.example", given) == "ada likes index.example"
