"""Every network learns; one that knows nothing yet trains as a whole, BatchNorm too."""

import cv2
import numpy as np
import pytest
from conftest import textured_photo
from data_sets import untaught_backbone

from mask_detector.architectures import ARCHITECTURES
from mask_detector.errors import MaskDetectorError
from mask_detector.training_options import TrainingOptions
from mask_detector.types import Sample

NAMES = ("red", "blue")


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    """33 pictures of two colours to train on, so that a batch of 32 leaves one; 16 others."""
    folder, made = tmp_path_factory.mktemp("pictures"), {"train": [], "val": []}
    for split, count in (("train", 33), ("val", 16)):
        for index in range(count):
            photo = textured_photo(1000 * (split == "val") + index, (48, 48)) // 6
            photo[..., 2 if index % 2 == 0 else 0] += 150  # OpenCV: blue, green, red
            path = folder / f"{split}{index}.png"
            cv2.imwrite(str(path), photo)
            made[split].append(Sample(path, index % 2, index))
    return made


def fit(splits, options, folder, *, resume=False, dies_after=0):
    """Train here, and die after so many epochs if any: the model, and a row per epoch."""
    from mask_detector.checkpoints import Checkpoints
    from mask_detector.training import train

    checkpoints = Checkpoints.open(folder / "m.training", options.to_dict(), resume=resume)
    if dies_after:
        keep = checkpoints.record

        def record(row, model):
            keep(row, model)
            if len(checkpoints.history) == dies_after:
                raise KeyboardInterrupt

        checkpoints.record = record
    trained = train(splits, NAMES, options, checkpoints, folder / "log.csv", verbose=0)
    return trained.model, checkpoints.history


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_network_learns_two_colours(architecture, splits, tmp_path, keras):
    """As it trains by default: on a backbone from a file, or the whole of it."""
    entry = ARCHITECTURES[architecture]
    is_pretrained = entry.default_weights == "imagenet"
    head_epochs = 40 if entry.learning_rate < 1e-2 else 15
    options = TrainingOptions(
        architecture=architecture,
        image_size=32,
        epochs=head_epochs if is_pretrained else 12,
        fine_tune=0,
        views=6,
        width_multiplier=1 if is_pretrained else 0.25,
        backbone_weights=str(untaught_backbone(architecture, tmp_path))
        if is_pretrained
        else "none",
    )
    model, history = fit(splits, options, tmp_path)
    stages = {row["stage"] for row in history}
    assert stages == ({"head"} if is_pretrained else {"whole network"})
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]
    pictures = np.stack([cv2.imread(str(s.path))[..., ::-1] for s in splits["val"]])
    shown = np.stack([cv2.resize(picture, (32, 32)) for picture in pictures])
    said = model.predict(shown, verbose=0).argmax(axis=1)
    assert (said == [sample.label for sample in splits["val"]]).mean() > 0.9


QUICK = {"architecture": "vgg_small", "width_multiplier": 0.25, "image_size": 32, "batch_size": 4}


@pytest.fixture(scope="module")
def trained(splits, tmp_path_factory, keras):
    return fit(splits, TrainingOptions(epochs=4, **QUICK), tmp_path_factory.mktemp("unbroken"))


