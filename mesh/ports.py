"""Ports of this machine: one that is free, and whether one is."""

import errno
import os
import socket
from pathlib import Path
from random import Random

from mesh.errors import ConfigError

FIRST, LAST = 20000, 29999
"""Between these a free port is looked for: above those of Ray's workers (10002 to 19999), below
those of Kubernetes' nodes (30000 to 32767) and those that systems give out themselves."""
_TRIES = 100
_GIVEN_OUT = Path("/proc/sys/net/ipv4/ip_local_port_range")
_RNG = Random()  # noqa: S311  # for ports that others do not try just now


def free_port(host: str, rng: Random = _RNG) -> int:
    """A port of `host` on which nobody listens now. Raises ConfigError for a wrong host.

    The system gives it to nobody who asks for any port, nor as the near end of a connection, so it
    stays free until somebody asks for it by its number.
    """
    for port in _kept(rng):
        try:
            socket.create_server((host, port)).close()
            return port
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ConfigError(_is_wrong(host)) from error
    try:
        with socket.create_server((host, 0)) as listener:
            return int(listener.getsockname()[1])
    except OSError as error:
        raise ConfigError(_is_wrong(host)) from error


def _kept(rng: Random) -> list[int]:
    """Some that the system does not give out by itself, in any order; none if it gives all."""
    try:
        low, high = map(int, _GIVEN_OUT.read_text().split())
    except (OSError, ValueError):  # no Linux
        low, high = 32768, 65535
    kept = [port for port in range(FIRST, LAST + 1) if not low <= port <= high]
    return rng.sample(kept, min(_TRIES, len(kept)))


def require_free(host: str, port: int, flag: str) -> None:
    """Raises ConfigError naming `flag` (or the host) if nobody may listen on the port.

    Gateways share a port with each other, so the system itself would let a second mesh join in.
    """
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        # Below 0 are the resolver's numbers, of which `create_server` makes a plain OSError.
        if (error.errno or 0) < 0 or error.errno == errno.EADDRNOTAVAIL:
            raise ConfigError(_is_wrong(host)) from error
        # The error's own text names the address once more.
        reason = os.strerror(error.errno) if error.errno else error
        raise ConfigError(f"{flag} {port}: cannot listen on {host}: {reason}") from error


def _is_wrong(host: str) -> str:
    return f"--host {host}: not an IPv4 address of this machine"
