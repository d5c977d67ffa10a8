"""`mesh proto`: a service as a .proto, for clients in any language."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from rich.console import Console
from rich.table import Table

from mesh.cli.target import ACCESS_OPTION
from mesh.client.address import Address
from mesh.client.grpc import GrpcClient
from mesh.definition.graph import resolve
from mesh.definition.loader import load
from mesh.definition.spec import lock_of
from mesh.errors import ConfigError, FailedPrecondition
from mesh.io.rpc.breaking import Break, breaks
from mesh.io.rpc.numbers import lock_text, read_lock
from mesh.io.rpc.protoc import compiled, shared_protos
from mesh.io.rpc.text import proto_text

_SHARED = "mesh/v1/types.proto"


@dataclass(frozen=True, slots=True)
class _Lock:
    """Where numbers are kept, and what is to be in there."""

    path: Path
    text: str


def proto(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET", help="The service as pkg.mod:Service; or else give --endpoint."
        ),
    ] = "",
    *,
    endpoint: Annotated[
        str,
        typer.Option(
            metavar="URL", help="A deployed service: http://host:port, also with /e/<endpoint>."
        ),
    ] = "",
    version: Annotated[
        str, typer.Option(help="With --endpoint: the version; else the one called main.")
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write the .proto below this folder, with what it imports, and keep the numbers"
            " of its fields in a lock beside the service's module. Else it goes to standard"
            " output, and nothing is written.",
        ),
    ] = None,
    token: Annotated[str, ACCESS_OPTION] = "",
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="OLD.PROTO",
            help="Compare with an older .proto: list what breaks its clients, and exit with 1 if"
            " anything does.",
        ),
    ] = None,
) -> None:
    """Write the .proto of a service: one rpc for each method, messages of its types."""
    if bool(target) == bool(endpoint):
        raise typer.BadParameter("give either a TARGET or --endpoint URL", param_hint="TARGET")
    lock = None
    required: frozenset[str] = frozenset()
    if target:
        files, lock, required = _of_code(target)
    else:
        files = _deployed(endpoint, version, token)
    if check is not None:
        _compare(check, files, required)
    if out is not None:
        _write(out, files, lock)
    elif check is None:
        typer.echo(proto_text(files[-1]), nl=False)


def _of_code(target: str) -> tuple[Sequence[FileDescriptorProto], _Lock | None, frozenset[str]]:
    cls = load(target, (str(Path.cwd()),))
    service = resolve(cls).entry
    rpc = service.rpc
    return rpc.files, _lock(cls, service.name, rpc.numbers), rpc.contract.required


def _lock(cls: type, name: str, numbers: dict[str, Any] | None) -> _Lock | None:
    """The lock of the module with the service's numbers; None if they are not ours to give."""
    path = lock_of(cls)
    if numbers is None or path is None:
        return None
    return _Lock(path, lock_text(read_lock(path) | {name: numbers}))


def _deployed(url: str, version: str, token: str) -> Sequence[FileDescriptorProto]:
    address = Address(url if "://" in url else f"http://{url}")
    prefix, _, named = urlsplit(address.url).path.strip("/").partition("/")
    endpoint = named if prefix == "e" else ""
    secure = address.is_secure
    with GrpcClient(
        address.target,
        endpoint=endpoint,
        version=version,
        metadata={"authorization": f"Bearer {token}"} if token else None,
        secure=secure,
    ) as client:
        found = client.describe(timeout=10)
    if not found.descriptors:
        raise FailedPrecondition(f"{found.service} at {address.shown} has no typed gRPC service")
    return list(FileDescriptorSet.FromString(found.descriptors).file)


def _compare(path: Path, files: Sequence[FileDescriptorProto], required: frozenset[str]) -> None:
    old = [each for each in compiled(path, _roots(path)) if not _is_shared(each)]
    found = breaks(old, [each for each in files if not _is_shared(each)], required)
    console = Console()
    if not found:
        console.print(f"{path}: nothing breaks", highlight=False)
        return
    changes = "change" if len(found) == 1 else "changes"
    console.print(f"{len(found)} breaking {changes} since {path}", highlight=False, soft_wrap=True)
    console.print(_table(found))
    raise typer.Exit(1)


def _roots(path: Path) -> list[Path]:
    """The file's folder and those around it: one of them is where its imports start from."""
    folder = path.resolve().parent
    return [folder, *list(folder.parents)[:-1][:4]]


def _is_shared(file: FileDescriptorProto) -> bool:
    return file.name == _SHARED or file.name.startswith("google/")


def _table(found: Sequence[Break]) -> Table:
    table = Table("where", "what", box=None, pad_edge=False)
    for each in found:
        table.add_row(each.where, each.what)
    return table


def _inside(name: str, out: Path) -> PurePosixPath:
    """The name of a file that somebody else chose. Raises ConfigError if it leads elsewhere."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ConfigError(f"{name!r} is no path inside --out {out}: nothing is written")
    return path


def _write(out: Path, files: Sequence[FileDescriptorProto], lock: _Lock | None) -> None:
    shared = (shared_protos() / _SHARED).read_text()
    texts = {out / _inside(each.name, out): proto_text(each) for each in files}
    if any(_SHARED in each.dependency for each in files):
        texts[out / _SHARED] = shared
    if lock is not None:
        texts[lock.path] = lock.text
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            written = path.with_name(f".{path.name}.new")
            written.write_text(text, encoding="utf-8")
            written.replace(path)
    except OSError as error:
        raise ConfigError(f"--out {out}: {error.filename}: {error.strerror}") from error
    for path in texts:
        note = "  (the numbers of its fields: commit it)" if lock and path == lock.path else ""
        typer.echo(f"wrote {path}{note}")
