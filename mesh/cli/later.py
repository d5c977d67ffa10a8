"""Commands that are loaded when they are used: `mesh --help` loads none of what they need."""

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

from mesh.cli.examples import with_examples

HOMES: Mapping[str, str] = {
    "serve": "mesh.cli.serve:serve",
    "up": "mesh.cli.up:up",
    "down": "mesh.cli.up:down",
    "status": "mesh.cli.up:status",
    "login": "mesh.cli.login:login",
    "logout": "mesh.cli.login:logout",
    "token": "mesh.cli.token:app",
    "deploy": "mesh.cli.deploy:deploy",
    "build": "mesh.cli.build:build",
    "push": "mesh.cli.push:push",
    "pull": "mesh.cli.push:pull",
    "releases": "mesh.cli.releases:releases",
    "deployment": "mesh.cli.deployment:app",
    "endpoint": "mesh.cli.endpoint:app",
    "secret": "mesh.cli.secret:app",
    "instance-type": "mesh.cli.instance_type:app",
    "quota": "mesh.cli.quota:app",
    "user": "mesh.cli.user:app",
    "member": "mesh.cli.member:app",
    "canary": "mesh.cli.canary:app",
    "replicas": "mesh.cli.replicas:replicas",
    "standby": "mesh.cli.standby:app",
    "simulate": "mesh.cli.simulate:simulate",
    "call": "mesh.cli.call:call",
    "describe": "mesh.cli.describe:describe",
    "client-stub": "mesh.cli.client_stub:client_stub",
    "proto": "mesh.cli.proto:proto",
}
"""The function of each command, or the application of its subcommands."""


class Later(TyperCommand):
    """A command by its name and help only; what it does is loaded when it is run or completed."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """As of the command itself."""
        return loaded(self.name or "").make_context(*args, **kwargs)

    def parse_args(self, *args: Any, **kwargs: Any) -> Any:
        """As of the command itself."""
        return loaded(self.name or "").parse_args(*args, **kwargs)


def loaded(name: str) -> Any:
    """The command of that name itself."""
    found = resolve_name(HOMES[name])
    if isinstance(found, typer.Typer):
        return with_examples(get_command(found), name)
    single = typer.Typer(add_completion=False)
    single.command(name)(found)
    return with_examples(get_command(single), name)
