"""Every request has the answer from the mesh that it has from BentoML, but for what is intended."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.differential.answers import ask
from tests.differential.cases import CASES, Case
from tests.differential.conftest import Side
from tests.differential.intended import INTENDED

NOTHING = frozenset[str]()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_request_has_the_same_answer(case: Case, theirs: Side, ours: Side) -> None:
    with ThreadPoolExecutor(2) as both:
        asking = [both.submit(ask, side.clients[case.service], case) for side in (theirs, ours)]
    expected, answer = (each.result() for each in asking)
    found = expected.differences(answer)
    intended = INTENDED[case.name].fields if case.name in INTENDED else NOTHING
    assert found == intended, f"BentoML: {expected}\nthe mesh: {answer}"


def test_names_of_cases_are_theirs_alone() -> None:
    names = [case.name for case in CASES]
    assert sorted(set(names)) == sorted(names)
    assert INTENDED.keys() <= set(names)
