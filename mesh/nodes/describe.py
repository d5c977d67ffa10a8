"""Imports a release in a process of its own and writes down what is in it.

`python -m mesh.nodes.describe ORDER`, where ORDER is JSON: the folder, the digest, models by tag
and warnings. Answers in JSON on its standard output, where nothing else gets.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mesh.control.plan import SourceDocument, VersionDocument
from mesh.definition.graph import Graph, resolve
from mesh.definition.manifest import Manifest, describe
from mesh.errors import Code, FailedPrecondition, MeshError
from mesh.nodes.entering import enter
from mesh.nodes.requirements import parsed
from mesh.nodes.unpacked import CODE, UnpackedRelease


def described(order: Mapping[str, Any]) -> VersionDocument:
    """What is in a release; runs what its services do once before their first replica starts.

    Raises MeshError with one line.
    """
    release = UnpackedRelease(Path(order["folder"]))
    graph = resolve(enter(release))
    _run_hooks(graph)
    return VersionDocument(
        manifest=_with_envs(describe(graph), release.envs),
        source=SourceDocument(
            target=release.target,
            path=(CODE,),
            release=order["release"],
            requirements=tuple(parsed(release.wanted)[0]),
            models=order["models"],
        ),
        warnings=tuple(order["warnings"]),
    )


def _run_hooks(graph: Graph) -> None:
    for service in graph.services.values():
        for hook in service.manner.hooks.deployment:
            try:
                hook()
            except (Exception, SystemExit) as error:
                text = f"{type(error).__name__}: {' '.join(str(error).split())}"
                raise FailedPrecondition(f"a deployment hook failed: {text}") from error


def _with_envs(manifest: Manifest, envs: Mapping[str, str]) -> Manifest:
    """The variables of a release are those of all its services; a service's own hold."""
    services = {
        name: replace(
            each, config=each.config.model_copy(update={"envs": {**envs, **each.config.envs}})
        )
        for name, each in manifest.services.items()
    }
    return manifest.model_copy(update={"services": services})


def main(arguments: Sequence[str]) -> None:
    """Describes the release of the only argument."""
    # What user code prints must not get into the answer.
    with os.fdopen(os.dup(1), "w") as answer:
        os.dup2(2, 1)
        try:
            found = {"version": described(json.loads(arguments[0])).model_dump(mode="json")}
        except MeshError as error:
            found = {"refused": {"code": error.code.value, "message": error.message}}
        except Exception as error:  # noqa: BLE001  # whatever user code raises is the reason
            text = f"{type(error).__name__}: {' '.join(str(error).split())}"
            found = {"refused": {"code": Code.FAILED_PRECONDITION.value, "message": text}}
        json.dump(found, answer)


if __name__ == "__main__":
    main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)  # threads that user code left behind hold nobody up
