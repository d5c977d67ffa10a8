"""Names of releases."""

import pytest
from hypothesis import given, strategies as st

from mesh.errors import ConfigError
from mesh.packing.tag import Tag, is_tag

PARTS = st.from_regex(r"[a-z0-9]([-_a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)


@given(PARTS, PARTS)
def test_a_tag_is_read_as_it_is_written(name: str, version: str) -> None:
    assert is_tag(f"{name}:{version}")
    found = Tag.of(f"{name}:{version}")
    assert found == Tag(name, "" if version == "latest" else version)
    assert Tag.of(str(found)) == found


@pytest.mark.parametrize("text", ["app:Service", "pkg.mod:service", "a", "mesh.yaml", "./x:y"])
def test_a_target_is_no_tag(text: str) -> None:
    assert not is_tag(text)


@pytest.mark.parametrize("text", ["", ":1", "A:1", "a:", "a:b:c", "a:../b"])
def test_what_is_no_tag_is_told(text: str) -> None:
    if text == "a:":
        assert Tag.of(text) == Tag("a")
        return
    with pytest.raises(ConfigError, match=r"name|version"):
        Tag.of(text)
