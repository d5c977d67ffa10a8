"""The .proto of the conformance service."""

import shutil
from pathlib import Path

from mesh.definition.spec import service_spec
from mesh.io.rpc.text import proto_text
from tests.conformance.service import Conformance

_TYPES = "mesh/v1/types.proto"


def exported(folder: Path) -> Path:
    """Writes it into the folder, with what it imports."""
    for file in service_spec(Conformance).rpc.files:
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(proto_text(file))
    (folder / _TYPES).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(__file__).parents[2] / "protos" / _TYPES, folder / _TYPES)
    return folder
