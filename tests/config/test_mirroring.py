"""What a canary has of main."""

from typing import Any

from mesh.config import CanaryVersion, DeploymentConfig, mirrored, parse


def both(main: dict[str, Any], canary: dict[str, Any]) -> CanaryVersion:
    of_main = parse(DeploymentConfig, {"name": "d", "release": "a:1", **main}, what="main")
    of_canary = parse(CanaryVersion, {"release": "a:2", "weight": 10, **canary}, what="canary")
    return mirrored(of_main, of_canary, {"Main", "Part"})


def test_what_a_canary_does_not_say_is_as_of_main() -> None:
    found = both(
        {
            "envs": {"A": "1"},
            "secrets": ["s"],
            "services": {"Main": {"replicas": 3, "threads": 2}, "Gone": {"threads": 4}},
        },
        {},
    )
    assert (found.release, found.weight) == ("a:2", 10)
    assert (found.envs, found.secrets) == ({"A": "1"}, ("s",))
    assert set(found.services) == {"Main"}, "services that its graph does not have"
    assert (found.services["Main"].replicas, found.services["Main"].threads) == (3, 2)


def test_what_it_says_itself_is_not() -> None:
    main = {
        "envs": {"A": "1"},
        "secrets": ["s"],
        "services": {"Main": {"threads": 2}, "Part": {"threads": 3}},
    }
    own = {"envs": {"B": "2"}, "secrets": ["t"], "services": {"Main": {"replicas": 1}}}
    found = both(main, own)
    assert (found.envs, found.secrets) == ({"B": "2"}, ("t",))
    assert (found.services["Main"].threads, found.services["Part"].threads) == (None, 3)


def test_its_number_for_all_services_goes_before_those_of_mains_services() -> None:
    found = both({"services": {"Main": {"replicas": 5, "threads": 2}}}, {"replicas": 1})
    assert (found.services["Main"].replicas, found.services["Main"].threads) == (None, 2)
