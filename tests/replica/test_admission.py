"""Places of a replica: how many, and who gets the next one."""

from collections.abc import Callable

from hypothesis import given, strategies as st

from mesh.replica.admission import PROMISE, Admission, Place


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Callers:
    """Callers by name, and the names of those that were told of a place, in order."""

    def __init__(self, *names: str) -> None:
        self.told: list[str] = []
        self._tells: dict[str, Callable[[], None]] = {
            name: lambda name=name: self.told.append(name) for name in names
        }

    def __getitem__(self, name: str) -> Callable[[], None]:
        return self._tells[name]


def given_place(place: Place | None) -> Place:
    assert place is not None
    return place


def test_callers_that_were_refused_get_places_in_that_order() -> None:
    admission, callers = Admission(1, Time()), Callers("a", "b", "c")
    place = given_place(admission.admit(callers["a"]))
    for name in ("b", "c", "a"):
        assert admission.admit(callers[name]) is None
    order = []
    for name in ("b", "c", "a"):
        place.release()
        assert callers.told == [*order, name]
        order.append(name)
        place = given_place(admission.admit(callers[name]))
    place.release()
    assert callers.told == order


def test_a_place_that_is_kept_is_not_for_others() -> None:
    admission, callers = Admission(1, Time()), Callers("a", "b")
    place = given_place(admission.admit(callers["a"]))
    assert admission.admit(callers["b"]) is None
    place.release()
    assert admission.admit(callers["a"]) is None
    assert admission.admit() is None  # one that does not wait
    assert admission.admit(callers["b"]) is not None


def test_a_place_is_kept_for_a_while_only() -> None:
    time = Time()
    admission, callers = Admission(1, time), Callers("a", "b")
    place = given_place(admission.admit(callers["a"]))
    assert admission.admit(callers["b"]) is None
    place.release()
    time.now += PROMISE
    assert admission.admit(callers["a"]) is not None
    assert admission.admit(callers["b"]) is None


def test_a_caller_that_got_a_place_otherwise_is_told_of_none() -> None:
    admission, callers = Admission(2, Time()), Callers("a", "b")
    places = [given_place(admission.admit(callers["a"])) for _ in range(2)]
    assert admission.admit(callers["b"]) is None
    places[0].release()
    places[1].release()
    assert callers.told == ["b"]
    for _ in range(2):
        given_place(admission.admit(callers["b"])).release()
    assert callers.told == ["b"]


def test_callers_that_do_not_wait_are_told_nothing() -> None:
    admission = Admission(1, Time())
    place = given_place(admission.admit())
    assert admission.admit() is None
    place.release()
    assert admission.admit() is not None


@given(
    st.integers(1, 3),
    st.lists(
        st.tuples(st.sampled_from(["admit", "free", "wait"]), st.sampled_from("abcd")), max_size=60
    ),
)
def test_never_more_are_taken_and_kept_than_there_are(
    limit: int, steps: list[tuple[str, str]]
) -> None:
    time = Time()
    admission, callers = Admission(limit, time), Callers(*"abcd")
    places: list[Place] = []
    for step, name in steps:
        if step == "admit":
            place = admission.admit(callers[name])
            if place is not None:
                places.append(place)
        elif step == "free" and places:
            places.pop().release()
        elif step == "wait":
            time.now += PROMISE / 2
        assert admission.taken == len(places)
        assert admission.taken + len(admission._promised) <= limit
    for place in places:
        place.release()
    time.now += PROMISE
    assert admission.admit() is not None  # nothing is lost for good
