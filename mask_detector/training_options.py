"""Every knob of a training in one place; the command line is made from this table.

    options = TrainingOptions(architecture="vgg_small", image_size=0)

What is left to the network, here the size of its pictures, is filled in from its entry in
`ARCHITECTURES`, as are the orientations that go with the augmentation; a copy made with other
options keeps them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from mask_detector.architectures import ARCHITECTURES, architecture_named, check_choice
from mask_detector.errors import OptionError
from mask_detector.orientations import ALL_ORIENTATIONS
from mask_detector.types import DEFAULT_CROP_MARGIN


def _networks_text(fact: str) -> str:
    """What each network has of something, for the help."""
    return ", ".join(f"{name} {getattr(entry, fact)}" for name, entry in ARCHITECTURES.items())


def _architectures_text() -> str:
    texts = []
    for name, entry in ARCHITECTURES.items():
        source = entry.imagenet_from
        weights = f"ImageNet weights through {source}" if source else "no ImageNet weights"
        texts.append(f"{name} ({entry.description}; {weights})")
    return "; ".join(texts)


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
        "passes over the pictures for the head, or of a network without pretrained weights for "
        "the whole; the epoch with the best validation accuracy is kept in the end. 0 = 4, more "
        "for a set so small that they are under 150 steps; for a whole network 30 and 1500",
        (0, 10_000),
    )
    batch_size: int = _knob(32, "pictures per step; halve it if memory runs out", (1, 4096))
    learning_rate: float = _knob(
        0.0,
        "Adam's first step size for the head or a whole network; fine-tuning uses a tenth; all "
        f"fall to 0; 0 = the network's own ({_networks_text('learning_rate')})",
        (1e-9, 1.0),
    )
    fine_tune: int = _knob(
        -1,
        "after the head, also train this many top layers of a pretrained backbone; 0 = head only: "
        f"quicker, and less right; -1 = the network's own ({_networks_text('fine_tuned_layers')})",
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
        "once (at mobilenet_v2 40 kB on disk each while it trains, at resnet50 200 kB); 0 = a new "
        "view in every epoch, slower, as always where the whole network trains",
        (0, 1000),
    )
    crop: str = _knob(
        "auto",
        "faces: photos in which the face detector finds one face are also trained on cut out, as "
        "the camera will show them; none: photos as they are; auto: faces if the classes speak "
        "of masks",
        choices=("auto", "faces", "none"),
    )
    augmentation: str = _knob(
        "auto",
        "how training pictures are changed from epoch to epoch. camera: cut off, far, dark, "
        "blurred or compressed at times, moved, turned, relit, as faces before a camera are; "
        "gentle: moved, turned and relit a little, where what matters may be small; any-way-up: as "
        "gentle, but turned by any angle, for things photographed from above; auto: camera if the "
        "classes speak of masks, else gentle",
        choices=("auto", "camera", "gentle", "any-way-up", "none"),
    )
    orientations: int = _knob(
        0,
        "in how many orientations a picture is judged, in validation and at run time, and the "
        "answers averaged: 4 quarter turns, 8 with each mirrored; righter for things that lie any "
        "way up, at so many times the work; 0 = 8 with --augmentation any-way-up, else 1",
        (1, ALL_ORIENTATIONS),
    )
    image_size: int = _knob(
        0,
        "side of the square input in pixels, from 32; smaller is faster and less exact; 0 = the "
        f"network's own ({_networks_text('image_size')})",
        (32, 1024),
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
        "auto",
        "imagenet (downloaded once), none (random: the whole network trains, which takes more "
        "photos), or the path of a Keras weights file; auto = imagenet where Keras itself has it "
        f"({_networks_text('default_weights')})",
    )
    kernels: str = _knob(
        "int8",
        "int8: round the backbone's kernels to the steps of int8 before training, so that an "
        "export to int8 changes fewer verdicts; float32: leave them as they are",
        choices=("int8", "float32"),
    )
    architecture: str = _knob("mobilenet_v2", f"the network: {_architectures_text()}")
    width_multiplier: float = _knob(
        1.0,
        "of the network's channels: .5 has about a quarter of the parameters and of the work; "
        "not for resnet50",
        (0.25, 2.0),
    )
    crop_margin: float = _knob(
        DEFAULT_CROP_MARGIN,
        "how much of its surroundings a face keeps when it is cut out of a camera frame, as a "
        "fraction of its box per side; training draws from 0 to 0.35",
        (0.0, 2.0),
    )

    def __post_init__(self) -> None:
        network, fine_tune = architecture_named(self.architecture), self.fine_tune
        left_open = {
            "image_size": (0, network.image_size),
            "learning_rate": (0, network.learning_rate),
            "fine_tune": (-1, network.fine_tuned_layers),
            "backbone_weights": ("auto", network.default_weights),
            "orientations": (0, ALL_ORIENTATIONS if self.augmentation == "any-way-up" else 1),
        }
        for name, (is_open, value) in left_open.items():
            if getattr(self, name) == is_open:
                object.__setattr__(self, name, value)  # a frozen dataclass has no other way
        self._check_limits({name: is_open for name, (is_open, _) in left_open.items()})
        if self.is_from_scratch:
            if fine_tune > 0:
                raise OptionError(
                    f"--fine-tune {fine_tune}: {self.architecture} begins with random weights, so "
                    f"that the whole network trains; leave it out"
                )
            object.__setattr__(self, "views", 0)
            object.__setattr__(self, "fine_tune", 0)
        check_choice(self.architecture, self.backbone_weights, self.width_multiplier)

    def _check_limits(self, open_values: dict[str, Any]) -> None:
        for knob in fields(self):
            limits, value = knob.metadata["limits"], getattr(self, knob.name)
            if limits and not limits[0] <= value <= limits[1]:
                usual = open_values.get(knob.name)
                raise OptionError(
                    f"--{knob.name.replace('_', '-')} {value} is out of range: expected "
                    f"{limits[0]:g} to {limits[1]:g}"
                    + (f", or {usual} for the network's own" if usual is not None else "")
                )

    @property
    def is_from_scratch(self) -> bool:
        """Whether no weight was learned before, so that the whole network has to train."""
        return self.backbone_weights == "none"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def without_folders(self) -> dict[str, Any]:
        """The options as a model's card tells them: no path of the machine that trained."""
        return {**asdict(self), "backbone_weights": Path(self.backbone_weights).name}
