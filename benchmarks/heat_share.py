"""Measure how much of a classifier's heat lies where masks are: in the lower half of faces.

    python -m benchmarks.heat_share --boxes DIR/ilc2021 --part test

DIR holds photos whose faces are boxed and labelled by hand. Every marked face is cut out with the
model's margin and explained for the verdict that it gets; of the heat that speaks for it, each row
says which part lies in the lower half of the box, in its upper half, and in the margin around it:
means over faces, with 95 % intervals from drawing whole photos anew. A map that is equally hot
everywhere, and a blob in the middle of the crop, say what these parts are worth.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.one_line_errors import errors_in_one_line
from mask_detector.audit import audit_dataset
from mask_detector.crop_evaluation import Crops, list_crops
from mask_detector.errors import MaskDetectorError
from mask_detector.explaining.activation_maps import METHODS, spread
from mask_detector.explaining.explainer import Explainer, open_explainer
from mask_detector.images import cut_out, read_image
from mask_detector.parts import photos_of_part
from mask_detector.types import Sample

PARTS = ("lower half", "upper half", "around the box")
_CHUNK = 32  # faces explained at once
_FINENESS = 112  # pixels of a crop's side in which parts are counted
_BLOB = 0.25  # standard deviation of the blob, as a part of the crop's side
_RESAMPLES = 1000


@dataclass(frozen=True)
class Row:
    """Of one face by one method: parts of the heat in the order of `PARTS`, or None if cold."""

    method: str
    class_name: str  # as annotated
    photo: Path
    shares: np.ndarray | None


def face_parts(sample: Sample, width: int, height: int, margin: float) -> np.ndarray:
    """Which pixels of a face's crop belong to which part: `(3, fineness, fineness)` bool.

    Args:
        sample: a marked face.
        width: of its photo, in pixels.
        height: likewise.
        margin: of the crop.
    """
    crop, box = sample.box.widened(margin).within(width, height), sample.box.within(width, height)
    centres = (np.arange(_FINENESS) + 0.5) / _FINENESS
    x, y = crop.left + centres * crop.width, crop.top + centres * crop.height
    across = (x >= box.left) & (x < box.right)
    middle = (box.top + box.bottom) / 2
    lower = np.outer((y >= middle) & (y < box.bottom), across)
    upper = np.outer((y >= box.top) & (y < middle), across)
    return np.array([lower, upper, ~(lower | upper)])


def shares_of(heat: np.ndarray, parts: np.ndarray) -> np.ndarray | None:
    """Which part of the heat above 0 lies in each part of a crop; None where there is none."""
    wide = np.maximum(spread(heat, _FINENESS, _FINENESS), 0)
    total = wide.sum()
    return (parts * wide).sum(axis=(1, 2)) / total if total > 0 else None


def blob() -> np.ndarray:
    """A round blob in the middle of a crop."""
    line = np.exp(-(((np.arange(_FINENESS) + 0.5) / _FINENESS - 0.5) ** 2) / (2 * _BLOB**2))
    return np.outer(line, line)


def rows_of(crops: Crops, explainer: Explainer) -> Iterator[Row]:
    """Explain every face by every method, and measure the baselines on the same crops."""
    card = explainer.network.card
    baselines = {"uniform map": np.ones((1, 1)), "centred blob": blob()}
    for start in tqdm(range(0, len(crops.samples), _CHUNK), "explaining", disable=None):
        samples = crops.samples[start : start + _CHUNK]
        views, parts = [], []
        for sample in samples:
            image = read_image(sample.path)
            height, width = image.shape[:2]
            views.append(cut_out(image, sample.box, card.crop_margin, card.image_size))
            parts.append(face_parts(sample, width, height, card.crop_margin))
        explained = explainer.explain_by(METHODS, np.array(views))
        for index, sample in enumerate(samples):
            maps = baselines | {name: found[index].heat for name, found in explained.items()}
            for method, heat in maps.items():
                name = crops.class_names[sample.label]
                yield Row(method, name, sample.path, shares_of(heat, parts[index]))


def mean_with_interval(values: np.ndarray, photos: list[Path]) -> str:
    """A mean and its 95 % interval in percent; the faces of a photo are drawn together."""
    _, group = np.unique([str(photo) for photo in photos], return_inverse=True)
    sums, counts = np.bincount(group, weights=values), np.bincount(group)
    random = np.random.default_rng(0)
    draws = random.integers(0, len(counts), (_RESAMPLES, len(counts)))
    low, high = np.quantile(sums[draws].sum(axis=1) / counts[draws].sum(axis=1), (0.025, 0.975))
    return f"{values.mean():.1%} ({low:.1%}-{high:.1%})"


def table_line(method: str, class_name: str, rows: list[Row], uniform: list[Row]) -> str:
    """One line of the table, over the faces of a class."""
    warm = [i for i, row in enumerate(rows) if row.shares is not None]
    shares = np.array([rows[i].shares for i in warm])
    photos = [rows[i].photo for i in warm]
    cells = [mean_with_interval(shares[:, part], photos) for part in range(len(PARTS))]
    even = np.array([uniform[i].shares[0] for i in warm])
    more = (shares[:, 0] > even).mean()
    cold = len(rows) - len(warm)
    return f"| {method} | {class_name} | {len(warm)} | {cold} | {' | '.join(cells)} | {more:.0%} |"


def report(args: argparse.Namespace) -> None:
    """Print the table."""
    explainer = open_explainer(args.model, layer_name=args.layer)
    audit = audit_dataset(args.boxes)
    photos = photos_of_part(audit, args.part, args.split_seed)
    crops = list_crops(audit, photos, explainer.network.card.class_names)
    if not crops.is_marked:
        raise MaskDetectorError(f"{args.boxes} has no boxed faces; expected annotated photos")
    rows = list(rows_of(crops, explainer))
    grid = f"{explainer.grid[1]} × {explainer.grid[0]}"
    print(f"{args.model.name}, layer {explainer.layer_name}, {grid} places, {args.part} part\n")
    print(f"| map | class | n | cold | {' | '.join(PARTS)} | lower half above uniform |")
    print("|---|---|---|---|---|---|---|---|")
    for method in dict.fromkeys(row.method for row in rows):
        for name in (*crops.class_names, "all"):
            mine, uniform = (
                [r for r in rows if r.method == kind and name in (r.class_name, "all")]
                for kind in (method, "uniform map")
            )
            if any(row.shares is not None for row in mine):
                print(table_line(method, name, mine, uniform))


def main() -> None:
    """Read the options and report; what is wrong with a model or photo is told in one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boxes", type=Path, required=True, help="photos with boxed faces")
    parser.add_argument("--model", type=Path, default=Path("models/mask_detector.keras"))
    parser.add_argument("--layer", help="default: feature_map")
    parser.add_argument("--part", choices=("all", "train", "val", "test"), default="test")
    parser.add_argument("--split-seed", type=int, default=42)
    args = parser.parse_args()
    with errors_in_one_line():
        report(args)


if __name__ == "__main__":
    main()
