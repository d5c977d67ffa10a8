"""A deployment file with what is said beside it."""

from pathlib import Path

from mesh.serving.wanted import mesh_config


def test_labels_and_variables_are_added_to_those_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(
        "{name: d, target: 'a:B', replicas: 2, labels: {team: a, tier: x}, envs: {E: '1'}}"
    )
    settings = {"labels": {"team": "b"}, "envs": {"F": "2"}, "replicas": 3}
    (config,) = mesh_config("", file, [], settings).deployments
    assert config.labels == {"team": "b", "tier": "x"}
    assert config.envs == {"E": "1", "F": "2"}
    assert config.replicas == 3
