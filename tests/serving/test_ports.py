"""Ports that are free, that are not, and hosts on which there is none."""

import socket

import pytest

from mesh.errors import ConfigError
from mesh.serving.ports import free_port, require_free


def test_a_free_port_may_be_had() -> None:
    require_free("127.0.0.1", free_port("127.0.0.1"), "--port")


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
