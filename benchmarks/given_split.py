"""What a network seems to be worth on a set's own test folder, as such sets are mostly tested.

    python -m benchmarks.given_split --dataset castings --architecture vgg_small \
        --width-multiplier 0.25 --epochs 40 --augmentation any-way-up --model seems.keras

Trains as `train_mask_detector.py` does, with its options, but takes for copies only photos that
look the same as they lie, or mirrored: the search for those that were turned is off. So the given
split is kept where training would deal all photos anew. Then says how many of the test photos
show what the training photos show, only turned: of these the figure is memory.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks.one_line_errors import errors_in_one_line
from mask_detector.audit import Audit, audit_dataset
from mask_detector.commands import train
from mask_detector.copies import fingerprints
from mask_detector.errors import OptionError
from mask_detector.intervals import proportion
from mask_detector.model_file import read_card
from mask_detector.parts import split_photos


@contextlib.contextmanager
def as_they_lie() -> Iterator[None]:
    """Inside, a photo that was turned is another one."""
    none = np.empty((0, 2), np.int64)
    with mock.patch.object(fingerprints, "turned_copies", lambda paths: none):
        yield


def seen_turned(audit: Audit, train_paths: set[Path], test_paths: set[Path]) -> int:
    """How many test photos have a copy among the training photos, turned ones too.

    Args:
        audit: of all photos, made with the search for turned copies.
        train_paths: what was trained on.
        test_paths: what the network was judged by.
    """
    clusters = [[audit.photos[i].listed.path for i in found] for found in audit.near_clusters]
    return sum(
        len(test_paths.intersection(paths)) for paths in clusters if train_paths.intersection(paths)
    )


def report(args: argparse.Namespace) -> None:
    """Train, and print what it is right about, and how much of that it had seen.

    Raises:
        MaskDetectorError: several sources, one whose split is of no use, or what training raises.
    """
    roots = args.dataset or [Path("dataset")]
    if len(roots) > 1:
        raise OptionError(f"--dataset: expected one published set, not {len(roots)}")
    root = roots[0]
    with as_they_lie():
        audit = audit_dataset(root)
        if not audit.keeps_given_split or "test" not in {p.listed.split for p in audit.photos}:
            raise OptionError(f"--dataset {root}: expected folders train and test that differ")
        train.run(args)
    splits = split_photos(audit, args.split_seed)
    train_paths, test_paths = ({p.listed.path for p in splits[part]} for part in ("train", "test"))
    given = sum(photo.listed.split == "train" for photo in audit.photos)
    metrics = read_card(args.model).metrics
    found = proportion(round(metrics["accuracy"] * metrics["n"]), metrics["n"])
    turned = seen_turned(audit_dataset(root), train_paths, test_paths)
    print(
        f"\nas given, less {len(audit.torn_from_train)} of {given} training photos that test shows "
        f"as they lie or mirrored:\n"
        f"accuracy {found.value:.3f} ({found.low:.3f}-{found.high:.3f}), n = {found.n}; "
        f"{turned} of them show what the training photos show, turned"
    )


def main(arguments: list[str] | None = None) -> None:
    """Read the options of a training and report; what is wrong is told in one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    train.add_arguments(parser)
    parser.set_defaults(model=Path("output/given_split.keras"), export=[])
    args = parser.parse_args(arguments)
    with errors_in_one_line():
        report(args)


if __name__ == "__main__":
    main()
