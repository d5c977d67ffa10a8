"""Options of the commands that start a mesh."""

from typing import Annotated

import typer

from mesh.cli.logs import LogFormat, LogLevel

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(help="Port for HTTP and gRPC.", min=1, max=65535)]
ControlPort = Annotated[int, typer.Option(help="Port of the control plane.", min=1, max=65535)]
Gateways = Annotated[
    int, typer.Option(help="Gateway processes that share the port.", min=1, max=64)
]
Address = Annotated[
    str, typer.Option(help="Ray cluster to join; else one of its own.", show_default=False)
]
Cpus = Annotated[
    int | None,
    typer.Option(
        help="Logical CPUs of its own Ray; else the machine's.", min=1, show_default=False
    ),
]
Gpus = Annotated[
    int | None,
    typer.Option(
        help="Logical GPUs of its own Ray; else the machine's.", min=0, show_default=False
    ),
]
Origins = Annotated[
    list[str] | None,
    typer.Option(
        help="Whose pages may call gRPC-Web, such as https://app.example.com, or *.",
        show_default=False,
    ),
]
Releases = Annotated[
    str,
    typer.Option(
        metavar="URL",
        help="What keeps releases: a folder, s3://BUCKET/PREFIX; else beside the store.",
        show_default=False,
    ),
]
PublicUrl = Annotated[
    str,
    typer.Option(
        metavar="URL",
        help="Where callers reach the mesh; a * in it stands for a deployment's name.",
        show_default=False,
    ),
]
Level = Annotated[
    LogLevel,
    typer.Option(help="Least severe lines of gateways and replicas.", case_sensitive=False),
]
Form = Annotated[LogFormat, typer.Option(help="Form of log lines.", case_sensitive=False)]
