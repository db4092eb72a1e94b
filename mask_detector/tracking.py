"""Follow faces from frame to frame, and hold one calm verdict on each.

    tracker = FaceTracker(class_names, least_confidence)
    tracks = tracker.update(boxes, frame.time_s)
    for track in tracks:
        if track.is_due:
            track.observe(probabilities)  # of the face in track.box
    faces = [track.face() for track in tracks]

A box continues the track whose expected place it overlaps most, as in Bewley et al., Simple online
and realtime tracking, ICIP 2016, https://arxiv.org/abs/1602.00763. ByteTrack's second round, in
which boxes that score too little to begin a track may continue one, joined hardly any track in a
clip of crowds, and verdicts changed more often. The package `trackers` does all that too, but its
import takes 0.7 s and 75 MB, where the first verdict shall be there in 0.2 s.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mask_detector.detection_scores import iou_of
from mask_detector.face_boxes import edges_of
from mask_detector.pace import Pace
from mask_detector.types import LOST_S, Face, FaceBox

_LEAST_STEP_S = 0.004  # between two frames; a clock that says less stands, or was set back,
_USUAL_STEP_S = 0.04  # and this is taken instead
_COASTING_S = 0.2  # a face that is not seen comes to rest within about this time
_SPEED_WEIGHT = 0.4  # of the newest step in a track's speed: detectors' boxes tremble
_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class TrackingOptions:
    """Where fractions are of a box, they are of the root of its area."""

    every: int = 10  # frames after which a settled face is classified again; 1: in every frame
    every_s: float = 0.4  # or seconds, whichever have passed first
    first_verdicts: int = 3  # a new face is classified in this many frames in a row
    moved: float = 0.3  # and any face once it has moved by this fraction of its box
    resized: float = 0.15  # or grown or shrunk by this fraction
    newest_weight: float = 0.45  # of the newest probabilities in the smoothed ones, 0-1
    overturn: float = 0.7  # smoothed probability from which a verdict replaces another
    doubt_s: float = 0.5  # a verdict is given up after so long below the least confidence
    least_overlap: float = 0.2  # IoU from which a box may continue a track
    reach: float = 0.3  # boxes are compared with this fraction more on each side
    lost_s: float = LOST_S  # a face not seen for longer is a new one when it comes back; see `pace`


class Track:
    """One face over the frames: where it is, and what it wears."""

    def __init__(self, track_id: int, box: FaceBox, tracker: FaceTracker) -> None:
        self.track_id, self.box, self.is_due = track_id, box, True
        self.verdict: str | None = None  # None is "not sure"
        self.seen_s = tracker.now_s
        self._tracker = tracker
        self._centre, self._speed = box.centre, (0.0, 0.0)  # pixels, pixels per second
        names = tracker.class_names
        self._smoothed = (1 / len(names),) * len(names)
        self._verdicts = 0  # how many were folded in
        self._is_uncertain = True
        self._doubted_s: float | None = None  # since when the verdict lacks evidence
        self._judged_box, self._judged_turn = box, 0
        # Neighbouring multiples of the golden ratio lie far apart, however many there are: what
        # is refreshed in turns never comes all at once.
        self._slot = track_id * _GOLDEN_RATIO % 1

    def expected_box(self, now_s: float) -> tuple[float, float, float, float]:
        """Left, top, right, bottom if it keeps its speed, and slows down where it is lost."""
        coasted_s = _COASTING_S * -math.expm1((self.seen_s - now_s) / _COASTING_S)
        across, down = (speed * coasted_s for speed in self._speed)
        box = self.box
        return box.left + across, box.top + down, box.right + across, box.bottom + down

    def follow(self, box: FaceBox) -> None:
        """Take this frame's box, and decide whether it has to be classified."""
        now_s = self._tracker.now_s
        passed_s, self.seen_s, self.box = now_s - self.seen_s, now_s, box
        centre, old, w = box.centre, self._centre, _SPEED_WEIGHT
        steps = zip(self._speed, centre, old, strict=True)
        self._speed = tuple(v + w * ((new - at) / passed_s - v) for v, new, at in steps)
        self._centre = centre
        options = self._tracker.options
        self.is_due = (
            self._verdicts < options.first_verdicts
            or self._is_uncertain
            or self._turn() > self._judged_turn
            or _has_moved(self._judged_box, box, options)
        )

    def observe(self, probabilities: Sequence[float] | np.ndarray) -> None:
        """Fold in what the classifier says of this frame's face, `(classes,)`.

        A moving average, at first a plain mean: the mean of probabilities bears the classifier's
        errors better than their product (the mean of logarithms), in which a single wrong
        certainty outweighs all. Source: Kittler et al., On combining classifiers, TPAMI 1998.
        """
        newest = [float(p) for p in probabilities]
        self._verdicts += 1
        w = max(self._tracker.options.newest_weight, 1 / self._verdicts)
        pairs = zip(self._smoothed, newest, strict=True)
        self._smoothed = tuple(old + w * (new - old) for old, new in pairs)
        self._judge()
        # A face that is not sure and stays so is settled too: a crowd of them costs no more.
        is_sure = max(newest) >= self._tracker.least_confidence
        newest_verdict = self._tracker.class_names[newest.index(max(newest))] if is_sure else None
        self._is_uncertain = newest_verdict != self.verdict or self._doubted_s is not None
        self._judged_box, self._judged_turn, self.is_due = self.box, self._turn(), False

    def face(self, *, is_clear: bool = True) -> Face:
        """This frame's face as the track sees it; one that is not clear has no sure verdict."""
        names, least = self._tracker.class_names, self._tracker.least_confidence
        return Face(self.box, self._smoothed, names, self.track_id, least, self.verdict, is_clear)

    def _judge(self) -> None:
        """Hysteresis: replacing a verdict takes more evidence than having one, losing it time."""
        names, least = self._tracker.class_names, self._tracker.least_confidence
        options, now_s = self._tracker.options, self._tracker.now_s
        highest = max(self._smoothed)
        if highest >= max(least, options.overturn if self.verdict else 0.0):
            self.verdict = names[self._smoothed.index(highest)]
        if self.verdict is None:
            return
        if self._smoothed[names.index(self.verdict)] >= least:
            self._doubted_s = None
        elif self._doubted_s is None:
            self._doubted_s = now_s
        elif now_s - self._doubted_s >= options.doubt_s:
            self.verdict = self._doubted_s = None

    def _turn(self) -> int:
        return math.floor(self._tracker.turns + self._slot)


