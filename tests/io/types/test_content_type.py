import pytest

from mesh.io.types.content_type import ContentType


@pytest.mark.parametrize(
    ("pattern", "media_type"),
    [
        ("audio/mp3", "audio/mp3"),
        ("audio/mp3", "audio/mpeg"),
        ("audio/mpeg", "audio/mp3"),
        ("audio/wav", "audio/x-wav"),
        ("image/jpg", "image/jpeg"),
        ("image/*", "image/png"),
        ("IMAGE/*", "Image/PNG"),
        ("*", "image/png"),
        ("*/xml", "application/xml"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("text/plain; charset=utf-8", "text/plain"),
        ("custom-type", "custom-type"),
    ],
)
def test_a_content_type_matches(pattern: str, media_type: str) -> None:
    assert ContentType(pattern).matches(media_type)
    ContentType(pattern).check(media_type)


@pytest.mark.parametrize(
    ("pattern", "media_type"),
    [("audio/mp3", "audio/wav"), ("image/*", "text/plain"), ("image/pn", "image/png")],
)
def test_a_mismatch_names_both(pattern: str, media_type: str) -> None:
    with pytest.raises(ValueError, match="Invalid content type") as error:
        ContentType(pattern).check(media_type)
    assert str(error.value) == f"Invalid content type {media_type}, expected {pattern}"


def test_no_media_type_is_no_mismatch() -> None:
    ContentType("audio/mp3").check("")


@pytest.mark.parametrize("pattern", ["", " ", "a/b\r\nx: y", "é/a", None])
def test_what_no_header_could_say_is_no_content_type(pattern: str) -> None:
    with pytest.raises(ValueError, match="is no media type"):
        ContentType(pattern)
