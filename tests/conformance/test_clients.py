"""Clients of every language, each with a stub from the exported .proto, see the same."""

import pytest

from tests.conformance.cases import CASES
from tests.conformance.languages import LANGUAGES
from tests.conformance.runs import Clients

pytestmark = pytest.mark.timeout(600)  # the first of a language builds its program


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_client_sees_what_the_table_says(clients: Clients, language: str, case: str) -> None:
    assert clients.outcome(language).why(case) == ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_client_has_no_case_that_others_lack(clients: Clients, language: str) -> None:
    outcome = clients.outcome(language)
    assert {*outcome.passed, *outcome.failed} <= CASES.keys()
