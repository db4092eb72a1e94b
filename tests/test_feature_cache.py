"""Frozen features are computed once, and stand for what the whole network would compute."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import textured_photo
from data_sets import settle

from mask_detector.types import Sample


def build(fine_tune, image_size=64):
    import keras

    from mask_detector.architectures import build_model, set_trainable_top

    keras.utils.set_random_seed(1)
    model = build_model("mobilenet_v2", image_size=image_size, class_count=3, weights="none")
    settle(model)
    set_trainable_top(model, fine_tune)
    return model


def said_by(model, pixels):
    return np.asarray(model(pixels, training=False))


PICTURES = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3)).astype(np.float32)


@dataclass
class Parts:
    """A model that was cut, and what was known of it before."""

    model: Any
    expected: np.ndarray  # its answers to `PICTURES`
    trained: list[int]  # its trainable variables
    trunk: Any
    top: Any


@pytest.fixture(scope="module", params=[0, 1, 12, 30, 38, 50, 100])
def parts(request, keras):
    from mask_detector.feature_cache import cut

    model = build(request.param)
    expected, trained = said_by(model, PICTURES), [id(v) for v in model.trainable_variables]
    assert np.abs(expected[0] - expected[1]).max() > 0.01  # it tells pictures apart
    return Parts(model, expected, trained, *cut(model))


@pytest.fixture
def samples(tmp_path):
    made = []
    for index in range(11):
        cv2.imwrite(str(tmp_path / f"{index}.png"), textured_photo(index))
        made.append(Sample(tmp_path / f"{index}.png", index % 3, index))
    return made


def test_trunk_and_top_in_a_row_are_the_model(parts):
    features = said_by(parts.trunk, PICTURES)
    np.testing.assert_allclose(said_by(parts.top, features), parts.expected, atol=1e-6)
    np.testing.assert_allclose(said_by(parts.model, PICTURES), parts.expected, atol=1e-6)
    # A kept feature has 11 significant bits.
    rounded = said_by(parts.top, features.astype(np.float16).astype(np.float32))
    np.testing.assert_allclose(rounded, parts.expected, atol=5e-3)


def test_only_what_never_changes_is_in_the_trunk(parts, keras):
    """Every layer stands in one of the two, and nothing that trains or drops out in the trunk."""
    trunk, top = parts.trunk, parts.top
    assert trunk.trainable_variables == []
    assert [id(v) for v in top.trainable_variables] == parts.trained
    assert not any(isinstance(layer, keras.layers.Dropout) for layer in trunk.layers)
    below, above = ({id(layer) for layer in part.layers} for part in (trunk, top))
    assert {id(layer) for layer in parts.model.layers} <= below | above
    assert not any(layer.weights for layer in parts.model.layers if id(layer) in below & above)


def test_the_cut_is_where_a_single_path_leads_on_and_as_high_as_can_be(parts):
    """Against the saved model's own list of connections, walked through anew."""
    layers = parts.model.layers
    edges, names = connections(parts.model), [layer.name for layer in layers]
    frozen_end = next(
        i
        for i, layer in enumerate(layers)
        if layer.trainable_weights or type(layer).__name__ == "Dropout"
    )
    single = [  # layers without which no way leads from the pixels to the probabilities
        name
        for name in names[1:frozen_end]
        if not reaches(edges, names[0], names[-1], without=name)
    ]
    assert parts.trunk.layers[-1].name == single[-1]


def connections(model):
    """`{layer: layers that take its output}`, from the configuration that Keras saves."""
    edges = {}

    def sources(item):
        if isinstance(item, dict) and "keras_history" in item.get("config", {}):
            yield item["config"]["keras_history"][0]
        elif isinstance(item, dict | list | tuple):
            for part in item.values() if isinstance(item, dict) else item:
                yield from sources(part)

    for layer in model.get_config()["layers"]:
        for source in sources(layer["inbound_nodes"]):
            edges.setdefault(source, set()).add(layer["name"])
    return edges


def reaches(edges, start, goal, without):
    seen, todo = set(), [start]
    while todo:
        name = todo.pop()
        if name == goal:
            return True
        if name not in seen and name != without:
            seen.add(name)
            todo += edges.get(name, ())
    return False


