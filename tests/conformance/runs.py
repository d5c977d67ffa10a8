"""The programs of all languages, each run once, when it is first asked for."""

from collections.abc import Callable

import pytest

from tests.conformance.cases import CASES
from tests.conformance.languages import REQUIRED, Outcome, Said
from tests.conformance.programs import Absent


class Clients:
    """What their programs say. `said` is what they have said so far, by language."""

    def __init__(
        self, said: dict[str, Said], run: Callable[[str], Outcome], *, in_ci: bool
    ) -> None:
        self._said = said
        self._run = run
        self._in_ci = in_ci

    def outcome(self, language: str) -> Outcome:
        """What a program said.

        Where its toolchain is absent the test is skipped, or fails if continuous integration must
        have it.
        """
        if language not in self._said:
            try:
                self._said[language] = self._run(language)
            except Absent as absent:
                self._said[language] = f"not run: {absent}"
        said = self._said[language]
        if isinstance(said, Outcome):
            return said
        if self._in_ci and language in REQUIRED:
            pytest.fail(f"{language} is {said}")
        pytest.skip(said)


def line(language: str, said: Said) -> str:
    """What the end of the tests says of a language."""
    if not isinstance(said, Outcome):
        return f"conformance {language}: {said}"
    passed = len(said.passed & CASES.keys())
    calls = f"{passed} calls ok" if passed == len(CASES) else f"{passed} of {len(CASES)} calls ok"
    return f"conformance {language}: {calls}"
