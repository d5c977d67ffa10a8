"""What `mesh serve` says of a BentoML service that it cannot run: one line, and exit code 1."""

import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from mesh.cli.main import main


class Refusal(NamedTuple):
    """A module, and what is said of its service `Main`."""

    source: str
    message: str


HEAD = "import bentoml\n"
ECHO = "    @bentoml.api\n    def echo(self, x: int) -> int: return x\n"
CASES = {
    "task": Refusal(
        f"@bentoml.service\nclass Main:\n{ECHO}"
        "    @bentoml.task\n    def later(self, x: int) -> int: return x\n",
        "Main cannot run on the mesh: later is a @bentoml.task",
    ),
    "mounted": Refusal(
        f"@bentoml.asgi_app(lambda *_: None, path='/app')\n@bentoml.service\nclass Main:\n{ECHO}",
        "Main cannot run on the mesh: an ASGI or WSGI application is mounted at /app",
    ),
    "middleware": Refusal(
        "class Timer:\n    def __init__(self, app): ...\n"
        f"@bentoml.service\nclass Main:\n{ECHO}Main.add_asgi_middleware(Timer)\n",
        "Main cannot run on the mesh: it has the ASGI middleware Timer",
    ),
    "cmd": Refusal(
        f"@bentoml.service(cmd=['serve-it'])\nclass Main:\n{ECHO}",
        "Main cannot run on the mesh: it runs a command of its own (cmd, __command__)",
    ),
    "command": Refusal(
        f"@bentoml.service\nclass Main:\n    def __command__(self): return ['serve-it']\n{ECHO}",
        "Main cannot run on the mesh: it runs a command of its own (cmd, __command__)",
    ),
    "url": Refusal(
        f"@bentoml.service\nclass Main:\n    far = bentoml.depends(url='http://a.example')\n{ECHO}",
        "Main cannot run on the mesh: far depends on a URL",
    ),
    "deployment": Refusal(
        f"@bentoml.service\nclass Main:\n    far = bentoml.depends(deployment='other')\n{ECHO}",
        "Main cannot run on the mesh: far depends on a deployment of another system",
    ),
    "below": Refusal(
        f"@bentoml.service(cmd=['serve-it'])\nclass Low:\n{ECHO}"
        f"@bentoml.service\nclass Main:\n    low = bentoml.depends(Low)\n{ECHO}",
        "Low cannot run on the mesh: it runs a command of its own (cmd, __command__)",
    ),
    "ssl": Refusal(
        f"@bentoml.service(ssl={{'enabled': True}})\nclass Main:\n{ECHO}",
        "Main cannot run on the mesh: ssl is enabled (the gateway's listener speaks plain HTTP)",
    ),
    "setting": Refusal(
        f"@bentoml.service(traffic={{'timeout': -1}})\nclass Main:\n{ECHO}",
        "Main: traffic.timeout: input should be greater than 0",
    ),
    "workers": Refusal(
        f"@bentoml.service(workers='many')\nclass Main:\n{ECHO}",
        "Main: workers: 'many' is no number and not 'cpu_count'",
    ),
    "variable": Refusal(
        f"@bentoml.service(envs=[{{'name': 'OF_NOBODY'}}])\nclass Main:\n{ECHO}",
        "Main: the environment variable OF_NOBODY must be set, because the service gives it no"
        " value",
    ),
    "cors": Refusal(
        f"@bentoml.service(http={{'cors': {{'enabled': True}}}})\nclass Main:\n{ECHO}",
        "Main: http.cors is enabled without access_control_allow_origins",
    ),
    "origins": Refusal(
        "@bentoml.service(http={'cors': {'enabled': True, 'access_control_allow_origins': [],"
        f" 'access_control_allow_origin_regex': '('}}}})\nclass Main:\n{ECHO}",
        "Main: http.cors.access_control_allow_origin_regex: missing ), unterminated subpattern at"
        " position 0",
    ),
    "namespace": Refusal(
        f"@bentoml.service(metrics={{'namespace': 'my shop'}})\nclass Main:\n{ECHO}",
        "Main: metrics.namespace: 'my shop' is no beginning of a metric's name",
    ),
    "methodless": Refusal(
        "@bentoml.service\nclass Main:\n    pass\n",
        "Main cannot run on the mesh: Main has no method marked with @bentoml.api",
    ),
    "twice": Refusal(
        "@bentoml.service\nclass Main:\n"
        "    @bentoml.api(route='/a')\n    def one(self) -> int: return 1\n"
        "    @bentoml.api(route='/a')\n    def two(self) -> int: return 2\n",
        "Main cannot run on the mesh: two has the route /a of one",
    ),
    "names": Refusal(
        f"@bentoml.service(name='Low')\nclass One:\n{ECHO}"
        f"@bentoml.service(name='Low')\nclass Two:\n{ECHO}"
        "@bentoml.service\nclass Main:\n"
        f"    one = bentoml.depends(One)\n    two = bentoml.depends(Two)\n{ECHO}",
        "two services are called 'Low': refused_names.One and refused_names.Two",
    ),
    "plain": Refusal(
        "class Main:\n    pass\n",
        "'Main' in module 'refused_plain' is not a service: decorate with @mesh.service",
    ),
    "broken": Refusal(
        f"@bentoml.service\nclass Main:\n{ECHO}raise OSError('no disk')\n",
        "cannot import 'refused_broken': OSError: no disk",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_run_is_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, message = CASES[name]
    module = f"refused_{name}"
    Path(tmp_path, f"{module}.py").write_text(HEAD + source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("OF_NOBODY", raising=False)
    monkeypatch.setattr(sys, "argv", ["mesh", "serve", f"{module}:Main"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    (line,) = [each for each in capsys.readouterr().err.splitlines() if each.startswith("error: ")]
    assert message in line
