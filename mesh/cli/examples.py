"""What could be typed: shown below the help of a command."""

from collections.abc import Mapping
from typing import Any

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "serve": ("mesh serve app:Classifier", "mesh serve --config mesh.yaml --port 8000"),
    "up": ("mesh up --gateways 2", "mesh up --store postgresql://USER:PASSWORD@HOST/DB"),
    "login": ("mesh login https://mesh.example.com --browser",),
    "deploy": (
        "mesh deploy app:Classifier --replicas 2 --env LOG=debug",
        "mesh deploy mesh.yaml",
        "mesh deploy classifier:1.0 --name classifier-eu",
    ),
    "build": ("mesh build app:Classifier --version 1.0",),
    "push": ("mesh push classifier:1.0",),
    "pull": ("mesh pull classifier",),
    "releases": ("mesh releases --remote",),
    "deployment list": ("mesh deployment list --label team=vision --json",),
    "deployment labels": ("mesh deployment labels classifier team=vision stage=prod",),
    "deployment logs": ("mesh deployment logs classifier --follow",),
    "deployment rollback": ("mesh deployment rollback classifier 3",),
    "endpoint set": ("mesh endpoint set front blue=90 green=10",),
    "canary set": ("mesh canary set classifier v2=20",),
    "member add": ("mesh member add ada grace --role admin",),
    "member invite": ("mesh member invite ada@example.com --role developer",),
    "member set": ("mesh member set ada guest",),
    "quota set": ("mesh quota set small deployment_count=10 resource_gpu_limit=4",),
    "quota assign": ("mesh quota assign research small",),
    "secret create": (
        "mesh secret create openai API_KEY=-",
        "mesh secret create certificates --type file --from-file ca.pem=./ca.pem",
    ),
    "simulate": ("mesh simulate load.csv --config mesh.yaml --out scaling.png",),
    "standby set": ("mesh standby set cpu.1=2",),
    "token create": (
        "mesh token create --name ci --expires 30d --scope write_cluster",
        "mesh token create --name app --deployment classifier",
    ),
    "user add": ("mesh user add ada --email ada@example.com",),
    "call": ("mesh call classifier.predict text=hello n=5", "mesh call predict image=@cat.png"),
    "describe": ("mesh describe app:Classifier", "mesh describe http://localhost:3000/e/front"),
    "proto": ("mesh proto app:Classifier --out protos",),
    "client-stub": ("mesh client-stub app:Classifier --out classifier.pyi",),
}
"""Commands as they may be typed, by what they are of."""


def with_examples(command: Any, name: str) -> Any:
    """A command of typer, and each that it has, with what could be typed at the end of its help."""
    for part, inner in getattr(command, "commands", {}).items():
        with_examples(inner, f"{name} {part}")
    if found := EXAMPLES.get(name):
        command.epilog = "\n".join(("For example:", *found))
    return command
