"""Archives that strangers send: nothing in them leads out of their folder, and all is there."""

import os
import stat
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from mesh.errors import InvalidArgument
from mesh.releases.archive import ArchiveLimits, check, unpack
from mesh.releases.documents import check_document
from tests.releases.tars import (
    BENTO,
    MODEL,
    bento,
    file,
    folder,
    inside,
    link,
    special,
    tar,
    written,
)

Member = tuple[tarfile.TarInfo, bytes]
SMALL = ArchiveLimits(size=2**20, entries=50)

OUT = {
    "an absolute path": file("/etc/evil"),
    "a path above": file("../evil"),
    "a path above, later": file("./a/../../evil"),
    "a path through itself": file("a/../b"),
    "a symbolic link above": link("a", "../evil"),
    "a symbolic link to the root": link("a", "/"),
    "a symbolic link above, later": link("a/b", "c/../../../evil"),
    "a symbolic link to nothing": link("a", ""),
    "a symbolic link that turns": link("a", "b/.."),
    "a hard link above": link("a", "../evil", tarfile.LNKTYPE),
    "a hard link to the root": link("a", "/etc/passwd", tarfile.LNKTYPE),
    "a hard link to nothing": link("a", "nothing", tarfile.LNKTYPE),
    "a device": special("a", tarfile.CHRTYPE),
    "a block device": special("a", tarfile.BLKTYPE),
    "a pipe": special("a", tarfile.FIFOTYPE),
    "a file in place of the folder": file("."),
    "a name that is too long": file("n" * 256),
    "a path that is too long": file("/".join(["n" * 200] * 6)),
}


@pytest.mark.parametrize("member", OUT.values(), ids=OUT)
def test_what_leads_out_of_the_folder_or_is_no_file_is_refused(
    tmp_path: Path, member: Member
) -> None:
    archive = written(tmp_path / "a.tar", bento(member))
    with pytest.raises(InvalidArgument):
        check(archive, "bento.yaml", SMALL)
    with pytest.raises(InvalidArgument):
        unpack(archive, tmp_path / "out", SMALL)
    assert inside(tmp_path) == ["a.tar"]


TOGETHER = {
    "a file twice": [file("a"), file("./a")],
    "a file and a folder": [file("a"), folder("a")],
    "a link over a file": [file("a"), link("a", "b")],
    "a file over a link": [link("a", "b"), file("a")],
    "a file below a link": [folder("b"), link("a", "b"), file("a/c")],
    "a link below a link": [link("a", "."), link("a/b", "..")],
    "a link over a folder that has something": [file("a/b"), link("a", ".")],
    "a hard link to a symbolic link": [link("a", "b"), link("c", "a", tarfile.LNKTYPE)],
    "a hard link that comes first": [link("c", "a", tarfile.LNKTYPE), file("a")],
    "links that turn at the end of others": [
        folder("d/e"),
        link("d/e/up", "../.."),
        link("z", "d/e/up/../.."),
    ],
    "more than the limit": [file(f"f{number}") for number in range(60)],
    "more folders than the limit": [file("/".join("abcdefghij" * 6))],
    "more than the limit in bytes": [file("a", bytes(2**20 + 1))],
}


@pytest.mark.parametrize("members", TOGETHER.values(), ids=TOGETHER)
def test_what_is_wrong_only_together_is_refused(tmp_path: Path, members: list[Member]) -> None:
    archive = written(tmp_path / "a.tar", bento(*members))
    with pytest.raises(InvalidArgument):
        check(archive, "bento.yaml", SMALL)
    with pytest.raises(InvalidArgument):
        unpack(archive, tmp_path / "out", SMALL)
    assert inside(tmp_path) == ["a.tar"]


def test_what_is_good_is_unpacked_with_rights_that_do_no_harm(tmp_path: Path) -> None:
    archive = written(
        tmp_path / "a.tar",
        bento(
            file("./src/service.py", b"code"),
            file("./run.sh", b"#!/bin/sh", mode=0o6777),
            link("./src/again", "../src/service.py"),
            link("./same", "./src/service.py", tarfile.LNKTYPE),
            folder("./empty"),
        ),
    )
    contents = check(archive, "bento.yaml", SMALL)
    assert (contents.document, contents.entries, contents.size) == (BENTO, 7, len(BENTO) + 13)
    out = tmp_path / "deep" / "out"
    unpack(archive, out, SMALL)
    assert (out / "src/again").read_bytes() == (out / "same").read_bytes() == b"code"
    assert (out / "empty").is_dir()
    modes = {name: stat.S_IMODE((out / name).stat().st_mode) for name in ("run.sh", "same")}
    assert modes == {"run.sh": 0o755, "same": 0o644}
    unpack(archive, out, SMALL)  # is there already
    assert inside(out.parent) == ["out"]


