"""Every knob of a training in one place; the command line is made from this table."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from mask_detector.errors import MaskDetectorError
from mask_detector.types import DEFAULT_CROP_MARGIN


def _knob(
    default: Any,
    help_text: str,
    limits: tuple[float, float] | None = None,
    choices: tuple[str, ...] | None = None,
) -> Any:
    return field(
        default=default, metadata={"help": help_text, "limits": limits, "choices": choices}
    )


@dataclass(frozen=True)
class TrainingOptions:
    """What decides the result of a training, apart from the photos.

    Raises:
        MaskDetectorError: a number is out of its range.
    """

    epochs: int = _knob(
        0,
        "passes over the pictures for the head; the epoch with the best validation accuracy is "
        "kept in the end. 0 = 4, more for a set so small that they are under 150 steps",
        (0, 10_000),
    )
    batch_size: int = _knob(32, "pictures per step; halve it if memory runs out", (1, 4096))
    learning_rate: float = _knob(
        1e-3,
        "Adam's first step size for the head; fine-tuning uses a tenth; both fall to 0",
        (1e-9, 1.0),
    )
    fine_tune: int = _knob(
        38,
        "after the head, also train this many top layers of the backbone (38 = from "
        "MobileNetV2's block 13 on; 0 = head only: quicker, and less right)",
        (0, 10_000),
    )
    fine_tune_epochs: int = _knob(
        0,
        "passes in the fine-tuning stage; 0 = 8, more for a set so small that they are under 300 "
        "steps",
        (0, 10_000),
    )
    views: int = _knob(
        6,
        "augmented views of each picture, whose features below the trained layers are computed "
        "once (about 40 kB on disk each while it trains); 0 = a new view in every epoch, slower",
        (0, 1000),
    )
    crop: str = _knob(
        "auto",
        "faces: photos in which the face detector finds one face are also trained on cut out, as "
        "the camera will show them; none: photos as they are; auto: faces if the classes speak "
        "of masks",
        choices=("auto", "faces", "none"),
    )
    image_size: int = _knob(
        224, "side of the square input in pixels; 96-160 is faster and less exact", (32, 1024)
    )
    seed: int = _knob(
        42, "of the order and the augmentation: same seed, same result", (0, 2**31 - 1)
    )
    split_seed: int = _knob(
        42,
        "of the split alone, so that another --seed is tested on the same photos",
        (0, 2**31 - 1),
    )
    backbone_weights: str = _knob(
        "imagenet",
        "imagenet (downloaded once by Keras), none (random), or the path of a Keras weights file",
    )
    kernels: str = _knob(
        "int8",
        "int8: round the backbone's kernels to the steps of int8 before training, so that an "
        "export to int8 changes fewer verdicts; float32: leave them as they are",
        choices=("int8", "float32"),
    )
    architecture: str = _knob("mobilenet_v2", "the network")
    crop_margin: float = _knob(
        DEFAULT_CROP_MARGIN,
        "how much of its surroundings a face keeps when it is cut out of a camera frame, as a "
        "fraction of its box per side; training draws from 0 to 0.35",
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