def test_everything_trains_and_the_averages_are_those_of_the_pictures(trained, splits, keras):
    """The averages that BatchNorm keeps are near what it sees when the pictures come again."""
    from mask_detector.architectures import build_model

    model, _ = trained
    assert all(layer.trainable for layer in model.layers)
    before = build_model(
        "vgg_small", image_size=32, class_count=2, weights="none", width=0.25
    ).get_weights()
    assert not any(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    norm = model.get_layer("block1_conv1_bn")
    pictures = np.stack([cv2.imread(str(s.path))[..., ::-1] for s in splits["train"]])
    shown = np.stack([cv2.resize(p, (32, 32)) for p in pictures]).astype(np.float32)
    seen = np.asarray(keras.Model(model.input, norm.input)(shown))
    mean, spread = seen.mean((0, 1, 2)), seen.std((0, 1, 2))
    assert (np.abs(norm.moving_mean.numpy() - mean) < 0.5 * spread).all()
    kept = np.sqrt(norm.moving_variance.numpy())
    np.testing.assert_allclose(kept, spread, rtol=0.6)


def test_a_broken_training_goes_on_and_ends_like_an_unbroken_one(trained, splits, tmp_path):
    whole, history = trained
    options = TrainingOptions(epochs=4, **QUICK)
    with pytest.raises(KeyboardInterrupt):
        fit(splits, options, tmp_path, dies_after=2)
    resumed, rows = fit(splits, options, tmp_path, resume=True)
    assert [row["stage"] for row in rows] == ["whole network"] * 4
    for ours, theirs in zip(rows, history, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-4)
    for a, b in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize(("count", "size"), [(33, 17), (32, 32), (801, 31), (5, 5), (64, 32)])
def test_no_batch_is_much_smaller_than_the_others(count, size, keras):
    from mask_detector.training import even_batch_size

    assert even_batch_size(count, 32) == size
    assert -(-count // size) == -(-count // 32)  # as many batches


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_is_left_to_the_network_is_filled_in(architecture):
    entry = ARCHITECTURES[architecture]
    options = TrainingOptions(architecture=architecture)
    assert options.image_size == entry.image_size
    assert options.learning_rate == entry.learning_rate
    if entry.imagenet_from == "Keras":
        assert options.backbone_weights == "imagenet" and not options.is_from_scratch
        assert (options.fine_tune, options.views) == (entry.fine_tuned_layers, 6)
    else:
        assert options.backbone_weights == "none" and options.is_from_scratch
        assert (options.fine_tune, options.views) == (0, 0)  # nothing is frozen, nothing is kept
    asked = TrainingOptions(
        architecture=architecture, image_size=96, learning_rate=0.5, backbone_weights="none"
    )
    assert (asked.image_size, asked.learning_rate) == (96, 0.5) and asked.is_from_scratch


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width_multiplier": 3.0}, "--width-multiplier 3.0 is out of range"),
        ({"architecture": "resnet50", "width_multiplier": 0.5}, "resnet50 has one width"),
        ({"architecture": "cnn", "backbone_weights": "imagenet"}, "--backbone-weights"),
        ({"architecture": "lenet"}, "lenet.*mobilenet_v2"),
    ],
)
def test_what_no_network_can_do_is_refused_before_any_photo_is_read(options, words):
    with pytest.raises(MaskDetectorError, match=words):
        TrainingOptions(**options)


def test_a_network_without_weights_is_passed_over_more_often():
    from mask_detector.training_stages import stages_of

    def plan(count, **options):
        stages = stages_of(TrainingOptions(architecture="vgg_small", **options), count)
        return [(stage.name, stage.epochs, stage.trained_layers) for stage in stages]

    assert plan(100_000) == [("whole network", 30, None)]
    assert plan(320) == [("whole network", 150, None)]  # 10 steps each: 1500 in all
    assert plan(320, epochs=7) == [("whole network", 7, None)]


def test_pictures_of_faces_are_changed_as_a_camera_might_and_others_gently(keras):
    from mask_detector.training import augmentation_for

    assert augmentation_for(("with_mask", "without_mask"), "auto") == "camera"
    assert augmentation_for(("def_front", "ok_front"), "auto") == "gentle"
    assert augmentation_for(("def_front", "ok_front"), "camera") == "camera"


def test_gentle_views_are_new_in_every_epoch_and_nearer_to_the_picture(splits, keras):
    from mask_detector.input_pipeline import PictureBatches

    def views(augmentation, epoch=0):
        batches = PictureBatches(splits["val"], 48, 16, margin=0.0, seed=1, shuffle=False)
        batches.augmentation = augmentation
        batches.start_epoch(epoch)
        return next(iter(batches.dataset))[0].numpy().astype(float)

    plain = np.stack([cv2.imread(str(s.path))[..., ::-1] for s in splits["val"]])
    np.testing.assert_array_equal(views("none"), plain)
    gentle, camera = (np.abs(views(name) - plain).mean() for name in ("gentle", "camera"))
    assert 2 < gentle < 0.6 * camera
    assert np.abs(views("gentle", 1) - views("gentle", 0)).mean() > 2


@pytest.mark.parametrize(("augmentation", "turns"), [("gentle", False), ("any-way-up", True)])
def test_things_without_an_up_are_turned_by_any_angle(keras, tmp_path, augmentation, turns):
    from mask_detector.input_pipeline import PictureBatches

    bright_above = np.zeros((64, 64, 3), np.uint8)
    bright_above[:32] = 200
    cv2.imwrite(str(tmp_path / "half.png"), bright_above)
    samples = [Sample(tmp_path / "half.png", 0, 0)] * 64
    batches = PictureBatches(samples, 48, 64, margin=0.0, seed=1)
    batches.augmentation = augmentation
    views = next(iter(batches.dataset))[0].numpy().mean(axis=-1)
    above = views[:, :16].mean(axis=(1, 2)) > views[:, -16:].mean(axis=(1, 2))
    assert (0.3 < above.mean() < 0.7) if turns else above.all()
