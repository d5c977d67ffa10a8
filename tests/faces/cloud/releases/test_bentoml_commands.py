"""The real `bentoml` at work on secrets, tokens and instance types."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mesh.control.store.catalogue import Kind
from tests.faces.cloud.bento_client import BentoClient
from tests.faces.cloud.rig import TOKEN, Rig


@pytest.fixture
def bentoml(rig: Rig, tmp_path: Path) -> BentoClient:
    return BentoClient(tmp_path / "home", rig.url, TOKEN)


def kept(rig: Rig, name: str) -> Any:
    """What there is of a secret, with its values."""
    thread, running = rig.plane._started()
    assert running._store is not None
    return thread.wait(running._store.catalogue.entry(Kind.SECRET, name))


def listed(bentoml: BentoClient, *command: str) -> Any:
    return json.loads(bentoml.run(*command, "-o", "json"))


def test_secrets_are_made_changed_listed_and_deleted(
    rig: Rig, bentoml: BentoClient, tmp_path: Path
) -> None:
    (tmp_path / "pem").write_text("s3cret-pem\n")
    (tmp_path / "env").write_text("FROM_FILE=s3cret-file\n")
    said = bentoml.run(
        "secret", "create", "keys", "A=s3cret-a", "-f", str(tmp_path / "env"), "-d", "for tries"
    )
    assert "keys created successfully" in said
    assert dict(kept(rig, "keys").secret) == {"A": "s3cret-a", "FROM_FILE": "s3cret-file"}
    said = bentoml.run(
        "secret", "create", "certs", f"ca.pem=@{tmp_path / 'pem'}", "-t", "file", "-s", "all"
    )
    assert "certs created successfully" in said
    assert dict(kept(rig, "certs").secret) == {"ca.pem": "s3cret-pem\n"}

    table = bentoml.run("secret", "list")
    assert re.search(r"certs .*File +all +ca\.pem +\$BENTOML_HOME +default", table)
    assert re.search(r"keys .*Environment Variable +runtime +A, FROM_FILE +- +default", table)
    assert "s3cret" not in table
    found = listed(bentoml, "secret", "list", "--search", "key")
    assert [each["name"] for each in found] == ["keys"]

    said = bentoml.run("secret", "apply", "keys", "B=s3cret-b", "-s", "build")
    assert "keys applied successfully" in said
    assert dict(kept(rig, "keys").secret) == {"B": "s3cret-b"}
    assert kept(rig, "keys").document["stage"] == "build"

    assert "keys deleted successfully" in bentoml.run("secret", "delete", "keys")
    assert kept(rig, "keys") is None


def test_what_is_wrong_with_a_secret_is_told_in_a_line(rig: Rig, bentoml: BentoClient) -> None:
    rig.asked.post(
        "/api/v1/org_secrets",
        json={
            "name": "keys",
            "content": {"type": "env", "items": [{"key": "A", "value": "s3cret-a"}]},
        },
    )
    there = bentoml.run("secret", "create", "keys", "A=s3cret-b", fails=True)
    assert "Failed to create secret due to: " in there
    assert "there is a secret 'keys' already" in there
    assert dict(kept(rig, "keys").secret) == {"A": "s3cret-a"}
    assert "Secret not found" in bentoml.run("secret", "apply", "none", "A=s3cret-b", fails=True)
    assert "Secret not found" in bentoml.run("secret", "delete", "none", fails=True)
    named = bentoml.run("secret", "create", "bad", "1=s3cret-b", fails=True)
    assert "s3cret" not in there + named
    assert kept(rig, "bad") is None


def test_instance_types_are_listed_with_what_they_reserve(rig: Rig, bentoml: BentoClient) -> None:
    config = {
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}},
        "price": "0.1",
    }
    made = rig.asked.post(
        "/api/admin/v1/resource_instances", json={"name": "small", "config": config}
    )
    assert made.status_code == 200, made.text
    table = bentoml.run("deployment", "list-instance-types")
    assert re.search(r"small +0\.1 +500m +1Gi", table)
    found = {each["name"] for each in listed(bentoml, "deployment", "list-instance-types")}
    assert {"small", "cpu.1", "gpu.l4.1"} <= found


def test_tokens_are_made_used_shown_and_deleted(
    rig: Rig, bentoml: BentoClient, tmp_path: Path
) -> None:
    said = bentoml.run(
        "api-token", "create", "ci", "-s", "read_cluster", "--expires", "1w", "-d", "for builds"
    )
    assert "ci created successfully" in said
    uid = re.search(r"UID: (\S+)", said)
    text = re.search(r"^\W*(\S{20,})\W*$", said, re.MULTILINE)
    assert uid
    assert text, said
    narrow = BentoClient(tmp_path / "narrow", rig.url, text[1])
    assert listed(narrow, "deployment", "list") == []
    refused = narrow.run("secret", "create", "keys", "A=1", fails=True)
    assert "has no scope to write secrets" in refused

    shown = bentoml.run("api-token", "get", uid[1])
    assert "read_cluster" in shown
    assert text[1] not in shown + bentoml.run("api-token", "list")
    assert "deleted successfully" in bentoml.run("api-token", "delete", uid[1])
    assert f"'{uid[1]}' not found" in bentoml.run("api-token", "get", uid[1], fails=True)
    assert "bentoml cloud login" in narrow.run("deployment", "list", fails=True)
