"""What a change of a deployment breaks for clients that were made from its .proto. Pure."""

import zlib
from collections.abc import Iterator, Sequence

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from mesh.control.desired import DesiredDeployment, DesiredVersion
from mesh.io.rpc.breaking import breaks

_SHOWN = 3
"""Breaking changes that a sentence names."""


def broken_promises(before: DesiredDeployment | None, after: DesiredDeployment) -> Iterator[str]:
    """A sentence for each version whose typed gRPC is not what clients know.

    They know that of the first version, `main`: of the deployment as it was, or else as it is now.
    """
    known = before or after
    if not known.versions:
        return
    main = known.versions[0]
    old = _files(main)
    for version in after.versions:
        if version.id == main.id:
            continue
        said = broken(main.name, old, version.name, _files(version))
        if said:
            yield said


def broken(
    known: str,
    old: Sequence[FileDescriptorProto],
    version: str,
    new: Sequence[FileDescriptorProto],
) -> str:
    """What `version` breaks for clients of the version `known`, as a sentence; empty: nothing."""
    found = breaks(old, new) if old else []
    if not found:
        return ""
    shown = "; ".join(f"{each.where}: {each.what}" for each in found[:_SHOWN])
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return (
        f"{version}: clients made from the .proto of {known} break: {shown}{more}"
        " (mesh proto --out keeps the numbers of fields; versions share them by"
        " @mesh.service(lock=...))"
    )


def _files(version: DesiredVersion) -> list[FileDescriptorProto]:
    compressed = version.services[version.entry].descriptors
    if not compressed:
        return []
    return list(FileDescriptorSet.FromString(zlib.decompress(compressed)).file)
