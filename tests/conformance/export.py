"""The .proto of the conformance service, and those of errors' details."""

import shutil
import subprocess
import sys
from pathlib import Path

from google.rpc import status_pb2

MESH = Path(sys.executable).with_name("mesh")
"""The command."""


def exported(url: str, folder: Path) -> Path:
    """Writes the .proto of what is deployed at the address into the folder, as clients have it.

    Beside it lies what it imports, and what else clients need.
    """
    command = [MESH, "proto", "--endpoint", url, "--out", folder]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    errors = folder / "google/rpc"
    errors.mkdir(parents=True)
    for name in ("status.proto", "error_details.proto"):  # of github.com/googleapis/googleapis
        shutil.copyfile(Path(status_pb2.__file__).with_name(name), errors / name)
    return folder
