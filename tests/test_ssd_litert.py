"""The face SSD built anew for LiteRT: against OpenCV's run of the same Caffe network."""

import dataclasses
from functools import partial

import cv2
import numpy as np
import pytest

from mask_detector.assets import SSD_PROTOTXT, SSD_WEIGHTS
from mask_detector.errors import ModelError
from mask_detector.images import read_image
from mask_detector.ssd import preparation as ssd_preparation
from mask_detector.ssd.caffe_description import read_layers, read_weights
from mask_detector.ssd.file import SsdRecord
from mask_detector.ssd.litert import Canvas, LiteRtSsdDetector, SsdRunner, decode
from mask_detector.ssd.network import Ranges, build_network
from mask_detector.ssd.opencv import SsdDetector
from mask_detector.ssd.preparation import (
    CONFIDENCE,
    SsdMaker,
    compare_runs,
    largest_difference,
)
from mask_detector.ssd.scenes import USUAL_HEIGHTS, made_up_scenes

NATIVE = (300, 300)
WIDE = (400, 224)
ODD = (333, 333)  # every grid of it is odd where that of 400 is even, or the other way round


@pytest.fixture(scope="module")
def paths(face_folder):
    return face_folder / SSD_PROTOTXT.name, face_folder / SSD_WEIGHTS.name


@pytest.fixture(scope="module")
def box(paths, portrait):
    return SsdDetector(*paths, 0.5).detect(portrait)[0]


@pytest.fixture(scope="module")
def makers(keras, paths, portrait):
    """Makers by the size of their network, each made once."""
    made = {}

    def maker_of(size):
        if size not in made:
            made[size] = SsdMaker(*paths, size, [portrait])
        return made[size]

    return maker_of


@pytest.fixture(scope="module")
def int8(makers, box):
    return makers(NATIVE).int8(list(made_up_scenes(box, 48, seed=1)))


@pytest.fixture
def crowd(data):
    """Street photos with many faces, uint8 BGR."""
    paths = sorted((data / "ilc2021" / "images").iterdir())
    if not paths:
        pytest.skip("needs the photos of ilc2021")
    return [cv2.cvtColor(read_image(path), cv2.COLOR_RGB2BGR) for path in paths[::16]]


def scenes(box, count):
    """Scenes of a seed in which no two boxes tie for the last place that OpenCV compares."""
    return list(made_up_scenes(box, count, seed=6, heights=USUAL_HEIGHTS))


@pytest.mark.parametrize("size", [NATIVE, WIDE, ODD])
def test_the_network_built_anew_says_what_opencv_says(size, makers, paths, portrait, box):
    """Raw numbers by OpenCV's own names of the layers, not through our reading of them."""
    network = cv2.dnn.readNetFromCaffe(*map(str, paths))
    runner = SsdRunner(makers(size).float32)
    for image in [portrait, *scenes(box, 2)]:
        logits, offsets = (np.concatenate(grids) for grids in runner(image))
        blob = cv2.dnn.blobFromImage(cv2.resize(image, size), 1.0, None, (104, 177, 123))
        network.setInput(blob)
        expected_offsets, expected_scores = network.forward(["mbox_loc", "mbox_conf"])
        np.testing.assert_allclose(offsets.ravel(), expected_offsets.ravel(), atol=1e-4)
        np.testing.assert_allclose(logits, expected_scores.reshape(-1, 2) @ (-1, 1), atol=1e-4)
        assert np.ptp(logits) > 5  # a picture with faces and without


@pytest.mark.parametrize("size", [NATIVE, ODD])
@pytest.mark.parametrize("confidence", [0, 0.05, 0.3, 1.0])
def test_float32_finds_opencvs_very_boxes(size, confidence, makers, paths, portrait, box):
    ours = LiteRtSsdDetector(makers(size).float32, confidence)
    theirs = SsdDetector(*paths, confidence, size)
    count = 0
    for image in [portrait, *scenes(box, 6)]:
        found, expected = ours.detect(image), theirs.detect(image)
        assert len(found) == len(expected)
        rows, others = (
            np.array([(b.left, b.top, b.right, b.bottom, b.score) for b in boxes]).reshape(-1, 5)
            for boxes in (found, expected)
        )
        # An edge that lies half-way between two pixels may be rounded either way.
        np.testing.assert_allclose(rows, others, atol=1.001 if len(rows) else 0)
        np.testing.assert_allclose(rows[:, 4], others[:, 4], atol=1e-4)
        count += len(found)
    assert count > 7 if confidence < 1 else count == 0


def test_boxes_are_decoded_as_the_paper_says():
    priors = np.array([[0.2, 0.4, 0.6, 0.6]])
    edges = decode(np.array([[0.5, -1.0, np.log(2), 0.0]]), priors)
    np.testing.assert_allclose(edges, [[0.2, 0.2, 1.0, 0.4]])  # centre (.6, .3), size (.8, .2)
    np.testing.assert_allclose(decode(np.zeros((1, 4)), priors), priors)
    assert decode(np.empty((0, 4)), np.empty((0, 4))).shape == (0, 4)


def test_int8_finds_what_opencv_finds_in_scenes(int8, makers, box):
    quick = LiteRtSsdDetector(int8, CONFIDENCE)
    parity = compare_runs(makers(NATIVE).opencv, quick, scenes(box, 40))
    assert parity.box_count > 60 and parity.is_within_bounds, parity