@pytest.mark.parametrize("fine_tune", [150, 10_000])
def test_features_larger_than_the_pictures_are_not_kept(fine_tune, keras):
    from mask_detector.feature_cache import cut

    assert cut(build(fine_tune)) is None


def test_what_the_top_learns_the_model_knows(keras):
    from mask_detector.feature_cache import cut

    model = build(12)
    trunk, top = cut(model)
    features, before = said_by(trunk, PICTURES), said_by(model, PICTURES)
    frozen = [weight.copy() for weight in trunk.get_weights()]
    top.compile("adam", "sparse_categorical_crossentropy")
    for _ in range(3):
        top.train_on_batch(features, np.array([0, 1, 2]))
    after = said_by(model, PICTURES)
    assert np.abs(after - before).max() > 0.01
    np.testing.assert_allclose(said_by(top, features), after, atol=1e-5)
    for was, now in zip(frozen, trunk.get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)


def test_a_model_that_was_cut_is_saved_whole(parts, keras, tmp_path):
    for name, part in (("model", parts.model), ("top", parts.top)):
        part.save(tmp_path / f"{name}.keras")
        again = keras.models.load_model(tmp_path / f"{name}.keras", compile=False)
        inputs = np.random.default_rng(0).random((2, *part.input_shape[1:])).astype(np.float32)
        np.testing.assert_array_equal(said_by(again, inputs), said_by(part, inputs))
        for ours, theirs in zip(again.get_weights(), part.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)  # in the same order, too


@pytest.fixture(scope="module")
def trunk(keras):
    from mask_detector.feature_cache import cut

    return cut(build(38))[0]


def by_keras(trunk):
    """The engine for few pictures."""
    from mask_detector.frozen_network import FrozenNetwork

    return FrozenNetwork(trunk, picture_count=1)


def batches_of(samples, **options):
    from mask_detector.input_pipeline import PictureBatches

    return PictureBatches(samples, 64, 4, margin=0.3, **options)


def views_of(samples):
    return batches_of(samples, seed=1, shuffle=False)


def test_features_are_those_of_the_pictures_in_their_order(trunk, samples, tmp_path):
    from mask_detector.feature_cache import extract

    path, batches = tmp_path / "deep" / "val.npy", batches_of(samples)
    store = extract(by_keras(trunk), batches, path)
    seen = np.concatenate([x.numpy() for x, _ in batches.dataset]).astype(np.float32)
    expected = said_by(trunk, seen)
    assert store.dtype == np.float16 and store.shape == expected.shape
    np.testing.assert_allclose(store, expected, rtol=2e-3, atol=1e-3 * np.abs(expected).max())
    np.testing.assert_array_equal(np.load(path), store)
    assert [file.name for file in path.parent.iterdir()] == ["val.npy"]


def test_complete_features_are_used_again_and_no_picture_is_opened(trunk, samples, tmp_path):
    from mask_detector.feature_cache import extract

    path = tmp_path / "train.npy"
    first = np.array(extract(by_keras(trunk), views_of(samples), path))
    for sample in samples:
        sample.path.unlink()
    np.testing.assert_array_equal(extract(by_keras(trunk), views_of(samples), path), first)


def test_half_written_features_are_written_anew(trunk, samples, tmp_path):
    from mask_detector.feature_cache import extract

    path, partial = tmp_path / "train.npy", tmp_path / "train.part"
    whole = np.array(extract(by_keras(trunk), views_of(samples), path))
    partial.write_bytes(path.read_bytes()[:1000])
    path.unlink()
    np.testing.assert_array_equal(extract(by_keras(trunk), views_of(samples), path), whole)
    assert not partial.exists()


def test_features_that_were_cut_off_are_written_anew(trunk, samples, tmp_path, caplog):
    from mask_detector.feature_cache import extract

    path = tmp_path / "train.npy"
    whole = np.array(extract(by_keras(trunk), views_of(samples), path))
    path.write_bytes(path.read_bytes()[:-100])
    np.testing.assert_array_equal(extract(by_keras(trunk), views_of(samples), path), whole)
    assert "train.npy is damaged" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on the size of files")
