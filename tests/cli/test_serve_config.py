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


def test_options_for_one_deployment_beside_a_file_of_several_are_called_by_their_names(
    tmp_path: Path,
) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text("deployments: [{name: one, target: 'app:Service'}]\n")
    settings = {"replicas": 2, "deployment_strategy": "Recreate", "envs": {"A": "1"}}
    with pytest.raises(ConfigError) as refused:
        mesh_config("", file, [str(tmp_path)], settings, what="mesh deploy")
    assert refused.value.message.endswith("leave out --replicas, --strategy, --env")
