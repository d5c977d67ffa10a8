"""Variables of the time when a release is installed, and of the time when it runs."""

from mesh.config import DeploymentConfig, mirrored
from mesh.config.stages import build_envs, running

ENVS = {"A": "1", "B": "2", "C": "3", "D": "4"}
STAGES = {"A": "build", "B": "all", "C": "runtime"}


def config(**more: object) -> DeploymentConfig:
    return DeploymentConfig.model_validate({"name": "d", "target": "a:B", **more})


def test_variables_are_there_in_their_stage() -> None:
    annotations = {"stages": STAGES, "services": {"Main": {"stages": {"E": "build"}}}}
    services = {"Main": {"envs": {"E": "5", "F": "6"}}}
    version = config(envs=ENVS, annotations=annotations, services=services)
    assert build_envs(version) == {"A": "1", "B": "2", "E": "5"}
    assert running(version).envs == {"B": "2", "C": "3", "D": "4"}
    assert running(version).services["Main"].envs == {"F": "6"}


def test_annotations_may_say_anything_else() -> None:
    for said in ({}, {"stages": 5}, {"stages": ["A"], "services": "x"}, {"services": {"Main": 1}}):
        version = config(envs=ENVS, annotations=said, services={"Main": {"envs": ENVS}})
        assert build_envs(version) == {}
        assert running(version) == version


def test_what_a_canary_has_of_main_is_there_in_the_stage_that_main_says() -> None:
    annotations = {"stages": STAGES, "services": {"Main": {"stages": {"E": "build"}}}}
    services = {"Main": {"envs": {"E": "5"}}}
    canary = {"target": "a:C", "weight": 1}
    main = config(
        envs=ENVS,
        annotations=annotations,
        services=services,
        canary={"versions": {"next": canary, "own": {**canary, "envs": {"A": "9"}}}},
    )
    versions = main.canary.versions
    assert build_envs(mirrored(main, versions["next"], ["Main"])) == build_envs(main)
    own = mirrored(main, versions["own"], [])
    assert (build_envs(own), running(own).envs) == ({}, {"A": "9"})
