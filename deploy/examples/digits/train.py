"""Trains the two versions of the model on scikit-learn's bundled handwritten digits."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from service import GREY_PER_LEVEL
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

SEED = 0
HELD_OUT = 900
"""Pictures that no model is trained on, of 1797."""
MODELS = {
    "v1": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "v2": lambda: SVC(gamma=0.001),
}
"""What makes each version: logistic regression, and a support vector machine."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture that no model was trained on, as PNG, and the digit that is on it."""

    png: bytes
    digit: int


@dataclass(frozen=True, slots=True)
class Trained:
    """The models' files by version, and the samples to try them with."""

    models: dict[str, Path]
    held_out: Sequence[Sample]


def train(folder: Path) -> Trained:
    """Trains every version and writes it to `folder`; half of the data is held out."""
    images, digits = load_digits(return_X_y=True)
    seen, held_out, known, asked = train_test_split(
        images.astype(np.float32), digits, test_size=HELD_OUT, random_state=SEED, stratify=digits
    )
    folder.mkdir(parents=True, exist_ok=True)
    return Trained(
        {
            name: _fitted(make(), seen, known, folder / f"{name}.joblib")
            for name, make in MODELS.items()
        },
        [Sample(to_png(image), int(digit)) for image, digit in zip(held_out, asked, strict=True)],
    )


def _fitted(model: Any, images: NDArray[np.float32], digits: NDArray[np.int64], to: Path) -> Path:
    model.fit(images, digits)
    joblib.dump(model, to)
    return to


def to_png(image: NDArray[np.float32]) -> bytes:
    """64 levels of ink, 0 to 16, as a picture of 8 by 8 pixels."""
    out = BytesIO()
    grey = (image.reshape(8, 8) * GREY_PER_LEVEL).astype(np.uint8)
    Image.fromarray(grey).save(out, "PNG")
    return out.getvalue()


if __name__ == "__main__":
    for version, file in train(Path(__file__).parent / "models").models.items():
        print(f"{version}: {file}")