def test_int8_finds_what_opencv_finds_in_street_photos(int8, makers, crowd):
    quick = LiteRtSsdDetector(int8, CONFIDENCE)
    parity = compare_runs(makers(NATIVE).opencv, quick, crowd)
    assert parity.box_count > 100 and parity.is_within_bounds, parity


def test_the_parity_counts_what_is_lost_and_what_is_new(makers, portrait, paths):
    """Against a detector that is blind, one that is stricter, and itself."""
    opencv, photos = makers(NATIVE).opencv, [portrait, np.hstack([portrait, portrait[:, ::-1]])]

    def parity_with(confidence):
        return compare_runs(opencv, SsdDetector(*paths, confidence, NATIVE), photos)

    same, blind, rash = parity_with(CONFIDENCE), parity_with(1.0), parity_with(0.05)
    assert (same.photo_count, same.box_count, same.found, same.extra) == (2, 3, 3, 0)
    assert same.is_within_bounds and min(same.milliseconds) > 0
    assert (blind.found, blind.extra) == (0, 0) and not blind.is_within_bounds
    assert rash.found == 3 and rash.extra > 0 and not rash.is_within_bounds


def test_a_network_with_one_weight_changed_is_not_kept(keras, paths, portrait, makers):
    maker = makers(NATIVE)
    network = bytearray(maker.float32.network)
    weight = read_weights(paths[0].read_text(), paths[1].read_bytes())["conv6_2_h"][1].ravel()
    place = network.find(weight.astype(np.float32).tobytes())
    assert place > 0  # a bias, which is kept as Caffe has it
    network[place : place + 4] = np.float32(weight[0] + 1).tobytes()
    damaged = dataclasses.replace(maker.float32, network=bytes(network))
    assert largest_difference(maker.float32, maker.opencv, [portrait]) < 1e-4
    assert largest_difference(damaged, maker.opencv, [portrait]) > 1e-2


def test_a_network_that_says_something_else_is_refused(keras, paths, portrait, monkeypatch):
    monkeypatch.setattr(ssd_preparation, "MOST_DIFFERENCE", 1e-9)  # rounding alone is more
    with pytest.raises(ModelError, match="96x96 pixels built anew differs from OpenCV's run by"):
        SsdMaker(*paths, (96, 96), [portrait])


def test_a_layer_of_an_unknown_kind_is_named(keras, paths):
    text = paths[0].read_text()
    weights = read_weights(text, paths[1].read_bytes())
    layers = read_layers(text.replace('type: "Eltwise"', 'type: "Crop"'))
    with pytest.raises(ModelError, match="layer_64_1_sum is a Crop, which is not known"):
        build_network(layers, weights, 96, 96, SsdDetector.MEAN_BGR)


@pytest.mark.parametrize("text", ["", "layer {", "layer { name: 3", "<html>", "layer { a { } }"])
def test_what_is_no_description_is_refused(text):
    with pytest.raises(ModelError, match="can't be read"):
        read_layers(text)


def test_a_rectangle_is_built_too(keras, paths, portrait):
    """As Caffe would run it: the raw numbers of OpenCV's run on a picture of that shape."""
    text = paths[0].read_text()
    built = build_network(
        read_layers(text), read_weights(text, paths[1].read_bytes()), 160, 224, (104, 177, 123)
    )
    image = cv2.resize(portrait, (224, 160))
    record = SsdRecord("", 160, 224, "float32", built.margin, built.edge_bgr, ())
    canvas = Canvas(record, built.model.input_shape, np.float32)
    answers = built.model(canvas.show(image).copy())
    network = cv2.dnn.readNetFromCaffe(*map(str, paths))
    network.setInput(cv2.dnn.blobFromImage(image, 1.0, None, (104, 177, 123)))
    (expected,) = network.forward("mbox_loc")
    offsets = [np.ravel(answers[f"offsets_{grid}"]) for grid in range(6)]
    np.testing.assert_allclose(np.concatenate(offsets), expected, atol=1e-4)


def test_levelled_channels_change_no_answer(keras, paths, portrait):
    """Ranges are for eight bits; in floats the network says the same with and without them."""
    text = paths[0].read_text()
    layers, weights = read_layers(text), read_weights(text, paths[1].read_bytes())
    build = partial(build_network, layers, weights, 96, 128, SsdDetector.MEAN_BGR)
    plain = build()
    record = SsdRecord("", 96, 128, "float32", plain.margin, plain.edge_bgr, ())
    canvas = Canvas(record, plain.model.input_shape, np.float32)
    shown = [canvas.show(image).copy() for image in (portrait, portrait[:, ::-1])]
    measured = [plain.inner(each) for each in shown]

    def most(relu, part):
        tensors = [np.asarray(answer[relu][part], float) for answer in measured]
        return np.max(tensors, axis=(0, 1, 2, 3))

    ranges = {
        relu: Ranges(most(relu, "out"), most(relu, "addend") if "addend" in parts else None)
        for relu, parts in measured[0].items()
    }
    levelled = build(ranges=ranges)
    for each in shown:
        answers, expected = levelled.model(each), plain.model(each)
        for name in expected:
            np.testing.assert_allclose(answers[name], expected[name], atol=1e-4)
        inner, usual = levelled.inner(each), plain.inner(each)
        for relu in ranges:
            assert spread(inner[relu]["out"]) < 0.9 * spread(usual[relu]["out"])


def spread(tensor):
    """How much larger the largest channel gets than channels do on average."""
    most = np.max(tensor, axis=(0, 1, 2))
    return most.max() / most.mean()
