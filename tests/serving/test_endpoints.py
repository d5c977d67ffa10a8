"""Where clients reach a deployment that was applied."""

from mesh.serving.application import Application
from mesh.serving.run import _endpoint_of


def test_a_deployment_is_reached_by_an_endpoint_that_leads_to_it_or_by_its_own_name() -> None:
    shared = {"digits": {"deployments": {"digits-a": 80, "digits-b": 20}}}
    assert _endpoint_of("digits-b", Application({"endpoints": shared})) == "digits"
    assert _endpoint_of("other", Application({"endpoints": shared})) == "other"
    assert _endpoint_of("digits-a", Application({"endpoints": {}})) == "digits-a"
