"""What of their requirements releases lack on a node."""

import pytest

from mesh.errors import FailedPrecondition
from mesh.nodes.requirements import Base, Installed, missing, parsed, plan

BASE: Base = {
    each.name: each
    for each in (
        Installed(
            "serving-mesh", "0.1.0", ("ray>=2.60", "pydantic>=2.9", 'x ; extra == "x"'), True
        ),
        Installed("ray", "2.60.0", ("click!=8.3.*,>=7.0",)),
        Installed("pydantic", "2.13.0", ("typing-extensions>=4",)),
        Installed("typing-extensions", "4.16.0"),
        Installed("click", "8.5.1"),
        Installed("bentoml", "1.4.39"),
        Installed("scikit-learn", "1.7.0", ('pandas>=1 ; extra == "tables"',)),
        Installed("pandas", "2.2.0"),
        Installed("torch", "2.9.0+cpu", (), True),
    )
}


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "bentoml==1.4.39",
        "Scikit_Learn>=1.5  # of the model\n\npandas",
        "scikit-learn[tables]",
        "numbat ; python_version < '3'",
        "torch==2.9.0",
        "ray[serve]>=2.50\nserving-mesh",
    ],
)
def test_nothing_is_lacking_where_the_node_has_what_is_wanted(wanted: str) -> None:
    assert plan(wanted, "", BASE).wanted == ()


@pytest.mark.parametrize(
    ("wanted", "lacking"),
    [
        ("numbat", "numbat"),
        ("pandas<2", "pandas<2"),
        ("scikit-learn[images]", ""),
        ("./wheels/own-1.0-py3-none-any.whl", "./wheels/own-1.0-py3-none-any.whl"),
        ("pandas @ https://example.com/pandas.whl", "pandas @ https://example.com/pandas.whl"),
        ("git+https://example.com/own.git", "git+https://example.com/own.git"),
        ("numbat==1 --hash=sha256:00", "numbat==1 --hash=sha256:00"),
        ("numbat==1 \\\n    --hash=sha256:00", "numbat==1      --hash=sha256:00"),
    ],
)
def test_what_is_lacking_is_wanted(wanted: str, lacking: str) -> None:
    assert plan(f"{wanted}\nbentoml==1.4.39", "", BASE).wanted == ((lacking,) if lacking else ())


def test_of_what_is_wanted_by_name_the_lock_says_the_version() -> None:
    lock = "scikit-learn==1.5.0\npandas==2.1.0\npydantic==2.10.0\nnumbat==3"
    found = plan("scikit-learn\npydantic\nnumbat", lock, BASE)
    # Of pydantic the mesh's own will do, and pandas was not asked for by name.
    assert found.wanted == ("scikit-learn", "numbat")
    assert {"scikit-learn==1.5.0", "numbat==3", "pandas==2.2.0"} <= set(found.preferred)
    assert "scikit-learn==1.7.0" not in found.preferred
    assert plan("scikit-learn", "scikit-learn==1.7.0", BASE).wanted == ()


def test_what_the_mesh_runs_on_stays_as_it_is() -> None:
    found = plan("numbat", "", BASE)
    assert "pydantic>=2.9" in found.constraints
    assert any(line.startswith("click") for line in found.constraints)
    names = {line.partition(" ")[0] for line in found.left_out}
    assert names == {"ray", "serving-mesh", "torch"}
    assert not any(line.startswith("torch") for line in found.preferred)
    other = plan("torch==2.3", "", BASE)
    assert other.wanted == ("torch==2.3",)
    assert not any(line.startswith("torch") for line in other.left_out)


def test_another_ray_is_refused() -> None:
    with pytest.raises(FailedPrecondition) as caught:
        plan("ray[serve]==2.40.0", "", BASE)
    assert caught.value.message == (
        "the release requires ray[serve]==2.40.0, and the mesh here runs with ray 2.60.0"
    )


def test_another_bentoml_is_not_installed_and_that_is_told() -> None:
    found = plan("bentoml==1.4.10", "", BASE)
    assert found.wanted == ()
    assert found.notes == ("it requires bentoml==1.4.10 and gets bentoml 1.4.39",)


def test_options_of_the_release_hold_or_else_those_of_its_lock() -> None:
    wanted = "--index-url https://one.example/simple\n-i https://two.example\nnumbat"
    found = plan(wanted, "--extra-index-url https://three.example\nnumbat==1", BASE)
    assert found.options == ("--index-url https://one.example/simple", "-i https://two.example")
    found = plan("numbat", "--extra-index-url https://three.example\nnumbat==1", BASE)
    assert found.options == ("--extra-index-url https://three.example",)
    assert not found.is_own
    assert plan("numbat\n--find-links ./wheels", "", BASE).is_own
    assert plan("./own.whl", "", BASE).is_own


def test_comments_are_no_requirements() -> None:
    assert parsed("# all\n  # more\nnumbat # why\na#b\n\n-e .") == (["numbat", "a#b", "-e ."], [])


def test_of_what_was_resolved_the_rest_is_missing() -> None:
    resolved = "numbat==3\npandas==2.2.0\nclick==8.4.0\nown @ file:///own.whl\n./x.whl\n"
    assert missing(resolved, BASE) == (
        "numbat==3",
        "click==8.4.0",
        "own @ file:///own.whl",
        "./x.whl",
    )
