"""BentoML's names of GPUs → Ray's accelerator types, as far as they are known."""

import re

_RAYS = (
    *("V100", "P100", "T4", "P4", "K80", "A10G", "L4", "L40S", "A100", "A100-40G", "A100-80G"),
    *("H100", "H200", "H20", "B200", "B300", "GB200", "GB300", "RTX-PRO-6000"),
    *("AMD-Instinct-MI100", "AMD-Instinct-MI210", "AMD-Instinct-MI250X", "AMD-Instinct-MI300A"),
    *("AMD-Instinct-MI300X-OAM", "AMD-Instinct-MI325X-OAM", "AMD-Instinct-MI350X-OAM"),
    *("Intel-GPU-Max-1550", "Intel-GPU-Max-1100", "Intel-GAUDI"),
)
_KNOWN = {name.lower(): name for name in _RAYS}
_MAKER = re.compile(r"^(nvidia[- ])?(tesla[- ])?")
_MEMORY = re.compile(r"-(\d+)gb?$")


def ray_type(name: str) -> str:
    """Ray's type of a GPU called so, such as `L4` for `nvidia-l4`; empty: it is not known.

    Makers and upper case are left out. An amount of memory counts where Ray tells GPUs apart by it
    (`nvidia-a100-80gb` is `A100-80G`, which nodes say by a label that is given by hand), and is
    left out elsewhere (`nvidia-h100-80gb` is `H100`).
    """
    short = _MAKER.sub("", name.strip().lower())
    candidates = (short, _MEMORY.sub(r"-\1g", short), _MEMORY.sub("", short))
    return next((_KNOWN[each] for each in candidates if each in _KNOWN), "")
