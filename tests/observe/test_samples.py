"""Metrics of several processes on one page."""

import pytest
from hypothesis import given, strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from mesh.observe.metrics import render
from mesh.observe.samples import Families, Family, Sample, collect, dump, load, merge

SOLD = Counter("samples_test_sold", "What was sold.", ["kind"])
PRICES = Histogram("samples_test_prices", "What it cost.", buckets=(1, 5))
STOCK = Gauge("samples_test_stock", "What is left.")
GUESTS = Gauge("samples_test_guests", "Who is in.", multiprocess_mode="livesum")


def family(kind: str, *values: float, mode: str = "", name: str = "a") -> Family:
    samples = tuple(Sample(name, (("n", str(n)),), value) for n, value in enumerate(values))
    return Family(name, "Help.", kind, mode, samples)


def test_families_of_the_users_code_are_collected_and_those_of_the_process_are_not() -> None:
    SOLD.labels("tea").inc()
    found = {each.name: each for each in collect()}
    assert found["samples_test_sold"].samples[0].name == "samples_test_sold_total"
    assert not any(each.name.endswith("_created") for each in found["samples_test_sold"].samples)
    assert found["samples_test_guests"].mode == "sum"
    assert [name for name, _ in found["samples_test_stock"].samples[0].labels] == ["pid"]
    assert not {"python_info", "python_gc_objects_collected"} & found.keys()


@pytest.mark.parametrize("kind", ["counter", "histogram", "summary"])
def test_what_counts_is_added_up(kind: str) -> None:
    (found,) = merge([[family(kind, 1, 2)], [family(kind, 10, 20, 30)]])
    assert [each.value for each in found.samples] == [11, 22, 30]


@pytest.mark.parametrize(
    ("mode", "value"), [("sum", 5), ("min", 2), ("max", 3), ("mostrecent", 2), ("all", 2)]
)
def test_gauges_are_joined_as_their_mode_says(mode: str, value: float) -> None:
    (found,) = merge([[family("gauge", 3, mode=mode)], [family("gauge", 2, mode=mode)]])
    assert [each.value for each in found.samples] == [value]


def test_a_family_of_another_type_than_the_first_of_its_name_is_left_out() -> None:
    (found,) = merge([[family("counter", 1)], [family("gauge", 7)]])
    assert (found.type, found.samples[0].value) == ("counter", 1)


@given(
    st.lists(
        st.builds(
            family,
            st.sampled_from(["counter", "gauge"]),
            st.floats(),
            name=st.sampled_from(["a", "b"]),
        )
    )
)
def test_families_travel_as_text(families: list[Family]) -> None:
    assert repr(load(dump(families).encode())) == repr(tuple(families))


@pytest.mark.parametrize("text", [b"", b"{}x", b"[1]", b'[["a"]]', b"\xff", b"null"])
def test_other_text_is_no_list_of_families(text: bytes) -> None:
    with pytest.raises(ValueError, match="no list of families"):
        load(text)


def test_a_page_of_merged_families_can_be_read() -> None:
    registry = CollectorRegistry()
    histogram = Histogram("prices", "What it cost.", ["kind"], buckets=(1, 5), registry=registry)
    histogram.labels('"tea"\n').observe(3)
    mine = tuple(
        Family(
            each.name,
            each.documentation,
            each.type,
            "",
            tuple(Sample(s.name, tuple(sorted(s.labels.items())), s.value) for s in each.samples),
        )
        for each in registry.collect()
    )
    text = render(Families(merge([mine, mine]))).decode()
    (found,) = (each for each in text_string_to_metric_families(text) if each.name == "prices")
    values = {(s.name, s.labels.get("le")): s.value for s in found.samples}
    assert values["prices_bucket", "5.0"] == 2
    assert values["prices_sum", None] == 6
    assert found.samples[0].labels["kind"] == '"tea"\n'
