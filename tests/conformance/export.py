"""The .proto of the conformance service, and those of errors' details."""

import shutil
from pathlib import Path

from google.rpc import status_pb2

from mesh.definition.spec import service_spec
from mesh.io.rpc.text import proto_text
from tests.conformance.service import Conformance

_TYPES = "mesh/v1/types.proto"
_ERRORS = ("status.proto", "error_details.proto")


def exported(folder: Path) -> Path:
    """Writes it into the folder, with what it imports."""
    for file in service_spec(Conformance).rpc.files:
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(proto_text(file))
    (folder / _TYPES).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(__file__).parents[2] / "protos" / _TYPES, folder / _TYPES)
    errors = folder / "google/rpc"
    errors.mkdir(parents=True)
    for name in _ERRORS:  # which clients otherwise have from github.com/googleapis/googleapis
        shutil.copyfile(Path(status_pb2.__file__).with_name(name), errors / name)
    return folder
