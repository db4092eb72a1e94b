"""Tracks step by step: whose box is whose, when a face is classified, and what is said of it."""

import itertools
from collections import Counter

import numpy as np
import pytest

from mask_detector.tracking import FaceTracker, TrackingOptions
from mask_detector.types import FaceBox

NAMES = ("with_mask", "without_mask")
MASK, BARE, UNSURE = (0.97, 0.03), (0.04, 0.96), (0.52, 0.48)
LEAST = 0.6


def box(x, y=100, size=80, score=0.9):
    """A face by its centre."""
    half = size // 2
    return FaceBox(round(x) - half, round(y) - half, round(x) + half, round(y) + half, score)


def verdict_of(face):
    return face.label if face.is_sure else None


def ids(tracks):
    return [track.track_id for track in tracks]


REST = box(100)


class Clip:
    """Plays frames to a tracker, at a steady rate, and answers every track that is due."""

    def __init__(self, fps=25, names=NAMES, least=LEAST, **options):
        self.tracker = FaceTracker(names, least, TrackingOptions(**options))
        self.step_s, self.time_s, self.asked = 1 / fps, 0.0, []

    def play(self, boxes, probabilities=MASK):
        """One frame; the track of every face. `asked` keeps the ids that were due."""
        tracks = self.tracker.update(boxes, self.time_s)
        self.time_s += self.step_s
        self.asked = ids(track for track in tracks if track.is_due)
        for track in tracks:
            if track.is_due:
                track.observe(probabilities)
        return tracks

    def verdicts(self, probabilities, frames):
        """What one resting face shows in each of some frames; None is not sure."""
        return [verdict_of(self.play([REST], probabilities)[0].face()) for _ in range(frames)]

    def requests(self, frames, probabilities=MASK):
        """In which of some frames one resting face asks to be classified."""
        asked = [self.play([REST], probabilities) and self.asked == [1] for _ in range(frames)]
        return np.flatnonzero(asked).tolist()


# Whose box is whose


def test_without_boxes_there_are_no_faces():
    clip = Clip()
    assert [clip.play([]) for _ in range(3)] == [[], [], []]


def test_ids_count_up_from_one_and_the_surest_box_comes_first():
    clip = Clip()
    tracks = clip.play([box(100, score=0.5), box(300, score=0.9), box(500, score=0.7)])
    assert [track.box.score for track in tracks] == [0.9, 0.7, 0.5]
    assert sorted(ids(tracks)) == [1, 2, 3]


