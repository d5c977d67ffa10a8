"""Ports of this machine: one that is free, and whether one is."""

import errno
import os
import socket

from mesh.errors import ConfigError


def free_port(host: str) -> int:
    """A port of `host` on which nobody listens now. Raises ConfigError for a wrong host."""
    try:
        with socket.create_server((host, 0)) as listener:
            return int(listener.getsockname()[1])
    except OSError as error:
        raise ConfigError(f"--host {host}: not an IPv4 address of this machine") from error


def require_free(host: str, port: int, flag: str) -> None:
    """Raises ConfigError naming `flag` (or the host) if nobody may listen on the port.

    Gateways share a port with each other, so the system itself would let a second mesh join in.
    """
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        # Below 0 are the resolver's numbers, of which `create_server` makes a plain OSError.
        if (error.errno or 0) < 0 or error.errno == errno.EADDRNOTAVAIL:
            raise ConfigError(f"--host {host}: not an IPv4 address of this machine") from error
        # The error's own text names the address once more.
        reason = os.strerror(error.errno) if error.errno else error
        raise ConfigError(f"{flag} {port}: cannot listen on {host}: {reason}") from error
