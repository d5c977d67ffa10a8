"""BentoML's names of GPUs as Ray calls them."""

import pytest
from ray.util.accelerators import accelerators

from mesh.compat.bentoml.gpu_type import _KNOWN, ray_type


@pytest.mark.parametrize(
    ("theirs", "rays"),
    [
        ("nvidia-tesla-t4", "T4"),
        ("nvidia-l4", "L4"),
        ("nvidia-l40s", "L40S"),
        ("nvidia-a10g", "A10G"),
        ("nvidia-tesla-a100", "A100"),
        ("nvidia-a100-40gb", "A100-40G"),
        ("nvidia-a100-80gb", "A100-80G"),
        ("nvidia-h100-80gb", "H100"),
        ("nvidia-h200-141gb", "H200"),
        ("NVIDIA Tesla V100", "V100"),
        ("L4", "L4"),
        ("amd-instinct-mi300x-oam", "AMD-Instinct-MI300X-OAM"),
        ("nvidia-a11", ""),
        ("", ""),
    ],
)
def test_names_of_gpus(theirs: str, rays: str) -> None:
    assert ray_type(theirs) == rays


def test_every_name_is_one_of_rays() -> None:
    names = {each for each in vars(accelerators).values() if isinstance(each, str)}
    assert set(_KNOWN.values()) <= names
