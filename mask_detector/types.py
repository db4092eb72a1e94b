"""What flows through the program: small frozen records, numpy only."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

# How much of its surroundings a face keeps when it is cut out, as a fraction of the box per
# side: the middle of what training shows, since no two detectors draw their boxes alike.
DEFAULT_CROP_MARGIN = 0.2

SMALLEST_SIDE = 16  # pixels of a picture or a face to learn from; less shows no mask to a person

# Of a face that can be judged, chosen on validation photos (`benchmarks/unclear_faces.py`).
LEAST_FACE_SIDE = 16  # pixels of its shorter side
LEAST_FACE_VISIBLE = 0.8  # part of its box inside the picture

# Of a track, by every count of people.
LEAST_FRAMES = 5  # in which it is seen: what a detector takes for a face by mistake is gone by then
LOST_S = 1.0  # without being seen, after which its person has left
ROUNDING_S = 1e-6  # a clock of sums misses a round number of seconds by less

NOT_SURE_THRESHOLD = "not_sure"  # its key in ModelCard.thresholds
LEAST_CONFIDENCE = 0.7  # of a verdict that is given, whatever the model; see docs/accuracy.md

PHOTOS = "photos"  # the stream of frames that have nothing to do with each other


EDGES = ("left", "top", "right", "bottom")  # of a box, in this order wherever it is written


@dataclass(frozen=True)
class FaceBox:
    """Where a face is, in pixels of the picture it was found in; right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int
    score: float  # how sure the detector is that this is a face, 0-1
    # Which part of it lies inside the picture, 0-1; two boxes are the same whatever it is.
    visible: float = field(default=1.0, compare=False, repr=False)

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def edges(self) -> tuple[int, int, int, int]:
        """Its `EDGES`."""
        return self.left, self.top, self.right, self.bottom

    @property
    def has_area(self) -> bool:
        return self.width > 0 and self.height > 0

    @property
    def centre(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies in it."""
        return self.left <= x < self.right and self.top <= y < self.bottom

    def widened(self, margin: float) -> FaceBox:
        """With that fraction of its width more left and right, of its height above and below."""
        across, down = round(self.width * margin), round(self.height * margin)
        corners = self.left - across, self.top - down, self.right + across, self.bottom + down
        return FaceBox(*corners, self.score, self.visible)

    def within(self, width: int, height: int) -> FaceBox:
        """What a picture of that size shows of it; outside, a side of it is not above 0."""
        left, top = max(self.left, 0), max(self.top, 0)
        right, bottom = min(self.right, width), min(self.bottom, height)
        inside = max(0, right - left) * max(0, bottom - top)
        visible = self.visible * inside / max(1, self.width * self.height)
        return FaceBox(left, top, right, bottom, self.score, visible)


@dataclass(frozen=True)
class LabelledBox:
    """A face that a person has marked in a photo, and the class that they gave it."""

    box: FaceBox
    class_name: str


@dataclass(frozen=True)
class ListedPhoto:
    """A photo of a data set; nothing says yet that it can be decoded."""

    path: Path
    class_name: str = ""  # of a photo with boxes: the rarest among its faces, once all are counted
    split: str | None = None  # train, val or test where the folders give one
    faces: tuple[LabelledBox, ...] = ()  # where they are marked

    @property
    def pictures(self) -> list[tuple[str, FaceBox | None]]:
        """Class and box of each of its faces; where none is marked, of the photo itself."""
        return [(f.class_name, f.box) for f in self.faces] or [(self.class_name, None)]


@dataclass(frozen=True)
class Sample:
    """One labelled picture to train or test on: a photo, or a face in it.

    `group` numbers the cluster of duplicates, augmented copies or photos of one person that it
    belongs to: a group is never torn apart by a split.
    """

    path: Path
    label: int
    group: int
    box: FaceBox | None = None  # the face to cut out; None takes the photo as it is
    orientation: int = 0  # in which it is shown, see `orientations.py`; training draws its own


@dataclass(frozen=True)
class ModelCard:
    """What a model file says about itself; it travels inside the file (see `model_file.py`)."""

    class_names: tuple[str, ...]  # in the order of the model's outputs
    image_size: int  # side of the square input in pixels
    architecture: str = "unknown"
    crop_margin: float = DEFAULT_CROP_MARGIN  # fraction of the face box, per side
    temperature: float = 1.0  # logits are divided by it; 1 = as trained
    thresholds: dict[str, float] = field(default_factory=dict)
    training_data: dict[str, Any] = field(default_factory=dict)  # fingerprint, counts
    training_options: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)  # the test split's Report
    versions: dict[str, str] = field(default_factory=dict)
    exported_from: str = ""  # of an export: SHA-256 of the very model file it was made from
    number_format: str = "float32"  # of the file that carries this card: int8, float16, float32
    orientations: int = 1  # in which each picture is judged, see `orientations.py`

    @property
    def least_confidence(self) -> float:
        """Below it a verdict is "not sure": the threshold that training chose, or a higher one."""
        return max(self.thresholds.get(NOT_SURE_THRESHOLD, 0.0), LEAST_CONFIDENCE)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelCard:
        """Read a card; fields that a later version added are ignored."""
        known = {name: values[name] for name in cls.__dataclass_fields__ if name in values}
        known["class_names"] = tuple(known["class_names"])
        return cls(**known)


@dataclass(frozen=True)
class Frame:
    """One picture of a source."""

    image: np.ndarray  # (h, w, 3) uint8 BGR
    index: int
    time_s: float  # since the source began, never backwards; for a file the file's clock
    source: str  # its name, as people gave it; of a photo its path
    is_still: bool = False  # a photo: a window waits for a key before the next
    utc_s: float | None = None  # of a live source, by the machine's clock: seconds since 1970

    @property
    def stream(self) -> str:
        """What it shares with the frames that are shown in one place: its source, or photos."""
        return PHOTOS if self.is_still else self.source


@dataclass(frozen=True)
class Face:
    """A face and what the classifier says about it."""

    box: FaceBox
    probabilities: tuple[float, ...]  # one per class, in the order of class_names
    class_names: tuple[str, ...]
    track_id: int | None = None
    least_confidence: float = 0.0  # a less confident verdict is not given as one: "not sure"
    verdict: str | None = None  # a track's, held until the evidence against it is clear
    is_clear: bool = True  # large and whole enough to be judged; else no verdict is sure

    @property
    def label(self) -> str:
        """The verdict that is held, else the likeliest class, also where it is not sure."""
        return self.verdict or self.class_names[int(np.argmax(self.probabilities))]

    @property
    def is_sure(self) -> bool:
        """A held verdict is sure: its track gives it up as soon as it no longer is."""
        is_confident = self.verdict is not None or self.confidence >= self.least_confidence
        return self.is_clear and is_confident

    @property
    def confidence(self) -> float:
        """The probability of the label, which a held verdict may for a moment see fall low."""
        return self.probabilities[self.class_names.index(self.label)]


@dataclass(frozen=True)
class ClassScore:
    """Precision, recall and F1 of one class, and how many photos of it were judged."""

    precision: float
    recall: float
    f1: float
    n: int


@dataclass(frozen=True)
class Report:
    """How right a classifier is on labelled photos."""

    class_names: tuple[str, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]  # [true class][predicted class]
    per_class: dict[str, ClassScore]
    accuracy: float
    calibration_error: float  # expected calibration error, 0-1
    n: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
