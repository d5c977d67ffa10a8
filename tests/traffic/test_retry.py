from hypothesis import given, strategies as st

from mesh.traffic.retry import ATTEMPTS, RetryBudget, may_retry


def decide(
    budget: RetryBudget,
    *,
    attempt: int = 1,
    refused: bool = False,
    lost: bool = False,
    idempotent: bool = False,
) -> bool:
    return may_retry(
        attempt=attempt, refused=refused, lost=lost, idempotent=idempotent, budget=budget
    )


def test_a_refused_call_may_go_elsewhere_whatever_its_method_and_the_budget() -> None:
    for idempotent in False, True:
        assert decide(RetryBudget(left=0), refused=True, idempotent=idempotent)


def test_a_refused_call_does_not_touch_the_budget() -> None:
    budget = RetryBudget()
    assert decide(budget, refused=True, idempotent=True)
    assert budget.left == budget.burst


def test_a_lost_call_may_run_again_only_if_its_method_is_idempotent() -> None:
    assert decide(RetryBudget(), lost=True, idempotent=True)
    assert not decide(RetryBudget(), lost=True)


def test_a_lost_call_costs_one_retry_of_the_budget() -> None:
    budget = RetryBudget(left=1.5)
    assert decide(budget, lost=True, idempotent=True)
    assert budget.left == 0.5
    assert not decide(budget, lost=True, idempotent=True)
    assert budget.left == 0.5


def test_a_call_that_failed_otherwise_is_never_sent_again() -> None:
    assert not decide(RetryBudget(), idempotent=True)


def test_a_call_that_may_not_be_sent_again_costs_nothing() -> None:
    budget = RetryBudget()
    decide(budget, lost=True)
    decide(budget, idempotent=True)
    decide(budget, lost=True, idempotent=True, attempt=ATTEMPTS)
    assert budget.left == budget.burst


@given(st.integers(1, 10), st.booleans(), st.booleans(), st.booleans())
def test_no_call_is_offered_to_more_than_a_few_replicas(
    attempt: int, refused: bool, lost: bool, idempotent: bool
) -> None:
    allowed = decide(
        RetryBudget(), attempt=attempt, refused=refused, lost=lost, idempotent=idempotent
    )
    assert not (allowed and attempt >= ATTEMPTS)


@given(st.lists(st.booleans(), max_size=300), st.floats(0, 1), st.floats(1, 20))
def test_retries_stay_within_the_burst_and_a_share_of_the_calls(
    steps: list[bool], ratio: float, burst: float
) -> None:
    budget = RetryBudget(ratio, burst, burst)
    calls = retries = 0
    for is_call in steps:
        if is_call:
            calls += 1
            budget.earn()
        else:
            retries += budget.spend()
        assert 0 <= budget.left <= burst
        assert retries <= burst + calls * ratio + 1e-6


def test_a_budget_that_is_spent_is_earned_back_by_calls() -> None:
    budget = RetryBudget(ratio=0.25, burst=2.0, left=0.0)
    assert not budget.spend()
    for _ in range(4):
        budget.earn()
    assert budget.spend()
    assert not budget.spend()
