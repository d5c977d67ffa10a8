"""What `mesh serve` is told, by its arguments and a file."""

from pathlib import Path

import pytest

from mesh.errors import ConfigError
from mesh.serving.wanted import mesh_config


def test_a_target_beside_a_file_with_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "deployment.yaml"
    file.write_text("name: one\ntarget: app:Service\n")
    with pytest.raises(ConfigError, match="says what to serve: leave out TARGET"):
        mesh_config("other:Service", file, [str(tmp_path)])


def test_a_file_without_a_target_takes_the_one_given(tmp_path: Path) -> None:
    file = tmp_path / "deployment.yaml"
    file.write_text("name: one\nreplicas: 2\n")
    (deployment,) = mesh_config("app:Service", file, [str(tmp_path)]).deployments
    assert (deployment.name, deployment.target, deployment.replicas) == ("one", "app:Service", 2)
