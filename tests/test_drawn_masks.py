"""Masks drawn on real faces: where they lie, whose light they have, and what the model says."""

import cv2
import numpy as np
import pytest
from conftest import SHIPPED_MODEL

from mask_detector.assets import YUNET_WEIGHTS, provide
from mask_detector.errors import AssetError
from mask_detector.face_detectors import open_detector
from mask_detector.images import fit, read_image
from mask_detector.labels import Meaning, meaning_of
from mask_detector.mask_classifiers import load_classifier
from mask_detector.synthesis.drawn_masks import STYLES, MaskLook, draw_mask_on
from mask_detector.synthesis.face_landmarks import HeadFinder, open_head_finder
from mask_detector.synthesis.head_pose import LANDMARKS_MM, Head, fit_head
from mask_detector.synthesis.photo_light import softness

# Seen by eye on the portrait: (left, top, right, bottom).
EYES = ((200, 172, 245, 195), (280, 168, 325, 195))
MOUTH = (220, 262, 300, 292)
NOSTRILS = (245, 232, 290, 248)


def cut(image, place):
    left, top, right, bottom = place
    return image[top:bottom, left:right].astype(int)


def draw(image, head, style="surgical", seed=1, *, is_under_nose=False):
    look = MaskLook(style, is_under_nose)
    return draw_mask_on(image, head, look, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def finder(face_folder):
    try:
        provide(YUNET_WEIGHTS, face_folder)
    except AssetError as error:
        pytest.skip(f"needs YuNet's weights: {error}")
    return open_head_finder(face_folder)


@pytest.fixture(scope="module")
def head(finder, portrait):
    (found,) = finder.heads(portrait)
    return found


def turned(nod, turn, roll):
    """An average head turned by Rodrigues' formula, 2 pixels a millimetre."""
    angles = ((nod, 0, 0), (0, turn, 0), (0, 0, roll))
    about_x, about_y, about_z = (cv2.Rodrigues(np.array(a, float))[0] for a in angles)
    return Head(about_z @ about_y @ about_x, 2.0, np.array([300.0, 200.0]))


@pytest.mark.parametrize(
    "angles", [(0, 0, 0), (0.1, 0.5, 0), (0, -0.6, 0.3), (-0.15, 0, -0.8), (0.1, 0.3, 2.5)]
)
def test_a_turned_head_is_recognised_by_its_five_points(angles):
    truth = turned(*angles)
    found = fit_head(truth.project(LANDMARKS_MM))
    chin = np.array([0.0, 108.0, 4.0])
    miss = np.linalg.norm(found.project(chin) - truth.project(chin)) / truth.eye_distance
    assert miss < 0.1  # of the distance between the eyes; that people seldom nod pulls a little
    np.testing.assert_allclose(found.rotation, truth.rotation, atol=0.15)
    assert found.eye_distance == pytest.approx(truth.eye_distance, rel=0.05)


def test_the_points_of_the_portrait_are_where_they_are_seen(finder, portrait, head):
    eyes = head.project(LANDMARKS_MM[:2])
    for (left, top, right, bottom), (x, y) in zip(EYES, eyes, strict=True):
        assert left - 10 < x < right + 10 and top - 10 < y < bottom + 10
    mirrored = finder.heads(portrait[:, ::-1].copy())
    (other,) = mirrored
    assert other.turn(np.array([0, 0, 1.0]))[0] == pytest.approx(
        -head.turn(np.array([0, 0, 1.0]))[0], abs=0.15
    )


@pytest.mark.parametrize("style", STYLES)
def test_mouth_and_nose_are_covered_and_the_eyes_are_not(style, portrait, head):
    before = portrait.copy()
    drawn = draw(portrait, head, style)
    np.testing.assert_array_equal(portrait, before)
    for eye in EYES:
        apart = np.abs(cut(drawn, eye) - cut(portrait, eye))
        assert apart.mean() < 0.5 and apart.max() <= 20  # the shade of the edge, at the lower lid
    for left, top, right, bottom in (MOUTH, NOSTRILS):
        place = (left, top, right, bottom)
        assert np.abs(cut(drawn, place) - cut(portrait, place)).mean() > 20
        other = portrait.copy()  # another mouth
        other[top:bottom, left:right] = other[top:bottom, left:right][::-1, ::-1]
        assert np.abs(cut(other, place) - cut(portrait, place)).mean() > 15
        apart = (cut(draw(other, head, style), place) - cut(drawn, place)).astype(np.float32)
        assert np.abs(apart).mean() < 5  # a little of its light, and no line of it
        assert (apart - cv2.blur(apart, (15, 15))).std() < 1
    changed = np.argwhere((drawn != portrait).any(axis=2))
    assert changed[:, 0].min() > 165 and changed[:, 0].max() < 370  # rows: below brows, above chest
    assert changed[:, 1].min() > 140 and changed[:, 1].max() < 390


@pytest.mark.parametrize("style", STYLES)
def test_under_the_nose_the_nose_stays_bare(style, portrait, head):
    drawn = draw(portrait, head, style, is_under_nose=True)
    nose_tip = (240, 205, 285, 235)
    assert np.abs(cut(drawn, nose_tip) - cut(portrait, nose_tip)).mean() < 6
    assert np.abs(cut(drawn, MOUTH) - cut(portrait, MOUTH)).mean() > 20
    assert MaskLook(style, is_under_nose=True).name == f"{style}-under-nose"


def test_lot_chooses_colour_and_the_same_lot_the_same(portrait, head):
    first, again, other = (draw(portrait, head, "cloth", seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(cut(first, MOUTH) - cut(other, MOUTH)).mean() > 10
    looks = [draw(portrait, head, style, 4) for style in STYLES]
    for i, one in enumerate(looks):
        for two in looks[:i]:
            assert np.abs(cut(one, MOUTH) - cut(two, MOUTH)).mean() > 3


def test_the_mask_gets_the_light_of_the_face(portrait, head):
    """The same photo with its left half in the shade, and with little light at all."""
    across = np.linspace(0.35, 1, portrait.shape[1])[None, :, None]
    shaded = (portrait * across).astype(np.uint8)
    dark = (portrait * 0.4).astype(np.uint8)
    plain, in_shade, in_dark = (draw(photo, head, "ffp2", 1) for photo in (portrait, shaded, dark))
    left, right = (205, 250, 235, 300), (285, 250, 315, 300)

    def ratio(photo):
        return cut(photo, left).mean() / cut(photo, right).mean()

    expected = across[0, 220, 0] / across[0, 300, 0]
    assert ratio(in_shade) / ratio(plain) == pytest.approx(expected, abs=0.12)
    assert cut(in_dark, MOUTH).mean() < 0.55 * cut(plain, MOUTH).mean()


def test_a_black_and_white_photo_stays_so(portrait, head):
    grey = cv2.cvtColor(cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    drawn = draw(grey, head, "patterned", 3).astype(int)
    assert np.ptp(drawn, axis=2).max() <= 2


def test_an_enlarged_photo_gets_a_mask_as_blurred(portrait, head):
    small = cv2.resize(portrait, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA)
    enlarged = cv2.resize(small, portrait.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    assert softness(portrait, head) < 1 < softness(enlarged, head)
    edge = (195, 200, 330, 350)  # with the outline in it
    sharp, soft = (
        np.abs(np.diff(cut(draw(photo, head, "surgical", 1), edge), axis=0)).max()
        for photo in (portrait, enlarged)
    )
    assert soft < 0.7 * sharp


def test_masks_at_the_edge_of_a_picture_are_cut_off(portrait, head):
    upper = portrait[:260]
    drawn = draw(upper, head)
    assert drawn.shape == upper.shape
    whole = draw(portrait, head)  # whose light is measured on more of the face
    covered = [(image != photo[:250]).any(axis=2) for image, photo in (
        (drawn[:250], upper), (whole[:250], portrait)
    )]  # fmt: skip
    assert (covered[0] != covered[1]).mean() < 0.02 and covered[0].mean() > 0.05
    assert np.abs(drawn[:250].astype(int) - whole[:250]).mean() < 3
    beside = Head(head.rotation, head.pixels_per_mm, head.origin + 5000)
    np.testing.assert_array_equal(draw(portrait, beside), portrait)


def test_a_face_of_many_pixels_gets_the_same_mask_in_seconds(portrait, head):
    """A blur as wide as its cheeks, on all pixels of a phone's photo, would take minutes."""
    factor = 8
    large = cv2.resize(portrait, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    larger_head = Head(head.rotation, factor * head.pixels_per_mm, factor * head.origin)
    drawn = draw(large, larger_head)
    smaller = cv2.resize(drawn, portrait.shape[1::-1], interpolation=cv2.INTER_AREA).astype(int)
    usual = draw(portrait, head)
    is_mask = (usual != portrait).any(axis=2)
    assert np.abs(smaller - usual)[is_mask].mean() < 6
    assert np.abs(smaller - portrait)[~is_mask].mean() < 3


def test_without_five_points_boxes_serve(portrait, face_folder):
    finder = HeadFinder(open_detector("ssd", folder=face_folder, confidence=0.6))
    (head,) = finder.heads(portrait)
    assert not finder.knows_points
    drawn = draw(portrait, head)
    assert np.abs(cut(drawn, MOUTH) - cut(portrait, MOUTH)).mean() > 20
    assert np.abs(cut(drawn, NOSTRILS) - cut(portrait, NOSTRILS)).mean() > 20
    for left, top, right, _ in EYES:
        upper_lid = (left, top, right, top + 12)
        assert np.abs(cut(drawn, upper_lid) - cut(portrait, upper_lid)).mean() < 1


def test_the_shipped_model_sees_masks_where_they_are_drawn(finder, data):
    """Real bare faces before and after; more are in `docs/`."""
    classifier = load_classifier(SHIPPED_MODEL.with_suffix(".tflite"))
    names = classifier.card.class_names
    paths = sorted((data / "faces12k" / "without_mask").iterdir())[7::100]
    verdicts = {"before": [], "after": []}
    for index, path in enumerate(paths):
        photo = cv2.cvtColor(read_image(path), cv2.COLOR_RGB2BGR)
        (head, *_) = finder.heads(photo)
        drawn = draw(photo, head, STYLES[index % len(STYLES)], index)
        for when, image in (("before", photo), ("after", drawn)):
            crop = cv2.cvtColor(fit(image, classifier.card.image_size), cv2.COLOR_BGR2RGB)
            verdicts[when].append(meaning_of(names[classifier.predict(crop[None])[0].argmax()]))
    assert len(paths) >= 10
    assert verdicts["before"].count(Meaning.MISSING) >= 0.9 * len(paths)
    assert verdicts["after"].count(Meaning.COMPLIANT) >= 0.9 * len(paths)
