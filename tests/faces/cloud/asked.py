"""A client of the cloud API that compares all it gets with the published document.

Every operation that a test makes is checked, whatever the test itself looks at.
"""

import json
from typing import Any

import httpx

from tests.faces.cloud.published import faults, operation

TOKEN_HEADER = "X-YATAI-API-TOKEN"


class Asked(httpx.Client):
    """Shows `token` as the clients of BentoCloud do. `operations` are those that succeeded."""

    def __init__(self, url: str, token: str = "", **options: Any) -> None:
        headers = {TOKEN_HEADER: token} if token else {}
        super().__init__(base_url=url, headers=headers, timeout=60, trust_env=False, **options)
        self.event_hooks = {"response": [self._check]}
        self.operations: set[tuple[str, str]] = set()

    def _check(self, response: httpx.Response) -> None:
        method, path = response.request.method, response.request.url.path
        found = operation(method, path)
        if found is None:
            return
        where = f"{method} {path}"
        response.read()
        if response.status_code >= 300:
            assert "x-trace-id" not in response.headers, where
            assert set(json.loads(response.text)) == {"error"}, where
            assert "\n" not in response.text, where
            return
        assert response.status_code == 200, f"{where}: {response.status_code}"
        self.operations.add(found)
        if response.content:
            wrong = faults(method, path, response.json())
            assert not wrong, f"{where}:\n" + "\n".join(wrong)
