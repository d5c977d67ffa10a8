"""Commands over the control API: what they write, their exit codes, what a shell completes."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.main import get_command
from typer.testing import CliRunner

from mesh.cli.examples import EXAMPLES
from mesh.cli.later import HOMES, loaded
from mesh.cli.main import COMMANDS, app
from mesh.cli.remote import ago
from mesh.cli.rollout import serves_on, wait
from mesh.client.control.client import ControlClient
from mesh.client.control.values import DeploymentView, ReplicaView, VersionView
from mesh.errors import MeshError
from tests.client.control.breaking import Breaks, between
from tests.faces.rest.memory import MemoryVerbs
from tests.faces.rest.server import TOKEN, serving

ROOT = Path(__file__).parent.parent.parent
SHELF = "tests.client.control.shelf:BookShelf"
FILE = f"""
endpoints:
  front:
    deployments: {{a: 3, b: 1}}
    upstreams: [{{url: "https://x.example", api_key: s3cret}}]
deployments:
  - {{name: a, target: "{SHELF}"}}
  - name: b
    target: "{SHELF}"
    canary: {{versions: {{v2: {{target: "{SHELF}", weight: 20}}}}}}
"""


class Shell:
    """Runs commands against a control API; `json` and `text` want exit code 0."""

    def __init__(self, url: str, verbs: MemoryVerbs) -> None:
        self.verbs = verbs
        self.env = {"MESH_CONTROL_URL": url, "MESH_CONTROL_TOKEN": TOKEN, "COLUMNS": "120"}

    def run(self, *arguments: str, **more: Any) -> Any:
        return CliRunner(env=self.env).invoke(app, list(arguments), **more)

    def text(self, *arguments: str, **more: Any) -> str:
        result = self.run(*arguments, **more)
        assert result.exit_code == 0, result.output
        return str(result.stdout)

    def json(self, *arguments: str) -> Any:
        return json.loads(self.text(*arguments, "--json"))

    def error(self, *arguments: str) -> str:
        result = self.run(*arguments)
        assert result.exit_code == 1, result.output
        assert result.stdout == ""
        return str(result.stderr)

    def complete(self, *words: str) -> list[str]:
        """What bash is offered for the last word."""
        env = {
            **self.env,
            "_MESH_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(("mesh", *words)),
            "COMP_CWORD": str(len(words)),
        }
        result = CliRunner(env=env).invoke(app, [], prog_name="mesh")
        return str(result.stdout).split()


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    monkeypatch.chdir(ROOT)
    verbs = MemoryVerbs()
    with serving(verbs) as url:
        yield Shell(url, verbs)


@pytest.fixture
def filled(shell: Shell, tmp_path: Path) -> Shell:
    """With the deployments a and b, and the endpoint front over them."""
    file = tmp_path / "mesh.yaml"
    file.write_text(FILE)
    shell.json("deploy", str(file))
    return shell


def test_deploying_a_target_tells_how_it_goes_and_what_runs(shell: Shell) -> None:
    result = shell.run("deploy", SHELF, "--replicas", "2", "--env", "A=1", "--label", "team=a")
    assert result.exit_code == 0, result.output
    assert result.stderr == "book-shelf revision 1: running, 2 of 2 replicas ready\n"
    assert "main      100%     Main      2/2" in result.stdout
    view = shell.json("deployment", "get", "book-shelf")
    assert (view["config"]["envs"], view["labels"]) == ({"A": "1"}, {"team": "a"})
    assert view["config"]["target"] == SHELF


@pytest.mark.parametrize("breaks", Breaks)
def test_a_controller_that_is_killed_while_it_is_asked_is_waited_for(
    shell: Shell, breaks: Breaks
) -> None:
    with between(shell.env["MESH_CONTROL_URL"]) as server:
        shell.env["MESH_CONTROL_URL"] = server.url
        server.breaks = [breaks]
        result = shell.run("deploy", SHELF)
        assert result.exit_code == 0, result.output
        told = f"the control API at {server.url} does not answer: Server disconnected without"
        assert result.stderr.startswith(told)
        assert "waiting for it, 30 s at most\nbook-shelf revision 1: running" in result.stderr
        assert len(shell.json("deployment", "revisions", "book-shelf")) == 1
        server.breaks = [breaks]
        assert "look before you do it again" in shell.error("deployment", "restart", "book-shelf")


def test_on_a_terminal_services_are_shown_as_they_get_ready(shell: Shell) -> None:
    shell.json("deploy", SHELF, "--no-wait")
    console = Console(file=StringIO(), force_terminal=True, width=100)
    with ControlClient(shell.env["MESH_CONTROL_URL"], TOKEN) as client:
        assert wait(client, "book-shelf", 1, 10, console).status == "running"
    written = console.file.getvalue()  # type: ignore[attr-defined]  # as given above
    assert "book-shelf" in written
    assert "1/1" in written


def test_options_of_deploy_are_settings(shell: Shell) -> None:
    options = ["--name", "s", "--min", "0", "--max", "4", "--strategy", "Recreate"]
    view = shell.json("deploy", SHELF, *options, "--no-wait")
    assert view["name"] == "s"
    assert view["config"]["scaling"]["min_replicas"] == 0
    assert view["config"]["scaling"]["max_replicas"] == 4
    assert view["config"]["deployment_strategy"] == "Recreate"


def test_a_deployment_is_protected_and_whoever_opens_it_again_is_told(shell: Shell) -> None:
    view = shell.json("deploy", SHELF, "--access-authorization", "--no-wait")
    assert view["config"]["access_authorization"] is True
    assert "protected" in shell.run("deployment", "get", "book-shelf").stdout
    again = shell.run("deploy", SHELF, "--access-authorization", "--no-wait")
    assert "warning" not in again.stderr
    opened = shell.run("deploy", SHELF, "--no-wait")
    assert "book-shelf is not protected any more" in opened.stderr
    assert "protected" not in shell.run("deployment", "get", "book-shelf").stdout


def test_a_file_deploys_all_that_it_says_and_then_its_endpoints(filled: Shell) -> None:
    listed = filled.json("deployment", "list")
    assert [(each["name"], each["status"]) for each in listed] == [
        ("a", "running"),
        ("b", "running"),
    ]
    (front,) = filled.json("endpoint", "list")
    assert (front["config"]["deployments"], front["keyed"]) == ({"a": 3, "b": 1}, [0])
    assert "s3cret" not in filled.text("endpoint", "get", "front", "--json")


def test_a_deployment_that_cannot_start_ends_with_the_reason(shell: Shell) -> None:
    shell.verbs.fails.add(SHELF)
    result = shell.run("deploy", SHELF)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1] == (
        "error: 'book-shelf' is failed: main: Main: ImportError: no such module"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["deploy", SHELF, "--replicas", "2", "--max", "3"], "leave out --min and --max"),
        (["deploy", SHELF, "--env", "A"], "give --env KEY=VALUE"),
        (["canary", "set", "b", "v2=half"], "give VERSION=WEIGHT in per cent"),
        (["endpoint", "set", "front", "a"], "give DEPLOYMENT=WEIGHT"),
        (["deployment", "delete", "a"], "There is no terminal to ask on: say --yes"),
        (["deployment", "labels", "a", "x=y", "--clear"], "leave out KEY=VALUE"),
    ],
)
def test_what_is_typed_wrongly_is_said(filled: Shell, arguments: list[str], said: str) -> None:
    result = filled.run(*arguments)
    assert isinstance(result.exception, MeshError)  # main() ends with 2 for it
    assert said in result.exception.message


def test_deployments_are_a_table_for_people(filled: Shell) -> None:
    text = filled.text("deployment", "list", "--search", "b")
    heading, _, row = (line for line in text.splitlines() if line.strip())
    assert heading.split() == [
        "deployment", "status", "ready", "revision", "versions", "changed", "reason",
    ]  # fmt: skip
    assert row.split()[:7] == ["b", "running", "2/2", "1", "main", "80%,", "v2"]
    assert "no deployments" in filled.text("deployment", "list", "--search", "z")
    assert filled.json("deployment", "list", "--label", "team=x") == []


def test_a_deployment_is_gone_back_restarted_stopped_and_deleted(filled: Shell) -> None:
    filled.json("deploy", SHELF, "--name", "a", "--replicas", "3", "--cause", "more load")
    newest, first = filled.json("deployment", "revisions", "a")
    assert (newest["cause"], newest["current"], first["number"]) == ("more load", True, 1)
    assert "more load" in filled.text("deployment", "revisions", "a")
    assert filled.json("deployment", "rollback", "a")["revision"] == 3
    assert "no revision before the first" in filled.error("deployment", "rollback", "b")
    assert filled.json("deployment", "rollback", "a", "2")["revision"] == 4
    assert filled.json("deployment", "restart", "a")["revision"] == 5
    assert filled.json("deployment", "labels", "a", "x=y")["labels"] == {"x": "y"}
    assert filled.json("deployment", "labels", "a")["labels"] == {"x": "y"}
    assert "x" in filled.text("deployment", "labels", "a")
    assert filled.json("deployment", "terminate", "a", "--yes")["status"] == "terminating"
    assert filled.json("deployment", "start", "a")["status"] == "running"
    assert "rollback to 1" in filled.text("deployment", "events", "a")
    (event,) = filled.json("deployment", "events", "a", "--count", "1")
    assert (event["reason"], event["by"]) == ("labels", "owner")
    heading, _, row = filled.text("deployment", "events", "a", "--count", "1").strip().splitlines()
    assert heading.split() == ["at", "revision", "event", "by", "reason"]
    assert row.split()[-3:] == ["change", "owner", "labels"]
    assert filled.json("deployment", "delete", "a", "--yes") == {"deleted": "a"}
    assert filled.error("deployment", "get", "a") == "error: there is no deployment 'a'\n"


def test_replicas_are_told_of_one_or_of_all(filled: Shell) -> None:
    assert [each["id"] for each in filled.json("replicas")] == ["a-0", "b-0"]
    assert [each["id"] for each in filled.json("replicas", "b")] == ["b-0"]
    assert "b-0" in filled.text("replicas")
    assert filled.error("replicas", "none") == "error: there is no deployment 'none'\n"


def test_logs_have_the_replica_before_each_line(filled: Shell) -> None:
    filled.verbs.written["a-0"] = "one\n\x1b[2Jtwo\n"
    assert filled.text("deployment", "logs", "a") == "a-0  one\na-0  ␛[2Jtwo\n"
    assert filled.text("deployment", "logs", "a", "--replica", "a-0").startswith("one\n")
    lines = filled.text("deployment", "logs", "a", "--json").splitlines()
    assert json.loads(lines[0]) == {"replica": "a-0", "line": "one"}


def test_canaries_are_set_looked_at_promoted_and_aborted(filled: Shell) -> None:
    def weights(view: Any) -> dict[str, int]:
        return {each["name"]: each["weight"] for each in view["versions"]}

    assert weights(filled.json("canary", "set", "b", "v2=50%")) == {"main": 50, "v2": 50}
    assert weights(filled.json("canary", "status", "b")) == {"main": 50, "v2": 50}
    text = filled.text("canary", "status", "b")
    assert "10.00%" in text
    assert "by random; progression of v2 aborted, step 2 of 2 for" in text
    assert "too many errors" in text
    assert "30 ms" in text
    assert weights(filled.json("canary", "abort", "b")) == {"main": 100, "v2": 0}
    assert weights(filled.json("canary", "promote", "b", "v2")) == {"main": 100}
    assert "has no canary 'v2'" in filled.error("canary", "promote", "b", "v2")


def test_what_an_endpoint_names_that_is_not_there_is_told(filled: Shell, tmp_path: Path) -> None:
    assert "warning" not in filled.text("endpoint", "list")
    rule = "{headers: {x-try: {present: true}}, deployment: a, version: v9}"
    file = tmp_path / "endpoint.yaml"
    file.write_text(f"name: one\ndeployments: {{a: 1, b: 1}}\nrules: [{rule}]\n")
    missing = "rules.0.version: deployment 'a' has no version 'v9'"
    assert f"warning: one: {missing}\n" in filled.text("endpoint", "apply", str(file))
    filled.json("deployment", "delete", "b", "--yes")
    gone = "deployments: there is no deployment 'b' any more"
    for command in (("get", "one"), ("list",), ("terminate", "one", "--yes"), ("start", "one")):
        told = filled.text("endpoint", *command)
        assert f"warning: one: {gone}\nwarning: one: {missing}\n" in told
    assert f"warning: front: {gone}\n" in filled.text("endpoint", "list")
    assert filled.json("endpoint", "get", "one")["warnings"] == [gone, missing]


def test_a_file_whose_endpoint_names_a_version_that_is_not_there_is_deployed_with_a_warning(
    shell: Shell, tmp_path: Path
) -> None:
    file = tmp_path / "mesh.yaml"
    rule = "rules: [{headers: {x-try: {present: true}}, deployment: a, version: v9}]"
    file.write_text(FILE.replace("    deployments: {a", f"    {rule}\n    deployments: {{a"))
    result = shell.run("deploy", str(file))
    assert result.exit_code == 0, result.output
    told = "warning: endpoint front: rules.0.version: deployment 'a' has no version 'v9'"
    assert told in result.stderr


def test_endpoints_are_made_changed_stopped_and_deleted(filled: Shell, tmp_path: Path) -> None:
    changed = filled.json("endpoint", "set", "front", "a=1", "b=9")
    assert (changed["config"]["deployments"], changed["keyed"]) == ({"a": 1, "b": 9}, [0])
    assert filled.json("endpoint", "set", "new", "b=1")["config"]["upstreams"] == []
    file = tmp_path / "endpoint.yaml"
    file.write_text("name: one\ndeployments: {a: 1}\nload_balance: capacity\n")
    (one,) = filled.json("endpoint", "apply", str(file))
    assert (one["name"], one["config"]["load_balance"]) == ("one", "capacity")
    assert filled.json("endpoint", "terminate", "one", "--yes")["intent"] == "terminate"
    assert "terminated" in filled.text("endpoint", "list")
    assert filled.json("endpoint", "start", "one")["intent"] == "run"
    assert filled.json("endpoint", "delete", "one", "--yes") == {"deleted": "one"}
    assert filled.error("endpoint", "get", "one") == "error: there is no endpoint 'one'\n"


def test_a_mesh_elsewhere_is_told_in_numbers(filled: Shell) -> None:
    found = filled.json("status", "--url", filled.env["MESH_CONTROL_URL"])
    assert (found["running"], found["mesh"]) == (True, None)
    assert found["status"]["deployments"] == {"running": 2}
    assert "2 running" in filled.text("status")


def test_where_no_mesh_runs_status_says_so(tmp_path: Path) -> None:
    env = {"MESH_HOME": str(tmp_path / "none"), "MESH_CONTROL_URL": None}
    result = CliRunner(env=env).invoke(app, ["status", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"running": False, "mesh": None, "status": None}
    result = CliRunner(env=env).invoke(app, ["down", "--json"])
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"stopped": False})


def test_a_wrong_token_is_an_error_of_one_line(shell: Shell) -> None:
    error = shell.error("replicas", "--token", "wrong")
    assert error.startswith("error: this is not the token of the control plane")
    assert len(error.splitlines()) == 1


def test_a_shell_completes_commands_and_names(filled: Shell) -> None:
    assert filled.complete("dep") == ["deploy", "deployment"]
    assert filled.complete("deployment", "re") == ["revisions", "restart"]
    assert filled.complete("deployment", "get", "") == ["a", "b"]
    assert filled.complete("canary", "status", "b") == ["b"]
    assert filled.complete("endpoint", "get", "f") == ["front"]
    assert "--replicas" in filled.complete("deploy", "--re")


def test_a_shell_is_offered_nothing_where_nobody_answers(shell: Shell) -> None:
    shell.env["MESH_CONTROL_URL"] = "http://127.0.0.1:1"
    assert shell.complete("deployment", "get", "") == []
    for wrong in ("ftp://127.0.0.1", "http://[", "http://:x"):
        shell.env["MESH_CONTROL_URL"] = wrong
        assert shell.complete("deployment", "get", "") == []


def test_a_token_that_is_empty_is_no_token_at_all(shell: Shell) -> None:
    result = shell.run("deployment", "list", "--token", "")
    assert result.exit_code == 2
    assert "it is empty" in result.stderr


def test_every_command_says_in_the_list_what_it_says_itself() -> None:
    assert COMMANDS.keys() == HOMES.keys()
    listed = get_command(app).commands  # type: ignore[attr-defined]  # a group
    for name in HOMES:
        said = " ".join((loaded(name).help or "").split())
        assert said.startswith(listed[name].help.rstrip(".")), name


def view(*ids: str) -> DeploymentView:
    now = datetime.now(UTC)
    versions = tuple(VersionView(each, each, 0, ()) for each in ids)
    return DeploymentView("a", "", now, now, 1, "run", "failed", "", {}, {}, versions)


def replica(version: str, phase: str = "ready") -> ReplicaView:
    return ReplicaView("r", "a", version, "S", phase, "", "")


def test_replicas_of_before_serve_on_while_any_is_ready() -> None:
    assert serves_on(view("new"), [replica("old"), replica("new")])
    assert not serves_on(view("new"), [replica("old", "draining"), replica("new")])
    assert not serves_on(view("new"), [])


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "0s"), (59, "59s"), (60, "1m"), (7300, "2h"), (200_000, "2d")]
)
def test_ages_are_in_one_unit(seconds: int, expected: str) -> None:
    now = datetime.now(UTC)
    assert ago(now - timedelta(seconds=seconds), now) == expected


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_help_shows_as_an_example_can_be_typed(name: str) -> None:
    command, *rest = name.split()
    shown = CliRunner(env={"COLUMNS": "140"}).invoke(app, [*name.split(), "--help"])
    for example in EXAMPLES[name]:
        assert example in shown.stdout
        words = example.removeprefix(f"mesh {command} ").split()
        assert words[: len(rest)] == rest
        group = loaded(command)
        found = group.commands[rest[0]] if rest else group
        found.make_context(name, words[len(rest) :])


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_what_is_no_name_leads_nowhere_else(shell: Shell, name: str) -> None:
    assert f"{name!r} is no name" in shell.error("deployment", "delete", name, "--yes")
    assert f"{name!r} is no name" in shell.error("endpoint", "get", name)


def test_a_token_that_cannot_be_one_is_told_as_that(shell: Shell) -> None:
    told = shell.error("deployment", "list", "--token", "s\u00e9cret")
    assert "the token has characters that no token has" in told
    assert "s\u00e9cret" not in told


def test_a_file_that_is_no_yaml_is_told_by_line_and_column(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("name: a\nenvs: [1\n")
    result = shell.run("deploy", str(tmp_path / "x.yaml"))
    assert "x.yaml: not YAML or JSON: line 3, column 1: expected ',' or ']'" in str(
        result.exception
    )


def test_nothing_to_deploy_is_told(shell: Shell) -> None:
    assert "say what to deploy: pkg.mod:Service" in str(shell.run("deploy", "").exception)
