"""Train a mask classifier the way the usual tutorial does, to measure ours against it.

    python -m benchmarks.classic_recipe --dataset dataset --output classic.keras
    python -m mask_detector evaluate --boxes streets --model classic.keras -c 0.5 --margin 0

Whole photos as `load_img` gives them (stretched to 224x224, nearest neighbour), all of them in one
float32 array; a random split, so copies and people are on both sides; `ImageDataGenerator` turning,
zooming and shifting on the fly; a frozen MobileNetV2 under a small head; Adam at 1e-4 with
decay; 20 epochs, of which the last is kept. The tutorial's network and numbers, on today's Keras.
The file carries a card with a margin of 0, since the tutorial cuts faces out tightly.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import keras
import numpy as np
from keras import layers
from keras.applications.mobilenet_v2 import preprocess_input
from sklearn.model_selection import train_test_split
from tensorflow.keras.preprocessing.image import ImageDataGenerator

from benchmarks.one_line_errors import errors_in_one_line
from mask_detector.dataset import scan
from mask_detector.model_file import save_model
from mask_detector.types import ModelCard

SIZE = 224
LEARNING_RATE = 1e-4
BATCH_SIZE = 32


def read_all(root: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Photos `(n, 224, 224, 3)` float32 in -1..1, labels `(n,)` and class names."""
    listing = scan(root)
    images, labels = [], []
    for photo in listing.photos:
        try:
            image = keras.utils.load_img(photo.path, target_size=(SIZE, SIZE))
        except (OSError, ValueError, SyntaxError):  # damaged; the tutorial would end here
            continue
        images.append(preprocess_input(keras.utils.img_to_array(image)))
        labels.append(listing.class_names.index(photo.class_name))
    return np.array(images, dtype="float32"), np.array(labels), listing.class_names


def build(class_count: int, weights: str) -> tuple[keras.Model, keras.Model]:
    """The tutorial's network: as it is trained, on -1..1, and as it is saved, on RGB 0-255."""
    pixels = keras.Input((SIZE, SIZE, 3))
    scaled = layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    base = keras.applications.MobileNetV2(include_top=False, weights=weights, input_tensor=scaled)
    for layer in base.layers:
        layer.trainable = False
    x = layers.AveragePooling2D((7, 7))(base.output)
    x = layers.Flatten()(x)
    x = layers.Dense(128, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    probabilities = layers.Dense(class_count, activation="softmax")(x)
    return keras.Model(scaled, probabilities), keras.Model(pixels, probabilities)


class Stopwatch(keras.callbacks.Callback):
    """Seconds that each epoch trains, without its validation."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs_s: list[float] = []
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._started = time.perf_counter()

    def on_test_begin(self, logs: dict | None = None) -> None:
        self.epochs_s.append(time.perf_counter() - self._started)


def train(
    model: keras.Model, pictures: tuple[np.ndarray, ...], *, epochs: int, seed: int
) -> Stopwatch:
    """Fit on `(train_x, test_x, train_y, test_y)` as the tutorial does."""
    train_x, test_x, train_y, test_y = pictures
    decay = keras.optimizers.schedules.InverseTimeDecay(
        LEARNING_RATE, decay_steps=1, decay_rate=LEARNING_RATE / epochs
    )
    model.compile(
        keras.optimizers.Adam(decay), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    augmented = ImageDataGenerator(
        rotation_range=20,
        zoom_range=0.15,
        width_shift_range=0.2,
        height_shift_range=0.2,
        shear_range=0.15,
        horizontal_flip=True,
        fill_mode="nearest",
    ).flow(train_x, train_y, batch_size=BATCH_SIZE, seed=seed)
    stopwatch = Stopwatch()
    model.fit(
        augmented,
        validation_data=(test_x, test_y),
        epochs=epochs,
        callbacks=[stopwatch],
        verbose=2,
    )
    return stopwatch


def main() -> None:
    """Train, save, say how right it is by its own split and what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=Path("dataset"))
    parser.add_argument("--output", type=Path, required=True, help="the .keras file to write")
    parser.add_argument("--backbone-weights", default="imagenet", help="or the path of a file")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    args = parser.parse_args()
    with errors_in_one_line():
        figures = run(args)
    print(f"its own random test split: accuracy {figures['accuracy']:.4f}, n = {figures['n']}")
    print(f"wall time: {figures['wall_s']:.1f} s")
    print(f"processor time: {figures['processor_s']:.1f} s, user and system")
    print(f"one epoch: {figures['epoch_ms_per_image']:.2f} ms per image, without validation")
    print(f"peak memory: {figures['peak_memory_mb']:.0f} MB")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")


def run(args: argparse.Namespace) -> dict[str, float]:
    """All of the recipe, and its figures."""
    started = time.perf_counter()
    keras.utils.set_random_seed(args.seed)
    images, labels, class_names = read_all(args.dataset)
    pictures = train_test_split(
        images, labels, test_size=0.2, stratify=labels, random_state=args.seed
    )
    model, saved = build(len(class_names), args.backbone_weights)
    stopwatch = train(model, pictures, epochs=args.epochs, seed=args.seed)
    train_x, test_x, _, test_y = pictures
    answers = model.predict(test_x, batch_size=BATCH_SIZE, verbose=0).argmax(axis=1)
    card = ModelCard(class_names, SIZE, architecture="mobilenet_v2", crop_margin=0.0)
    save_model(saved, card, args.output)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "accuracy": float((answers == test_y).mean()),
        "n": len(test_y),
        "epochs": args.epochs,
        "pictures": len(train_x),
        "epoch_ms_per_image": 1000 * float(np.mean(stopwatch.epochs_s)) / len(train_x),
        "wall_s": time.perf_counter() - started,
        "processor_s": usage.ru_utime + usage.ru_stime,
        "peak_memory_mb": usage.ru_maxrss / 1024,  # Linux counts in kilobytes
    }


if __name__ == "__main__":
    main()
