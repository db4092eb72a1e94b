"""Train a mask classifier the way the usual tutorial does, to measure ours against it.

    python -m benchmarks.classic_recipe --dataset dataset --output classic.keras
    python -m mask_detector evaluate --boxes streets --model classic.keras -c 0.5 --margin 0

Whole photos, stretched to 224x224; a random split, so copies and people are on both sides; a
frozen MobileNetV2 under a small head; Adam at 1e-4; shifts, turns, zooms and flips. The tutorial's
network and numbers, on today's Keras. The file carries a card with a margin of 0, since the
tutorial cuts faces out tightly.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.model_selection import train_test_split

from mask_detector.dataset import scan
from mask_detector.errors import UnreadableImageError
from mask_detector.images import fit, read_image
from mask_detector.model_file import save_model
from mask_detector.types import ModelCard

SIZE = 224


def read_all(root: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Photos `(n, 224, 224, 3)` uint8 RGB, labels `(n,)` and class names."""
    listing = scan(root)
    images, labels = [], []
    for photo in listing.photos:
        try:
            images.append(fit(read_image(photo.path), SIZE))
        except UnreadableImageError:
            continue
        labels.append(listing.class_names.index(photo.class_name))
    return np.stack(images), np.array(labels), listing.class_names


def build(class_count: int, weights: str) -> keras.Model:
    """The tutorial's network, with its scaling as a layer."""
    pixels = keras.Input((SIZE, SIZE, 3))
    scaled = layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    base = keras.applications.MobileNetV2(include_top=False, weights=weights, input_tensor=scaled)
    base.trainable = False
    for layer in base.layers:
        layer.trainable = False
    x = layers.AveragePooling2D((7, 7))(base.output)
    x = layers.Flatten()(x)
    x = layers.Dense(128, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    return keras.Model(pixels, layers.Dense(class_count, activation="softmax")(x))


def main() -> None:
    """Train, say how right it is by its own split, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=Path("dataset"))
    parser.add_argument("--output", type=Path, required=True, help="the .keras file to write")
    parser.add_argument("--backbone-weights", default="imagenet", help="or the path of a file")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()
    keras.utils.set_random_seed(args.seed)
    images, labels, class_names = read_all(args.dataset)
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels, test_size=0.2, stratify=labels, random_state=args.seed
    )
    augmentation = keras.Sequential(
        [
            layers.RandomFlip("horizontal"),
            layers.RandomRotation(20 / 360, fill_mode="nearest"),
            layers.RandomZoom(0.15, fill_mode="nearest"),
            layers.RandomTranslation(0.2, 0.2, fill_mode="nearest"),
            layers.RandomShear(0.15, 0.15, fill_mode="nearest"),
        ]
    )
    batches = tf.data.Dataset.from_tensor_slices((train_x, train_y)).shuffle(1000).batch(32)
    batches = batches.map(lambda x, y: (augmentation(x, training=True), y)).prefetch(2)
    model = build(len(class_names), args.backbone_weights)
    model.compile(
        keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(batches, epochs=args.epochs, verbose=2)
    answers = model.predict(test_x, batch_size=32, verbose=0).argmax(axis=1)
    print(
        f"its own random test split: accuracy {(answers == test_y).mean():.4f}, n = {len(test_y)}"
    )
    card = ModelCard(class_names, SIZE, architecture="mobilenet_v2", crop_margin=0.0)
    save_model(model, card, args.output)


if __name__ == "__main__":
    main()
