"""`mesh serve`: a service on this machine, from its class to a URL."""

import re
import signal
import threading
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Self

import typer
import yaml
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from mesh.cli.ready import ready_text
from mesh.config import DeploymentConfig, MeshConfig, parse
from mesh.definition.loader import load
from mesh.definition.spec import service_spec
from mesh.errors import ConfigError
from mesh.serving.application import from_config
from mesh.serving.gateways import GRACE
from mesh.serving.run import Place, RunningMesh

LOOK_EVERY = 1.0
"""Seconds between two looks at the gateways."""


class LogLevel(StrEnum):
    """What is logged at least."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """The form of log lines: for people, or one JSON object each."""

    TEXT = "text"
    JSON = "json"


def serve(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="The entry service, as pkg.mod:Service; of BentoML as well.",
            show_default=False,
        ),
    ] = "",
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port for HTTP and gRPC.", min=1, max=65535)] = 3000,
    control_port: Annotated[
        int, typer.Option(help="Port of the control plane.", min=1, max=65535)
    ] = 3001,
    replicas: Annotated[
        int | None,
        typer.Option(
            help="Replicas of each service; else as it says itself.", min=1, show_default=False
        ),
    ] = None,
    gateways: Annotated[
        int, typer.Option(help="Gateway processes that share the port.", min=1, max=64)
    ] = 1,
    address: Annotated[
        str, typer.Option(help="Ray cluster to join; else one of its own.", show_default=False)
    ] = "",
    config: Annotated[
        Path | None,
        typer.Option(help="Deployment file, YAML or JSON.", show_default=False),
    ] = None,
    num_gpus: Annotated[
        int | None,
        typer.Option(
            help="Logical GPUs of its own Ray; else the machine's.", min=0, show_default=False
        ),
    ] = None,
    grpc_web_origin: Annotated[
        list[str] | None,
        typer.Option(
            help="Whose pages may call gRPC-Web, such as https://app.example.com, or *.",
            show_default=False,
        ),
    ] = None,
    grace: Annotated[
        int, typer.Option(help="Seconds that calls have to finish after Ctrl-C.", min=0)
    ] = GRACE,
    log_level: Annotated[
        LogLevel,
        typer.Option(help="Least severe lines of gateways and replicas.", case_sensitive=False),
    ] = LogLevel.INFO,
    log_format: Annotated[
        LogFormat, typer.Option(help="Form of log lines.", case_sensitive=False)
    ] = LogFormat.TEXT,
) -> None:
    """Serve a service and all that it depends on, until Ctrl-C.

    A deployment file says more: canaries, weights, replicas and resources of each service.
    """
    folder = str(Path.cwd())
    wanted = _mesh_config(target, config, replicas, folder)
    applications = [
        from_config(deployment, [folder], wanted.endpoints) for deployment in wanted.deployments
    ]
    place = Place(
        host=host,
        port=port,
        control_port=control_port,
        gateways=gateways,
        address=address,
        num_gpus=num_gpus,
        logs=log_format.value,
        log_level=log_level.value,
        web_origins=tuple(grpc_web_origin or ()),
        grace=grace,
    )
    console = Console(stderr=True, highlight=False)
    signals = _Signals()
    with _Steps(console) as steps, RunningMesh(place, steps.say) as mesh:
        signals.listen()  # Ray has put a handler of its own in place
        for application in applications:
            for warning in application.warnings:
                console.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
            mesh.deploy(application, steps.say)
        steps.end()
        signals.defer()
        console.print(ready_text(mesh, applications[0]), soft_wrap=True)
        while not signals.wanted.wait(LOOK_EVERY):
            for sentence in mesh.mend():
                console.print(Text(f"{sentence}; started again", "yellow"))
        signals.again = mesh.hurry
        steps.say(f"stopping: calls have {grace} s to finish, Ctrl-C again ends them")


def _mesh_config(target: str, file: Path | None, replicas: int | None, folder: str) -> MeshConfig:
    """What to serve, of the command line and the deployment file. Raises ConfigError."""
    if file is None:
        if not target:
            raise ConfigError("say what to serve: mesh serve pkg.mod:Service, or --config FILE")
        document = {}
    else:
        document = _read(file)
    what = str(file) if file is not None else "mesh serve"
    if target and "target" in document:
        raise ConfigError(f"{what} says what to serve: leave out TARGET")
    if "deployments" not in document:
        if target:
            document = {"target": target, **document}
        if "target" in document and "name" not in document:
            entry = load(str(document["target"]), [folder])
            document = {"name": deployment_name(service_spec(entry).name), **document}
        if replicas is not None:
            document["replicas"] = replicas
        return MeshConfig(deployments=[parse(DeploymentConfig, document, what=what)])
    if target or replicas is not None:
        raise ConfigError(f"{what} has deployments of its own: leave out TARGET and --replicas")
    return parse(MeshConfig, document, what=what)


def _read(file: Path) -> dict[str, Any]:
    try:
        # JSON is YAML.
        document = yaml.safe_load(file.read_text())
    except OSError as error:
        raise ConfigError(f"--config {file}: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        text = " ".join(str(error).split())
        raise ConfigError(f"--config {file}: not YAML or JSON: {text}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"--config {file}: expected keys and values at the top")
    return document


def deployment_name(service: str) -> str:
    """The name of a service as a DNS label: `DigitClassifier` is `digit-classifier`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "-", service)
    return words.strip("-").lower()[:63].rstrip("-")


class _Steps:
    """Says what is being done: a spinner on a terminal, else a line for each step."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("starting") if console.is_terminal else None
        self._last = ""

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def say(self, step: str) -> None:
        if step == self._last:
            return
        self._last = step
        if self._status is not None:
            self._status.update(Text(step))
        else:
            self._console.print(step, markup=False)

    def end(self) -> None:
        if self._status is not None:
            self._status.stop()


class _Signals:
    """SIGINT and SIGTERM: the first interrupts the start, or sets `wanted` once it is over.

    Later ones call `again`, once all is being stopped, and else change nothing.
    """

    def __init__(self) -> None:
        self.wanted = threading.Event()
        self.again: Callable[[], None] | None = None
        self._interrupts = True
        self.listen()

    def listen(self) -> None:
        """Takes the signals from now on, whoever took them before."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._take)

    def defer(self) -> None:
        """The start is over."""
        self._interrupts = False

    def _take(self, _: int, __: FrameType | None) -> None:
        if self.again is not None:
            self.again()
        self.wanted.set()
        if self._interrupts:
            self._interrupts = False
            raise KeyboardInterrupt
