"""Some virtual minutes in which everything happens; `make sim` has hours."""

import pytest

from tests import virtual_time
from tests.simulate.soak import soaked


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_callers_see_what_is_ready_and_nothing_is_left(seed: int) -> None:
    account = virtual_time.run(soaked(100 + seed, 8, 600.0, lambda _: None))
    assert account.snapshots > 20
    assert account.events.total() > 20
    wrong = (account.unready, account.cut, account.unsettled, account.left)
    assert wrong == (0, 0, 0, 0)