class FaceTracker:
    """Gives every box of a frame to the face it belongs to.

    Args:
        class_names: of the probabilities that tracks will observe.
        least_confidence: below it a verdict is "not sure", see `ModelCard.least_confidence`.
        options: its knobs.
    """

    def __init__(
        self,
        class_names: tuple[str, ...],
        least_confidence: float = 0.0,
        options: TrackingOptions | None = None,
    ) -> None:
        self.class_names, self.least_confidence = class_names, least_confidence
        self.options = options or TrackingOptions()
        self._last_id = 0
        self._tracks: list[Track] = []
        self._pace = Pace()
        self._time_s: float | None = None  # of the newest frame, by the source's clock
        self.now_s = 0.0  # since the beginning, by a clock that only goes forward
        self.turns = 0.0  # how often every settled face was classified again

    def update(self, boxes: list[FaceBox], time_s: float) -> list[Track]:
        """Match a frame's boxes to the faces seen before.

        Args:
            boxes: of this frame.
            time_s: when it was taken; the clock may stand still or be set back.

        Returns:
            The faces of this frame, the surest box first.
        """
        self._advance(time_s)
        lost_s = self._pace.patience_s(self.options.lost_s)
        self._tracks = [t for t in self._tracks if self.now_s - t.seen_s <= lost_s]
        for box in self._follow(boxes):
            self._last_id += 1
            self._tracks.append(Track(self._last_id, box, self))
        seen = [track for track in self._tracks if track.seen_s == self.now_s]
        return sorted(seen, key=lambda track: -track.box.score)

    def _advance(self, time_s: float) -> None:
        step_s = 0.0 if self._time_s is None else time_s - self._time_s
        step_s = step_s if step_s >= _LEAST_STEP_S else _USUAL_STEP_S
        self._time_s = time_s
        self.now_s += step_s
        self._pace.take(self.now_s)
        self.turns += min(1.0, max(1 / self.options.every, step_s / self.options.every_s))

    def _follow(self, boxes: list[FaceBox]) -> list[FaceBox]:
        """Let tracks follow the boxes they overlap most; what boxes are left is returned.

        The best pair first, not the best sum over all pairs: both gave the same pairs in every
        frame of four clips, and scipy's `linear_sum_assignment` takes 0.5 s and 50 MB to import.
        """
        if not self._tracks or not boxes:
            return boxes
        expected = np.array([track.expected_box(self.now_s) for track in self._tracks])
        sides = expected, edges_of(boxes)
        overlaps = iou_of(*(_widened(some, self.options.reach) for some in sides))
        rows, columns = np.nonzero(overlaps >= self.options.least_overlap)
        best_first = np.argsort(-overlaps[rows, columns], kind="stable")
        followed: set[int] = set()
        taken: set[int] = set()
        for pair in best_first:
            row, column = int(rows[pair]), int(columns[pair])
            if row not in followed and column not in taken:
                followed.add(row)
                taken.add(column)
                self._tracks[row].follow(boxes[column])
        return [box for column, box in enumerate(boxes) if column not in taken]


def _widened(boxes: np.ndarray, reach: float) -> np.ndarray:
    """Boxes `(n, 4)` with more on each side: a fast or small face still meets itself.

    Source: Yang et al., Hard to track objects with irregular motions and similar appearances? Make
    it easier by buffering the matching space, WACV 2023, https://arxiv.org/abs/2211.14317
    """
    more = (boxes[:, 2:] - boxes[:, :2]) * reach
    return np.concatenate([boxes[:, :2] - more, boxes[:, 2:] + more], axis=1)


def _has_moved(old: FaceBox, new: FaceBox, options: TrackingOptions) -> bool:
    size, new_size = (math.sqrt(max(1, box.width * box.height)) for box in (old, new))
    if math.dist(old.centre, new.centre) > options.moved * size:
        return True
    return abs(math.log(new_size / size)) > math.log1p(options.resized)
