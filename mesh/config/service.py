"""What users configure of a service, in its decorator. Nothing here reads the environment."""

from ipaddress import ip_network
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from mesh.config.parsed import Settings
from mesh.config.quantity import Bytes, Cores
from mesh.config.scaling import Scaling


def _network(block: str) -> str:
    """A CIDR block as it was, if it is one."""
    ip_network(block)  # its ValueError says what is wrong
    return block


class Resources(Settings):
    """What one replica reserves on its node.

    `cpu` in cores (0.5, `"500m"`), `memory` in bytes (`"2Gi"`), `gpu` in devices (a fraction
    below 1 shares one) of the type `gpu_type` (Ray's accelerator type, such as `"L4"`; empty:
    any), `custom` in units of what nodes say they have. Nothing given reserves nothing.
    """

    cpu: Cores = 0.0
    memory: Annotated[Bytes, Field(ge=0)] = 0
    gpu: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    gpu_type: str = ""
    custom: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.gpu > 1 and self.gpu != int(self.gpu):
            raise ValueError("gpu must be below 1 (a shared device) or a whole number")
        if self.gpu_type and not self.gpu:
            raise ValueError("gpu_type goes with gpu")
        if wrong := {"CPU", "GPU", "memory", "object_store_memory"} & self.custom.keys():
            raise ValueError(f"custom: {', '.join(sorted(wrong))} has a setting of its own")
        return self


class Traffic(Settings):
    """How a service takes calls.

    `timeout` in seconds per call (None: no limit); `max_concurrency` calls at once in one
    replica, more are refused with 429 (None: no limit); `concurrency` the number that scaling
    aims at; `max_request_bytes` the largest request body. With `external_queue` a replica never
    holds more than `concurrency` calls; up to `queue_limit` more wait with each caller, in order.
    """

    timeout: Annotated[float, Field(gt=0)] | None = 60.0
    max_concurrency: Annotated[int, Field(gt=0)] | None = None
    concurrency: Annotated[int, Field(gt=0)] | None = None
    external_queue: bool = False
    queue_limit: Annotated[int, Field(gt=0)] = 1000
    max_request_bytes: Annotated[Bytes, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _queue_has_an_aim(self) -> Self:
        if self.external_queue and self.concurrency is None:
            raise ValueError("external_queue needs concurrency")
        return self


class Fetch(Settings):
    """What a service downloads where a caller gives a file as an http(s) URL.

    `max_bytes` of content, `timeout` in seconds in total, at most `redirects`. `networks` are
    CIDR blocks (`"10.0.0.0/8"`) that may be reached although they are not public.
    """

    max_bytes: Annotated[Bytes, Field(gt=0)] = 100 * 2**20
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 10.0
    redirects: Annotated[int, Field(ge=0)] = 5
    networks: tuple[Annotated[str, AfterValidator(_network)], ...] = ()


class ServiceConfig(Settings):
    """Everything the service decorator takes besides the name.

    `threads` bounds the sync methods that run at once in one replica. `replicas` is how many are
    started where the deployment does not say; `scaling`, if given, bounds their number instead.
    """

    resources: Resources = Resources()
    traffic: Traffic = Traffic()
    fetch: Fetch = Fetch()
    threads: Annotated[int, Field(gt=0)] = 1
    replicas: Annotated[int, Field(gt=0)] = 1
    scaling: Scaling | None = None
    envs: dict[str, str] = {}