def test_a_disk_that_is_full_is_told_in_a_line(samples, tmp_path):
    """A process whose files may not grow beyond 4 kB, as on a disk without more room."""
    code = f"""
import resource, signal, sys
from pathlib import Path
import numpy as np
from mask_detector.quiet import load_tensorflow
load_tensorflow()
import keras
from mask_detector.errors import MaskDetectorError
from mask_detector.feature_cache import extract
from mask_detector.input_pipeline import PictureBatches
from mask_detector.frozen_network import FrozenNetwork
from mask_detector.types import Sample
pixels = keras.Input((64, 64, 3))
trunk = FrozenNetwork(keras.Model(pixels, keras.layers.AveragePooling2D(4)(pixels)), 8)
batches = PictureBatches([Sample(Path({str(samples[0].path)!r}), 0, 0)] * 8, 64, 4, margin=0.3)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    extract(trunk, batches, Path({str(tmp_path)!r}) / "f" / "train.npy")
except MaskDetectorError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "train.part can't be written" in done.stdout
    assert not (tmp_path / "f" / "train.npy").exists()


@pytest.fixture
def large_store(tmp_path):
    """64 rows of a megabyte each, full of their own number, mapped from a file."""
    path = tmp_path / "large.npy"
    np.save(path, np.repeat(np.arange(64, dtype=np.float16), 2**19).reshape(64, 1024, 512))
    return np.load(path, mmap_mode="r")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux' /proc")
def test_rows_read_from_a_file_do_not_stay_in_memory(large_store, keras):
    from mask_detector.feature_cache import FeatureBatches

    batches = FeatureBatches(large_store, np.arange(64, dtype=np.int32), 4, seed=1)
    before = mapped_from_files()
    for features, labels in batches.dataset:
        np.testing.assert_array_equal(features[:, 0, 0], labels)
        np.testing.assert_array_equal(features[:, -1, -1], labels)
    assert mapped_from_files() - before < 16


def mapped_from_files():
    """MB of files that stand in this process' memory."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssFile:")[1].split()[0]) / 1024


VIEWS, COUNT = 3, 20


def numbered(view_count=VIEWS, seed=None):
    """Features that tell whose they are: `[picture, view]`; the label is the picture's number."""
    from mask_detector.feature_cache import FeatureBatches

    store = np.array(
        [(picture, view) for picture in range(COUNT) for view in range(view_count)], np.float16
    )
    return FeatureBatches(
        store, np.arange(COUNT, dtype=np.int32), 8, view_count=view_count, seed=seed
    )


def read(batches, epoch):
    batches.start_epoch(epoch)
    parts = [(x.numpy(), y.numpy()) for x, y in batches.dataset]
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


@pytest.mark.parametrize("seed", [None, 5])
def test_an_epoch_shows_one_view_of_each_picture_with_its_label(seed, keras):
    batches = numbered(seed=seed)
    assert len(batches.dataset) == 3
    for epoch in range(4):
        features, labels = read(batches, epoch)
        assert features.dtype == np.float32
        np.testing.assert_array_equal(features[:, 0], labels)
        assert sorted(labels) == list(range(COUNT))
        assert set(features[:, 1]) == set(range(VIEWS))  # of every view some


@pytest.mark.parametrize("seed", [None, 5])
def test_as_many_epochs_as_views_show_every_view_once(seed, keras):
    batches = numbered(seed=seed)
    seen = [tuple(row) for epoch in range(4, 4 + VIEWS) for row in read(batches, epoch)[0]]
    assert sorted(seen) == [(picture, view) for picture in range(COUNT) for view in range(VIEWS)]


def test_without_a_seed_the_order_is_kept(keras):
    for epoch in range(2):
        assert read(numbered(1), epoch)[1].tolist() == list(range(COUNT))


def test_order_and_view_of_an_epoch_depend_on_seed_and_number_alone(keras):
    straight, resumed, other = numbered(seed=5), numbered(seed=5), numbered(seed=6)
    first, second = read(straight, 0)[0], read(straight, 1)[0]
    np.testing.assert_array_equal(second, read(resumed, 1)[0])
    assert not np.array_equal(first[:, 0], second[:, 0])
    assert not np.array_equal(second[:, 0], read(other, 1)[0][:, 0])
