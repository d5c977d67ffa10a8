"""Has a release described by a process of its own on this node."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

from mesh.errors import Code, FailedPrecondition, Internal, MeshError, Unavailable
from mesh.launch import NO_SECRETS, Secrets, Source
from mesh.nodes.entering import variables
from mesh.nodes.home import make_home, remove_home
from mesh.nodes.prepare import Fetch, Prepared, held, open_cache, prepare
from mesh.nodes.settings import ENVS_LATER, NodeSettings
from mesh.nodes.unpacked import UnpackedRelease

_PROGRAM = ("-P", "-m", "mesh.nodes.describe")
_LONGEST = 400
"""Characters of the last line of a process that died."""


def describe_here(
    source: Source, settings: NodeSettings, fetch: Fetch, build: Secrets = NO_SECRETS
) -> dict[str, Any]:
    """The `control.plan.VersionDocument` of a release as plain values; `source` has its digests.

    Only the installation of its requirements gets `build`.

    Raises FailedPrecondition for what is wrong with the release, Unavailable for what may pass.
    """
    *_, prepared = prepare(source, settings, fetch, build)
    if not isinstance(prepared, Prepared):
        raise Internal("preparing a release came to nothing")
    cache = open_cache(settings)
    folder, models, leases = held(prepared, cache)
    home = make_home(cache.folder / "homes", f"describe-{uuid4().hex}", models, {})
    try:
        order = {
            "folder": str(folder),
            "release": source.release,
            "models": dict(source.models),
            "warnings": prepared.warnings,
        }
        environ = {**os.environ, **UnpackedRelease(folder).envs, ENVS_LATER: "1"}
        environ |= variables(home.path, cache.folder, prepared.python, environ)
        command = [prepared.python or sys.executable, *_PROGRAM, json.dumps(order)]
        return _answer(_run(command, home.path, environ, settings.describe_timeout))
    finally:
        remove_home(home)
        for lease in leases:
            lease.close()


def _run(command: list[str], folder: Path, environ: dict[str, str], timeout: float) -> str:
    """What a program writes; its last words in the error if it fails."""
    log = folder / "describe.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(  # noqa: S603  # the interpreter of a release, no shell
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            said, _ = process.communicate(timeout=timeout)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                text = f"the release is not imported after {timeout:g} s"
                raise FailedPrecondition(text) from None
            raise
    if process.returncode or not said:
        lines = log.read_text(errors="replace").strip().splitlines()
        last = lines[-1].strip()[:_LONGEST] if lines else f"exit status {process.returncode}"
        raise FailedPrecondition(f"the release cannot be imported: {last}")
    return said


def _answer(said: str) -> dict[str, Any]:
    found = json.loads(said)
    if (refused := found.get("refused")) is None:
        version: dict[str, Any] = found["version"]
        return version
    code, message = Code(refused["code"]), str(refused["message"])
    if code is Code.UNAVAILABLE:
        raise Unavailable(message)
    if code in (Code.INVALID_ARGUMENT, Code.FAILED_PRECONDITION):
        raise FailedPrecondition(message)
    raise MeshError(message, code=code)
