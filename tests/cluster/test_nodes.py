"""Replicas on several nodes: see `nodes_scenarios`, which is run once, in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.cluster.nodes_scenarios import NAMES

pytestmark = pytest.mark.ray

LIMIT = 400.0
"""Seconds for all scenarios, on a busy machine; 50 on two idle cores."""


@pytest.fixture(scope="module")
def outcomes() -> Mapping[str, str]:
    command = [sys.executable, "-m", "tests.cluster.nodes_scenarios"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, done.stderr
    told: Mapping[str, str] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.timeout(LIMIT + 30)
@pytest.mark.parametrize("name", NAMES)
def test_on_several_nodes(name: str, outcomes: Mapping[str, str]) -> None:
    assert outcomes[name] == "ok", outcomes[name]
