"""What a token opens of protected deployments."""

import math

from hypothesis import given, strategies as st

from mesh.traffic.grants import Grant, Verdict, decide

names = st.sampled_from(["", "a", "b"])
times = st.sampled_from([0.0, 1.0, 2.0, math.inf])
grants = st.builds(Grant, names, st.booleans(), st.frozensets(names), times)


@given(st.none() | grants, names, names, st.floats(0, 3))
def test_only_a_grant_that_is_good_and_for_the_deployment_lets_in(
    grant: Grant | None, uid: str, organization: str, now: float
) -> None:
    verdict = decide(grant, uid, organization, now)
    if grant is None:
        assert verdict is Verdict.UNKNOWN
        return
    is_of_organization = grant.organization in ("", organization)
    is_for_it = grant.everything or uid in grant.deployments
    expected = is_of_organization and is_for_it and now < grant.expires_at
    assert (verdict is Verdict.GRANTED) is expected
    assert (verdict is Verdict.EXPIRED) is (now >= grant.expires_at)


@given(grants, names, names, st.floats(0, 3), st.floats(0, 3))
def test_who_is_not_let_in_any_more_never_is_again(
    grant: Grant, uid: str, organization: str, now: float, later: float
) -> None:
    if decide(grant, uid, organization, now) is not Verdict.GRANTED:
        assert decide(grant, uid, organization, now + later) is not Verdict.GRANTED


def test_a_grant_ends_at_the_moment_of_its_expiry() -> None:
    grant = Grant("a", everything=True, expires_at=2.0)
    assert decide(grant, "u", "a", math.nextafter(2.0, 0.0)) is Verdict.GRANTED
    assert decide(grant, "u", "a", 2.0) is Verdict.EXPIRED
