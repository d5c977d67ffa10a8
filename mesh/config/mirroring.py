"""What a canary has of main, where it says nothing itself. Pure."""

from collections.abc import Container

from mesh.config.deployment import CanaryVersion, ServiceOverrides, VersionConfig
from mesh.config.stages import stages_of

MIRRORED = frozenset({"envs", "secrets", "services", "annotations"})
"""The settings that a canary mirrors; of the annotations only the stages of variables."""
_NUMBERS = ("replicas", "scaling")


def mirrored(main: VersionConfig, canary: CanaryVersion, services: Container[str]) -> CanaryVersion:
    """A canary with what it does not say taken from `main`; `services` are those that it has.

    Without `envs` or `secrets` of its own it has those of main, and each service that its
    `services` does not name is set as main's of that name, if it has such a one. Numbers of
    replicas that the canary gives for all of its services go before those of main's services.
    """
    has_numbers = canary.replicas is not None or canary.scaling is not None
    of_main = {
        name: _without_numbers(each) if has_numbers else each
        for name, each in main.services.items()
        if name in services
    }
    return canary.model_copy(
        update={
            "envs": canary.envs or main.envs,
            "secrets": canary.secrets or main.secrets,
            "services": {**of_main, **canary.services},
            "annotations": stages_of(main, canary),
        }
    )


def _without_numbers(service: ServiceOverrides) -> ServiceOverrides:
    return service.model_copy(update=dict.fromkeys(_NUMBERS))
