"""Names for sets of resources, so that a deployment says `gpu.l4.1` and not three numbers."""

from collections.abc import Mapping
from types import MappingProxyType

from mesh.config.service import Resources
from mesh.errors import ConfigError

GIB = 2**30

DEFAULTS: Mapping[str, Resources] = MappingProxyType(
    {
        "cpu.1": Resources(cpu=1, memory=2 * GIB),
        "cpu.2": Resources(cpu=2, memory=4 * GIB),
        "cpu.4": Resources(cpu=4, memory=8 * GIB),
        "cpu.8": Resources(cpu=8, memory=16 * GIB),
        "gpu.t4.1": Resources(cpu=3, memory=12 * GIB, gpu=1, gpu_type="T4"),
        "gpu.l4.1": Resources(cpu=3, memory=12 * GIB, gpu=1, gpu_type="L4"),
        "gpu.a100.1": Resources(cpu=6, memory=48 * GIB, gpu=1, gpu_type="A100"),
    }
)
"""The types that are there without a catalogue of one's own.

`cpu.N` is N cores with 2 GiB each. Those with a GPU leave a core and some memory of the usual
machine (4 cores and 16 GiB; for the A100 8 cores and 64 GiB) to its system and to Ray.
"""


def resources_of(name: str, catalogue: Mapping[str, Resources] = MappingProxyType({})) -> Resources:
    """What a replica of the instance type `name` reserves; `catalogue` goes before `DEFAULTS`.

    Raises ConfigError, naming the types that there are, if there is none of that name.
    """
    known = {**DEFAULTS, **catalogue}
    if name not in known:
        raise ConfigError(
            f"there is no instance type {name!r}; there are {', '.join(sorted(known))}"
        )
    return known[name]
