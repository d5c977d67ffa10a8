"""What a user asks for → what is written, without a controller."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from mesh.config import EndpointConfig, parse
from mesh.config.stages import build_envs, running
from mesh.control import changes
from mesh.control.endpoint_changes import Moment, with_endpoint
from mesh.control.records import Change, Intent, State
from mesh.errors import AlreadyExists, ConfigError, FailedPrecondition, MeshError, NotFound
from tests.control.test_controller import app

Verb = Callable[[State], Change]


class World:
    """A state, and changes that follow each other; each has a time and a uid of its own."""

    def __init__(self) -> None:
        self.state = State()
        self.moments = 0

    def at(self) -> Moment:
        self.moments += 1
        return Moment(float(self.moments), f"uid-{self.moments}")

    def take(self, change: Change) -> Change:
        self.state = changes.after(self.state, change)
        for name in self.state.deployments:
            changes.desired_of(self.state, name)  # what is kept can be planned
        return change

    def apply(self, *target: str, **settings: Any) -> Change:
        return self.take(changes.applied(self.state, app(*target, **settings), {}, self.at()))

    def endpoint(self, name: str, **config: Any) -> None:
        settings = parse(EndpointConfig, config, what=name)
        self.take(with_endpoint(self.state, name, settings, self.at()))

    def intend(self, name: str, intent: Intent) -> Change:
        return self.take(changes.intended(self.state, name, intent, self.at()))

    def canaries(self) -> Mapping[str, int]:
        versions = self.state.revisions["d"].config["canary"]["versions"]
        return {name: each["weight"] for name, each in versions.items()}


def test_what_is_made_says_by_whom_and_whose_it_is_and_each_revision_by_whom() -> None:
    world = World()
    made = Moment(1.0, "one", "ann", "acme")
    world.take(changes.applied(world.state, app(canaries={"a": 10, "b": 5}), {}, made))
    first = world.state.revisions["d"]
    versions = tuple(world.state.versions.values())
    steps: list[Callable[[State, Moment], Change]] = [
        lambda state, at: changes.applied(state, app("n:Main", canaries={"a": 10}), {}, at),
        lambda state, at: changes.restarted(state, "d", at),
        lambda state, at: changes.weighted(state, "d", {"a": 7}, at),
        lambda state, at: changes.aborted(state, "d", "a", at),
        lambda state, at: changes.labelled(state, "d", {"k": "v"}, at),
        lambda state, at: changes.promoted(state, "d", "a", at),
        lambda state, at: changes.rolled_back(state, first, versions, at),
    ]
    assert first.creator == "ann"
    for number, step in enumerate(steps):
        change = world.take(step(world.state, Moment(2.0, f"u{number}", f"bob{number}", "acme")))
        assert change.revisions[0].creator == f"bob{number}"
        assert [each.by for each in change.events] == [f"bob{number}"]
    world.intend("d", Intent.TERMINATE)
    record = world.state.deployments["d"]
    assert (record.creator, record.organization) == ("ann", "acme")


def test_events_say_who_started_stopped_or_deleted_and_what_the_mesh_does_is_nobodys() -> None:
    world = World()
    world.apply(canaries={"a": 10})
    world.endpoint("front", deployments={"d": 100})
    ann = Moment(2.0, "u", "ann")
    for intent in (Intent.TERMINATE, Intent.RUN):
        (event,) = world.take(changes.intended(world.state, "d", intent, ann)).events
        assert event.by == "ann"
    of_itself = changes.promoted(world.state, "d", "a", Moment(3.0, "v"), "it has passed all steps")
    assert [each.by for each in of_itself.events] == [""]
    deleted = changes.intended(world.state, "d", Intent.DELETE, ann)
    assert {(each.deployment or each.endpoint, each.by) for each in deleted.events} == {
        ("d", "ann"),
        ("front", "ann"),
    }


def test_the_name_of_another_organizations_deployment_or_endpoint_is_taken() -> None:
    world = World()
    one, other = Moment(1.0, "1", "ann", "acme"), Moment(2.0, "2", "bob", "other")
    world.take(changes.applied(world.state, app(), {}, one))
    with pytest.raises(AlreadyExists, match="another organization has a deployment 'd'"):
        changes.applied(world.state, app(), {}, other)
    config = parse(EndpointConfig, {"deployments": {"d": 1}}, what="e")
    world.take(with_endpoint(world.state, "e", config, one))
    out = parse(EndpointConfig, {"upstreams": [{"url": "https://a.example"}]}, what="e")
    with pytest.raises(AlreadyExists, match="another organization has an endpoint 'e'"):
        with_endpoint(world.state, "e", out, other)
    assert world.state.endpoints["e"].organization == "acme"
    # What is deleted is nobody's, even while its replicas end.
    world.intend("d", Intent.DELETE)
    world.take(changes.applied(world.state, app(), {}, other))
    record = world.state.deployments["d"]
    assert (record.creator, record.organization) == ("bob", "other")


def test_a_deployment_and_an_endpoint_of_one_name_are_of_one_organization() -> None:
    one, other = Moment(1.0, "1", "ann", "acme"), Moment(2.0, "2", "bob", "other")
    out = parse(EndpointConfig, {"upstreams": [{"url": "https://a.example"}]}, what="d")
    world = World()
    world.take(changes.applied(world.state, app(), {}, one))
    with pytest.raises(AlreadyExists, match="another organization has a deployment 'd'"):
        with_endpoint(world.state, "d", out, other)
    world.take(with_endpoint(world.state, "d", out, one))
    assert world.state.endpoints["d"].organization == "acme"

    world = World()
    world.take(with_endpoint(world.state, "d", out, one))
    with pytest.raises(AlreadyExists, match="another organization has an endpoint 'd'"):
        changes.applied(world.state, app(), {}, other)
    world.take(changes.applied(world.state, app(), {}, one))
    assert world.state.deployments["d"].organization == "acme"


def test_of_several_canaries_the_one_to_promote_must_be_named_and_the_others_stay() -> None:
    world = World()
    world.apply("one:Main", replicas=3, canaries={"a": 10, "b": 20})
    ids = world.state.revisions["d"].versions
    with pytest.raises(FailedPrecondition, match="say which canary is meant: "):
        changes.promoted(world.state, "d", "", world.at())
    world.take(changes.promoted(world.state, "d", "a", world.at()))
    assert world.canaries() == {"b": 20}
    assert world.state.revisions["d"].versions == {"main": ids["a"], "b": ids["b"]}
    assert world.state.revisions["d"].config["replicas"] == 3
    # Nothing names the version that was main: its graph is not kept at hand.
    assert {key[1] for key in world.state.versions} == {ids["a"], ids["b"]}


def test_what_versions_mirror_of_main_stays_when_another_is_main() -> None:
    world = World()
    world.apply("one:Main", envs={"A": "1"}, canaries={"a": 10, "b": 20})
    world.take(changes.promoted(world.state, "d", "a", world.at()))
    config = world.state.revisions["d"].config
    assert config["envs"] == {"A": "1"}
    assert config["canary"]["versions"]["b"]["envs"] == {"A": "1"}


def test_variables_that_others_mirror_stay_of_their_stage_when_another_is_main() -> None:
    world = World()
    stages = {"stages": {"A": "build"}, "services": {"Main": {"stages": {"B": "build"}}}}
    made = app(
        "one:Main",
        envs={"A": "1", "C": "3"},
        services={"Main": {"envs": {"B": "2"}}},
        annotations={**stages, "bento": "of main"},
        canaries={"a": 10, "b": 20},
    )
    made.config.canary.versions["b"].annotations["bento"] = "of b"
    world.take(changes.applied(world.state, made, {}, world.at()))
    world.take(changes.promoted(world.state, "d", "a", world.at()))
    b = changes.config_of(world.state.revisions["d"]).canary.versions["b"]
    assert build_envs(b) == {"A": "1", "B": "2"}
    assert running(b).envs == {"C": "3"}
    assert running(b).services["Main"].envs == {}
    assert b.annotations == {**stages, "bento": "of b"}


def test_a_promotion_takes_the_annotations_of_the_canary_but_for_those_of_the_deployment() -> None:
    world = World()
    of_main = {"distributed": True, "weight": 7, "bento": "of main"}
    made = app("one:Main", canaries={"a": 10}, annotations=of_main)
    made.config.canary.versions["a"].annotations["stages"] = {"A": "all"}
    world.take(changes.applied(world.state, made, {}, world.at()))
    world.take(changes.promoted(world.state, "d", "a", world.at()))
    kept = {"distributed": True, "weight": 7, "stages": {"A": "all"}}
    assert world.state.revisions["d"].config["annotations"] == kept


def test_what_a_release_does_not_get_is_told_once_with_each_revision() -> None:
    world = World()
    made = app(canaries={"a": 10})
    warned = {
        name: each.model_copy(update={"warnings": ("no system packages", f"only {name}")})
        for name, each in made.versions.items()
    }
    made = made.model_copy(update={"versions": warned})
    change = world.take(changes.applied(world.state, made, {}, world.at()))
    told = [(each.revision, each.reason) for each in change.events if each.kind == "warning"]
    assert told == [(1, "no system packages"), (1, "only main"), (1, "only a")]
    assert world.take(changes.applied(world.state, made, {}, world.at())).events == ()
    world.take(changes.labelled(world.state, "d", {"k": "v"}, world.at()))
    again = world.take(changes.restarted(world.state, "d", world.at()))
    assert [each.revision for each in again.events if each.kind == "warning"] == [3, 3, 3]


def test_a_canary_that_is_taken_out_leaves_its_percentage_to_main() -> None:
    world = World()
    world.apply(canaries={"a": 10, "b": 20})
    world.apply(canaries={"b": 20})
    weights = {each.name: each.weight for each in changes.desired_of(world.state, "d").versions}
    assert weights == {"main": 80, "b": 20}


def test_an_abort_of_all_leaves_each_with_nothing() -> None:
    world = World()
    world.apply(canaries={"a": 10, "b": 20})
    world.take(changes.aborted(world.state, "d", "", world.at()))
    assert world.canaries() == {"a": 0, "b": 0}
    assert changes.aborted(world.state, "d", "a", world.at()) == Change()


def test_a_rollback_brings_labels_and_canaries_back_and_leaves_endpoints_alone() -> None:
    world = World()
    world.apply(canaries={"a": 10}, labels={"team": "x"})
    first = world.state.revisions["d"]
    versions = tuple(world.state.versions.values())
    world.endpoint("front", deployments={"d": 1})
    world.apply("two:Main", labels={"team": "y"})
    world.endpoint("front", deployments={"d": 7})
    world.take(changes.rolled_back(world.state, first, versions, world.at()))
    current = world.state.revisions["d"]
    assert (current.number, current.cause) == (3, "rollback to 1")
    assert (current.config, current.versions) == (first.config, first.versions)
    assert world.state.endpoints["front"].config["deployments"] == {"d": 7}
    assert changes.rolled_back(world.state, first, versions, world.at()) == Change()


def test_what_is_terminated_is_changed_without_being_started() -> None:
    world = World()
    world.apply(canaries={"a": 10})
    world.intend("d", Intent.TERMINATE)
    world.take(changes.labelled(world.state, "d", {"k": "v"}, world.at()))
    world.take(changes.weighted(world.state, "d", {"a": 5}, world.at()))
    world.take(changes.promoted(world.state, "d", "a", world.at()))
    assert world.state.deployments["d"].intent is Intent.TERMINATE
    assert not changes.desired_of(world.state, "d").wanted
    world.apply("a:Main")
    assert world.state.deployments["d"].intent is Intent.RUN


def test_versions_of_a_restart_are_new_and_a_rollback_behind_it_is_not() -> None:
    world = World()
    world.apply()
    first = world.state.revisions["d"]
    versions = tuple(world.state.versions.values())
    seen = {first.versions["main"]}
    for _ in range(3):
        world.take(changes.restarted(world.state, "d", world.at()))
        seen.add(world.state.revisions["d"].versions["main"])
        world.take(changes.rolled_back(world.state, first, versions, world.at()))
        assert world.state.revisions["d"].versions == first.versions
    assert len(seen) == 4


def test_endpoints_that_lead_nowhere_else_go_with_a_deployment_and_events_say_so() -> None:
    world = World()
    world.apply(name="d")
    world.apply(name="other")
    outside = [{"url": "http://host"}]
    world.endpoint("only", deployments={"d": 1})
    world.endpoint("both", deployments={"d": 1, "other": 1})
    world.endpoint("out", deployments={"d": 1}, upstreams=outside)
    world.endpoint("copies", deployments={"other": 1}, mirror={"deployment": "d"})
    change = world.intend("d", Intent.DELETE)
    assert change.deleted_endpoints == ("only",)
    assert ("only", "deleted with deployment d") in [
        (each.endpoint, each.reason) for each in change.events
    ]
    assert world.state.endpoints.keys() == {"both", "out", "copies"}
    with pytest.raises(ConfigError, match="there is no deployment 'd'"):
        world.endpoint("both", deployments={"d": 2})


def test_a_name_that_is_used_again_is_another_deployment() -> None:
    world = World()
    world.apply("one:Main")
    before = world.state.deployments["d"]
    world.intend("d", Intent.DELETE)
    change = world.apply("two:Main")
    after = world.state.deployments["d"]
    assert change.deleted_deployments == ("d",)
    assert (after.revision, after.intent) == (1, Intent.RUN)
    assert after.uid != before.uid


@pytest.mark.parametrize(
    ("verb", "error"),
    [
        (lambda state: changes.restarted(state, "d", Moment(1.0, "")), NotFound),
        (lambda state: changes.weighted(state, "d", {"a": 1}, Moment(1.0, "")), NotFound),
        (lambda state: changes.aborted(state, "d", "", Moment(1.0, "")), NotFound),
        (lambda state: changes.promoted(state, "d", "", Moment(1.0, "")), NotFound),
        (lambda state: changes.labelled(state, "d", {}, Moment(1.0, "")), NotFound),
        (lambda state: changes.intended(state, "d", Intent.RUN, Moment(1.0, "")), NotFound),
        (lambda state: changes.aborted(state, "plain", "", Moment(1.0, "")), FailedPrecondition),
        (lambda state: changes.promoted(state, "plain", "", Moment(1.0, "")), FailedPrecondition),
        (lambda state: changes.weighted(state, "plain", {"a": 1}, Moment(1.0, "")), NotFound),
    ],
)
def test_what_is_deleted_or_not_there_cannot_be_changed(verb: Verb, error: type[MeshError]) -> None:
    world = World()
    world.apply(name="plain")
    world.apply(canaries={"a": 10})
    world.intend("d", Intent.DELETE)
    with pytest.raises(error):
        verb(world.state)
