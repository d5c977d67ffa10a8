"""Ports that are free, that are not, and hosts on which there is none."""

import socket
from pathlib import Path
from random import Random

import pytest

from mesh.errors import ConfigError
from mesh.ports import free_port, require_free


def test_a_free_port_is_one_that_the_system_gives_to_nobody() -> None:
    port = free_port("127.0.0.1")
    require_free("127.0.0.1", port, "--port")
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert not low <= port <= high


def test_a_port_where_somebody_listens_is_not_free() -> None:
    first = free_port("127.0.0.1", Random(1))
    with socket.create_server(("127.0.0.1", first)):
        assert free_port("127.0.0.1", Random(1)) != first


def test_a_port_that_is_taken_is_told_with_its_flag() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigError, match=f"--port {port}: cannot listen on 127.0.0.1: Addr"):
            require_free("127.0.0.1", port, "--port")


# Neither a name that nobody resolves, nor an address of another machine.
@pytest.mark.parametrize("host", ["nonsense.invalid", "192.0.2.1", "::1", "a b"])
def test_a_host_on_which_nobody_can_listen_is_told(host: str) -> None:
    for refused in (lambda: free_port(host), lambda: require_free(host, 3000, "--port")):
        with pytest.raises(ConfigError, match=f"--host {host}: not an IPv4 address of this mach"):
            refused()
