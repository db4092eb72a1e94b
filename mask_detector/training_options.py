"""Every knob of a training in one place; the command line is made from this table."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from mask_detector.errors import MaskDetectorError
from mask_detector.types import DEFAULT_CROP_MARGIN


def _knob(default: Any, help_text: str, limits: tuple[float, float] | None = None) -> Any:
    return field(default=default, metadata={"help": help_text, "limits": limits})


@dataclass(frozen=True)
class TrainingOptions:
    """What decides the result of a training, apart from the photos.

    Raises:
        MaskDetectorError: a number is out of its range.
    """

    epochs: int = _knob(
        20,
        "most passes over the photos for the head; stops early when the validation loss no "
        "longer falls",
        (1, 10_000),
    )
    batch_size: int = _knob(32, "photos per step; halve it if memory runs out", (1, 4096))
    learning_rate: float = _knob(
        1e-4, "Adam's step size for the head; fine-tuning uses a tenth", (1e-9, 1.0)
    )
    fine_tune: int = _knob(
        0,
        "after the head, also train this many top layers of the backbone (0 = head only; 38 = "
        "from MobileNetV2's block 13 on)",
        (0, 10_000),
    )
    fine_tune_epochs: int = _knob(10, "most passes in the fine-tuning stage", (1, 10_000))
    image_size: int = _knob(
        224, "side of the square input in pixels; 96-160 is faster and less exact", (32, 1024)
    )
    seed: int = _knob(
        42, "of the split, the order and the augmentation: same seed, same result", (0, 2**31 - 1)
    )
    backbone_weights: str = _knob(
        "imagenet",
        "imagenet (downloaded once by Keras), none (random), or the path of a Keras weights file",
    )
    architecture: str = _knob("mobilenet_v2", "the network")
    crop_margin: float = _knob(
        DEFAULT_CROP_MARGIN,
        "how much around the face the training photos show, as a fraction of the face box per "
        "side; faces are cut out of camera frames with the same margin",
        (0.0, 2.0),
    )

    def __post_init__(self) -> None:
        for knob in fields(self):
            limits, value = knob.metadata["limits"], getattr(self, knob.name)
            if limits and not limits[0] <= value <= limits[1]:
                raise MaskDetectorError(
                    f"--{knob.name.replace('_', '-')} {value} is out of range: expected "
                    f"{limits[0]} to {limits[1]}"
                )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def without_folders(self) -> dict[str, Any]:
        """The options as a model's card tells them: no path of the machine that trained."""
        return {**asdict(self), "backbone_weights": Path(self.backbone_weights).name}
