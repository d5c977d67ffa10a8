"""The progression of a deployment's canary, between its settings, its record and its decision."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import NamedTuple

from mesh.config import MAIN, DeploymentConfig
from mesh.control import canary
from mesh.control.canary import Plan, Progress
from mesh.control.desired import DesiredDeployment, Standing
from mesh.control.loads import Outcomes
from mesh.control.outcomes import Ledger, VersionMetrics, summary, together
from mesh.control.records import Document


class Progression(NamedTuple):
    """A plan, and how far it is."""

    plan: Plan
    progress: Progress


def begun(
    config: DeploymentConfig, revision: int, kept: Document, now: float
) -> Progression | None:
    """The progression of a revision: as `kept` says it is, or from its beginning.

    None if the revision has none. `now` is in seconds since the Unix epoch. Each revision begins
    anew, for it may change what is compared.
    """
    settings = config.canary.progression
    if settings is None:
        return None
    (version,) = [settings.version] if settings.version else config.canary.versions
    plan = Plan(**{**settings.model_dump(), "version": version})
    if kept.get("revision") == revision:
        return Progression(plan, canary.read(kept["progress"]))
    return Progression(plan, canary.begin(plan, now)[0])


def document(found: Progression, revision: int) -> Document:
    """What a record keeps of a progression."""
    plan = {**asdict(found.plan), "steps": list(found.plan.steps)}
    return {"revision": revision, "plan": plan, "progress": found.progress.document()}


def moved(kept: Document, before: int, after: int) -> Document:
    """What a record keeps, for a revision after `before` that changes nothing that is compared."""
    return {**kept, "revision": after} if kept.get("revision") == before else kept


def reached(config: DeploymentConfig, revision: int, kept: Document) -> dict[str, int]:
    """The percentage of the canary that a progression gives it, by name; none without one."""
    found = begun(config, revision, kept, 0.0)
    if found is None:
        return {}
    name = found.plan.version
    weights = {each: version.weight for each, version in config.canary.versions.items()}
    return {name: _within(found, weights)}


def _within(found: Progression, weights: Mapping[str, int]) -> int:
    """The percentage that a progression has reached, as far as other canaries leave it."""
    others = sum(weight for each, weight in weights.items() if each != found.plan.version)
    return min(canary.weight(found.plan, found.progress), 100 - others)


def taken_back(kept: Document, revision: int) -> str:
    """Why a canary was taken back by itself, if that made this very revision; else empty.

    `kept` is what a record keeps of a progression.
    """
    progress = kept.get("progress", {})
    if progress.get("state") != canary.State.ABORTED or kept["revision"] + 1 != revision:
        return ""
    return f"canary {kept['plan']['version']} aborted: {progress['reason']}"


def overlaid(desired: DesiredDeployment, found: Progression | None) -> DesiredDeployment:
    """The deployment with the weight that the canary has reached."""
    if found is None:
        return desired
    canaries = {each.name: each.weight for each in desired.versions if each.name != MAIN}
    canaries[found.plan.version] = _within(found, canaries)
    weights = {**canaries, MAIN: 100 - sum(canaries.values())}
    versions = tuple(replace(each, weight=weights[each.name]) for each in desired.versions)
    return replace(desired, versions=versions)


def observed(
    found: Progression, desired: DesiredDeployment, standing: Standing, ledger: Ledger
) -> Progression:
    """The progression with the requests that ended since this was last asked."""
    ids = {each.name: each.id for each in desired.versions}
    other = {each for name, each in ids.items() if name != MAIN}
    mains = {ids[MAIN], *(each.id for each in standing.get(MAIN, ()))} - other
    main = Outcomes()
    for each in sorted(mains):
        main = together(main, ledger.take(desired.name, each))
    tried = ledger.take(desired.name, ids[found.plan.version])
    return found._replace(progress=canary.observe(found.progress, main, tried))


class CanaryStatus(NamedTuple):
    """How the versions of a deployment do.

    `weights` and `metrics` are by version name; the latter are of the last minutes. `progression`
    is as a record keeps it (empty: there is none), `reason` says what it waits for or why it ended.
    """

    weights: Mapping[str, int]
    metrics: Mapping[str, VersionMetrics]
    progression: Document
    reason: str


def status(
    desired: DesiredDeployment,
    standing: Standing,
    found: Progression | None,
    kept: Document,
    ledger: Ledger,
    times: tuple[float, float],
) -> CanaryStatus:
    """How the versions of `desired` do; `times` are the ledger's clock and the Unix time now."""
    now, wall = times
    metrics = {}
    for version in desired.versions:
        ids = {version.id, *(each.id for each in standing.get(version.name, ()))}
        recent, seconds = Outcomes(), 0.0
        for each in sorted(ids):
            more, covered = ledger.recent(desired.name, each, now)
            recent = together(recent, more)
            seconds = max(seconds, covered) if more.requests else seconds
        metrics[version.name] = summary(recent, seconds)
    reason = str(kept.get("progress", {}).get("reason", ""))
    if found is not None:
        verdict = canary.judge(found.plan, found.progress, wall)[1]
        reason = found.progress.reason or getattr(verdict, "reason", "")
    weights = {each.name: each.weight for each in overlaid(desired, found).versions}
    progression = document(found, desired.revision) if found is not None else kept
    return CanaryStatus(weights, metrics, progression, reason)
