"""What tells faces from other things learns from boxes on and off faces, and from no others."""

import numpy as np
import pytest

from mask_detector.detection_scores import ScoredPhoto


def test_sureness_is_0_at_chance_and_1_where_there_is_no_doubt(keras):
    from benchmarks.background_class import sureness

    two = np.array([[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]])
    assert sureness(two) == pytest.approx([0, 0.5, 1])
    assert sureness(np.array([[1 / 3] * 3, [0, 0, 1]])) == pytest.approx([0, 1])
    assert sureness(np.empty((0, 2))).shape == (0,)


def test_faces_are_learned_from_clear_boxes_alone(keras):
    """Boxes half on a face look like faces here; as background they would turn the answer round."""
    from benchmarks.background_class import learn_faces

    face = np.array([[0.0, 0, 100, 100]])
    boxes = {"on": (0, 0, 100, 100), "half on": (50, 0, 150, 100), "off": (300, 300, 400, 400)}
    side = {"on": 1.0, "half on": 1.0, "off": -1.0}  # of the only feature
    photos, features = [], []
    for names in [("on", "off"), ("half on",) * 9, (), ("off",)] * 40:
        edges = np.array([boxes[name] for name in names], float).reshape(-1, 4)
        scores = np.full(len(names), 0.5)
        photos.append(ScoredPhoto(face, np.array([0]), edges, scores, np.empty((len(names), 2))))
        features += [[side[name]] for name in names]
    is_face = learn_faces(photos, np.array(features))
    on, off = is_face(np.array([[1.0], [-1.0]]))
    assert on > off + 0.01
