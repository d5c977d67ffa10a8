"""A Ray of one's own: only as much of it as a mesh needs, and gone with the program."""

import os
import secrets
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import PurePath
from types import MappingProxyType

import psutil

SETTINGS = {
    # Ray starts workers at nice 15: under load, replicas would starve.
    "RAY_worker_niceness": "0",
    # No processes that wait for work which never comes.
    "RAY_prestart_worker_first_driver": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Environment in which Ray is started."""

OPTIONAL = (
    "ray/autoscaler/_private/monitor.py",
    "ray/autoscaler/v2/monitor.py",
    "ray/_private/log_monitor.py",
    "ray/dashboard/dashboard.py",
)
"""Programs that Ray starts beside its core and does without: the autoscaler's monitor, which has
nothing to scale on one machine; the log monitor, which copies logs to a driver that does not ask
for them; and what is left of the dashboard when there is none. 50 to 65 MB each."""

KEY = "MESH_SECRET_KEY"
"""The variable that has the secret key of the store."""
SECRETS = (KEY, "MESH_CONTROL_TOKEN", "MESH_OIDC_CLIENT_SECRET")
"""Variables that are for the control plane alone. Whatever Ray starts inherits its environment, and
so would the code of users."""

END_WAIT = 5.0
"""Seconds that processes have to end by themselves."""


@contextmanager
def environment(
    more: Mapping[str, str] = MappingProxyType({}),
    environ: MutableMapping[str, str] = os.environ,
) -> Iterator[None]:
    """`SETTINGS` and `more` in `environ`, where the user has not set them, for a while.

    `SECRETS` are not there meanwhile.
    """
    wanted = {**SETTINGS, **more}
    added = {name: value for name, value in wanted.items() if name not in environ}
    hidden = {name: environ.pop(name) for name in SECRETS if name in environ}
    environ.update(added)
    try:
        yield
    finally:
        for name in added:
            environ.pop(name, None)
        environ.update(hidden)


def own_token(environ: MutableMapping[str, str] = os.environ) -> None:
    """Gives Ray a token that only this program and what it starts know.

    A new local Ray asks for a token; without one it would write one to the user's home, to be
    shared with every other Ray there. It reads this one once, so it stays in `environ`. What the
    user has set holds.
    """
    if "RAY_AUTH_TOKEN_PATH" not in environ:
        environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def drop_optional() -> None:
    """Ends the `OPTIONAL` children of this process. Ray goes on, and shuts down without them."""
    needless = [child for child in children() if _is_optional(child)]
    for child in needless:
        child.kill()
    psutil.wait_procs(needless, END_WAIT)


def _is_optional(process: psutil.Process) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return any(PurePath(word).match(program) for word in words[1:3] for program in OPTIONAL)


def children() -> list[psutil.Process]:
    """The processes that this one has started."""
    return psutil.Process().children()


def families(roots: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Those of `roots` that still run, and all that they have started."""
    found = []
    for process in roots:
        with suppress(psutil.NoSuchProcess):
            found += [process, *process.children(recursive=True)]
    return found


def wait_gone(processes: list[psutil.Process]) -> None:
    """Waits until `processes` have ended; ends those that take too long."""
    _, left = psutil.wait_procs(processes, END_WAIT)
    for process in left:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(left, END_WAIT)