@pytest.mark.parametrize(("mode", "said"), [("w:gz", "gzip"), ("w:bz2", "bzip2"), ("w:xz", "xz")])
def test_a_compressed_archive_is_refused_by_its_name(tmp_path: Path, mode: str, said: str) -> None:
    archive = written(tmp_path / "a.tar", tar(file("bento.yaml", BENTO), mode=mode))
    with pytest.raises(InvalidArgument, match=said):
        check(archive, "bento.yaml")


def test_what_is_cut_short_or_damaged_is_refused(tmp_path: Path) -> None:
    whole = bento(file("a", bytes(3000)), file("b", bytes(3000)))
    end = len(whole.rstrip(b"\0"))
    for size in [*range(0, end, 311), 512, 1024, 1536]:
        archive = written(tmp_path / "a.tar", whole[:size])
        with pytest.raises(InvalidArgument):
            check(archive, "bento.yaml")
    broken = bytearray(whole)
    broken[whole.index(b"a\0", 1024) + 3] ^= 255  # in the header of the third entry
    with pytest.raises(InvalidArgument):
        check(written(tmp_path / "a.tar", bytes(broken)), "bento.yaml")


def test_a_header_that_says_it_is_huge_is_not_read(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a")
    info.type, info.size = tarfile.XHDTYPE, 2**40
    archive = written(tmp_path / "a.tar", info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
    with pytest.raises(InvalidArgument, match="too large"):
        check(archive, "bento.yaml")


def test_headers_without_end_are_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a")
    info.type = tarfile.XHDTYPE
    archive = written(tmp_path / "a.tar", info.tobuf(tarfile.GNU_FORMAT) * 5000 + bytes(2048))
    with pytest.raises(InvalidArgument):
        check(archive, "bento.yaml")


def test_an_archive_without_its_document_is_refused(tmp_path: Path) -> None:
    archive = written(tmp_path / "a.tar", tar(file("./src/bento.yaml", BENTO)))
    with pytest.raises(InvalidArgument, match=r"no bento\.yaml"):
        check(archive, "bento.yaml")


names = st.lists(
    st.sampled_from(["..", ".", "", "a", "b", "c", "\n", "ä", "n" * 300]), min_size=1, max_size=6
).map("/".join)
members = st.lists(
    st.one_of(
        st.builds(file, names),
        st.builds(folder, names),
        st.builds(link, names, names),
        st.builds(lambda name, to: link(name, to, tarfile.LNKTYPE), names, names),
    ),
    max_size=8,
)


def _reached(path: Path) -> Path | None:
    """What a path leads to, be it there or not; None for links in circles, which lead nowhere."""
    try:
        return path.resolve(strict=True)
    except FileNotFoundError:
        return Path(os.path.realpath(path))
    except (OSError, RuntimeError):  # the latter is what Path makes of ELOOP
        return None


@settings(max_examples=400, deadline=None)
@given(members)
def test_nothing_is_ever_written_or_reached_outside(found: list[Member]) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        top = Path(temporary).resolve()
        archive = written(top / "a.tar", bento(*found))
        out = top / "out"
        is_good = _passes(lambda: check(archive, "bento.yaml"))
        assert _passes(lambda: unpack(archive, out)) is is_good
        assert inside(top) == (["a.tar", "out"] if is_good else ["a.tar"])
        for each in out.rglob("*") if is_good else ():
            reached = _reached(each)
            assert reached is None or reached.is_relative_to(out), each


def _passes(work: Callable[[], object]) -> bool:
    try:
        work()
    except InvalidArgument:
        return False
    return True


def test_documents_are_of_what_they_are_said_to_be() -> None:
    check_document("bento.yaml", BENTO, "tiny", "v1")
    check_document("model.yaml", MODEL, "weights", "v1")


WRONG = {
    "another name": BENTO.replace(b"tiny", b"other"),
    "another version": BENTO.replace(b"v1", b"v2"),
    "no service": BENTO.replace(b"service:", b"x:", 1),
    "no mapping": b"- a\n- b\n",
    "no YAML": b"name: [",
    "no text": b"\xff\xfe\xff",
    "an object of Python": b"!!python/object/apply:os.system ['true']",
    "deep nesting": b"[" * 200_000 + b"]" * 200_000,
    "a cycle": b"&a [*a]",
    "empty": b"",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_a_wrong_document_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidArgument, match=r"bento\.yaml"):
        check_document("bento.yaml", text, "tiny", "v1")
