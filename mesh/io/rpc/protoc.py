"""The .proto files of others as descriptors, and those of ours for others to import."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from mesh.errors import ConfigError

_SAYS = re.compile(r"(?!WARNING: All log|[IWEF]\d{4} )\s*\S")  # without notes of a library's own
_WAIT = 60.0  # seconds that a compilation may take
_HERE = Path(__file__).resolve().parents[2]


def shared_protos() -> Path:
    """The folder from which `mesh/v1/types.proto` is imported."""
    installed = _HERE / "protos"
    return installed if installed.is_dir() else _HERE.parent / "protos"


def compiled(file: Path, roots: Sequence[Path]) -> list[FileDescriptorProto]:
    """The descriptors of a .proto file and of all that it imports, which come first.

    Imports are looked for from `roots`; the first of them that holds the file names it, too.
    Raises ConfigError with protoc's own words about what is wrong, and where.
    """
    if not file.is_file():
        raise ConfigError(f"there is no file {str(file)!r}")
    with tempfile.TemporaryDirectory(prefix="mesh-proto-") as folder:
        out = Path(folder, "set.binpb")
        command = [
            *(sys.executable, "-m", "grpc_tools.protoc"),
            *(f"-I{root}" for root in (*roots, shared_protos())),
            *("--include_imports", "--include_source_info", f"--descriptor_set_out={out}"),
            str(file),
        ]
        try:
            done = subprocess.run(  # noqa: S603  # our own command, no shell
                command, capture_output=True, text=True, timeout=_WAIT, check=False
            )
        except subprocess.TimeoutExpired:
            raise ConfigError(f"{file}: protoc did not end in {_WAIT:.0f} seconds") from None
        if done.returncode:
            # The library underneath begins with notes to its own developers.
            lines = [line for line in done.stderr.splitlines() if _SAYS.match(line)]
            raise ConfigError(f"{file}: {'; '.join(lines[:3]) or 'protoc failed'}")
        return list(FileDescriptorSet.FromString(out.read_bytes()).file)
