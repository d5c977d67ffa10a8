"""What is told of a mesh that this process runs."""

from mesh.serving.home import Announcement, this_process
from mesh.serving.run import RunningMesh


def announcement(mesh: RunningMesh, log: str) -> Announcement:
    """What is told of a mesh that this process runs."""
    return Announcement(
        **this_process(),
        url=mesh.url,
        control_url=mesh.control_url,
        controller=mesh.control.addresses.grpc,
        log=log,
        replica_logs=mesh.replica_logs,
        grace=mesh.place.grace,
    )