def test_a_face_keeps_its_id_and_shows_the_box_of_the_frame():
    clip = Clip()
    for x in range(100, 400, 12):
        (track,) = clip.play([box(x, size=80 + x // 20)])
        assert track.track_id == 1 and track.box == box(x, size=80 + x // 20)
        assert track.face().box == track.box and track.face().track_id == 1


def test_faces_that_cross_keep_their_ids_though_one_hides_the_other():
    clip = Clip()
    for step in range(41):
        near, far = box(100 + 10 * step, 100, 80), box(500 - 10 * step, 120, 70)
        is_hidden = abs(near.left - far.left) < 60
        tracks = clip.play([near] if is_hidden else [near, far])
        box_of = {track.track_id: track.box for track in tracks}
        assert box_of == ({1: near} if is_hidden else {1: near, 2: far}), step


def test_a_face_hidden_for_half_a_second_is_the_same_afterwards_and_later_a_new_one():
    for hidden_frames, expected in ((12, 1), (30, 2)):
        clip = Clip()
        for x in range(100, 200, 4):
            clip.play([box(x)])
        for _ in range(hidden_frames):
            assert clip.play([]) == []
        assert ids(clip.play([box(210)])) == [expected]


def test_a_face_that_returns_is_classified_at_once():
    clip = Clip()
    clip.verdicts(MASK, 10)
    for _ in range(11):
        clip.play([])
    assert clip.requests(1) == [0]


def test_a_face_may_jump_by_almost_its_width_and_run_by_more():
    clip = Clip()
    x = 100
    for step in (0, 70, 40, 50, 60, 70, 80, 90, 100, 110, 110, 110):  # pixels; it is 80 wide
        x += step
        assert ids(clip.play([box(x)])) == [1], step


def test_one_leaves_and_another_comes_in_elsewhere():
    clip = Clip()
    clip.play([box(100), box(300)])
    assert ids(clip.play([box(300)])) == [2]
    assert sorted(ids(clip.play([box(300), box(700)]))) == [2, 3]


@pytest.mark.parametrize("times", [[5.0] * 80, [5.0 - 0.1 * n for n in range(80)]])
def test_a_clock_that_stands_or_goes_back_keeps_no_face_for_ever(times):
    tracker = FaceTracker(NAMES, LEAST)
    assert [ids(tracker.update([REST], time_s)) for time_s in times[:2]] == [[1], [1]]
    for time_s in times[2:-1]:
        tracker.update([], time_s)
    assert ids(tracker.update([REST], times[-1])) == [2]


def test_a_looping_file_goes_on_with_the_same_faces():
    tracker = FaceTracker(NAMES, LEAST)
    assert all(ids(tracker.update([REST], n % 20 / 25)) == [1] for n in range(100))


def test_sixty_trembling_faces_keep_their_ids():
    rng = np.random.default_rng(3)
    places = [np.array([60 + 95 * (n % 10), 60 + 95 * (n // 10)], float) for n in range(60)]
    speeds = rng.normal(0, 0.5, (60, 2))
    clip = Clip()
    seen = []
    for _ in range(30):
        places = [place + speed for place, speed in zip(places, speeds, strict=True)]
        boxes = [box(*(place + rng.normal(0, 2, 2)), size=50) for place in places]
        tracks = clip.play([boxes[n] for n in rng.permutation(60)])
        id_of = {track.box: track.track_id for track in tracks}
        seen.append([id_of[found] for found in boxes])
    assert sorted(seen[0]) == list(range(1, 61))
    assert all(now == seen[0] for now in seen)


# When a face is classified


def test_a_settled_face_is_classified_when_new_and_then_every_tenth_frame():
    clip = Clip()
    requests = clip.requests(63)
    assert requests[:3] == [0, 1, 2]
    assert len(requests) == 3 + 6 and set(np.diff(requests[3:])) == {10}


def test_every_frame_when_asked_for():
    assert Clip(every=1).requests(20) == list(range(20))


def test_slow_cameras_are_not_left_waiting():
    clip = Clip(fps=5)  # 10 frames would be 2 s
    assert len(clip.requests(23)) == 3 + 10


def test_a_face_that_moves_or_grows_is_classified_again():
    for moved in (box(130), box(100, 130), box(100, size=110), box(100, size=60)):
        clip = Clip(every=1000, every_s=1000)
        clip.verdicts(MASK, 4)
        assert clip.asked == []
        assert clip.play([moved]) and clip.asked == [1], moved
        assert clip.play([moved]) and clip.asked == []


def test_trembling_is_not_moving():
    clip = Clip(every=1000, every_s=1000)
    clip.verdicts(MASK, 4)
    for n in range(20):
        clip.play([box(100 + 5 * (n % 2), 100 - 4 * (n % 3), size=80 + 6 * (n % 2))])
        assert clip.asked == []


@pytest.mark.parametrize("count", [10, 40])
def test_many_settled_faces_are_refreshed_in_turn(count):
    clip = Clip()
    boxes = [box(60 + 100 * (n % 10), 60 + 100 * (n // 10), size=60) for n in range(count)]
    requests = [clip.play(boxes) and clip.asked for _ in range(53)][3:]
    loads = [len(asked) for asked in requests]
    asked = Counter(itertools.chain(*requests))
    assert set(asked.values()) == {5} and len(asked) == count
    assert max(loads) <= count // 10 + 1 and min(loads) >= count // 10 - 1


# What is said of it


def test_a_face_is_not_sure_until_it_is_classified_and_then_at_once():
    (track,) = FaceTracker(NAMES, LEAST).update([REST], 0.0)
    face = track.face()
    assert (face.is_sure, face.verdict, sum(face.probabilities)) == (False, None, 1)
    track.observe(np.float32(BARE))
    face = track.face()
    assert (face.is_sure, face.verdict, face.label) == (True, "without_mask", "without_mask")
    assert face.confidence == pytest.approx(0.96)


def test_a_single_wrong_frame_changes_nothing():
    clip = Clip(every=1)
    for probabilities, frames in ((MASK, 5), (BARE, 1), (MASK, 3), (UNSURE, 1), (MASK, 3)):
        assert set(clip.verdicts(probabilities, frames)) == {"with_mask"}


@pytest.mark.parametrize("fps", [10, 15, 25])
def test_a_mask_put_on_is_seen_within_about_half_a_second(fps):
    for phase in range(10):
        clip = Clip(fps=fps)
        assert set(clip.verdicts(BARE, 20 + phase)) == {"without_mask"}
        shown = clip.verdicts(MASK, fps)
        changed = shown.index("with_mask")
        assert set(shown[changed:]) == {"with_mask"}
        assert changed / fps <= 0.6, (phase, changed)


def test_a_face_is_classified_in_every_frame_while_it_changes():
    clip = Clip()
    clip.verdicts(BARE, 20)
    steps = [(clip.verdicts(MASK, 1)[0], len(clip.asked)) for _ in range(15)]
    first = steps.index(("without_mask", 1))  # the first look at the mask
    assert [asked for _, asked in steps[first : first + 3]] == [1, 1, 1]
    assert [verdict for verdict, _ in steps[first + 2 :]] == ["with_mask"] * (13 - first)


def test_a_face_that_stays_unsure_becomes_not_sure_and_needs_clear_evidence_again():
    clip = Clip(every=1)
    clip.verdicts(MASK, 5)
    shown = clip.verdicts(UNSURE, 40)
    assert shown[:5] == ["with_mask"] * 5 and shown[-1] is None
    changed = shown.index(None)
    assert set(shown[changed:]) == {None} and changed / 25 < 1
    assert set(clip.verdicts((0.65, 0.35), 1)) == {None}  # one is not enough to be sure again
    assert clip.verdicts(MASK, 3)[-1] == "with_mask"


def test_a_face_that_was_never_sure_costs_no_more_than_a_settled_one():
    clip = Clip()
    assert len(clip.requests(63, UNSURE)) == 3 + 6
    assert clip.verdicts(MASK, 12)[-1] == "with_mask"


def test_three_classes():
    names = ("with_incorrect_mask", "with_mask", "without_mask")
    clip = Clip(names=names, least=0.87)
    bare, wrong, mask = (0.02, 0.01, 0.97), (0.95, 0.02, 0.03), (0.01, 0.98, 0.01)
    for probabilities, name in ((bare, names[2]), (wrong, names[0]), (mask, names[1])):
        shown = clip.verdicts(probabilities, 25)
        assert shown[-1] == name
        face = clip.play([box(100)], probabilities)[0].face()
        assert sum(face.probabilities) == pytest.approx(1)
        assert face.confidence == face.probabilities[names.index(name)] > 0.87
    assert None not in shown  # from one verdict to the next without a gap


def test_a_model_without_a_threshold_is_always_sure():
    clip = Clip(least=0.0, every=1)
    assert clip.verdicts((0.51, 0.49), 1) == ["with_mask"]
    assert set(clip.verdicts((0.45, 0.55), 50)) == {"with_mask"}  # not clear enough to change it
    assert clip.verdicts(BARE, 5)[-1] == "without_mask"
