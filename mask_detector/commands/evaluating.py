"""What `evaluate --dataset` does: judge labelled pictures as they are, or faces cut out of them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mask_detector.commands.cropping import judged_crops
from mask_detector.commands.shared import open_classifier
from mask_detector.errors import OptionError
from mask_detector.types import SMALLEST_SIDE
from mask_detector.wording import counted

if TYPE_CHECKING:
    import numpy as np

    from mask_detector.crop_evaluation import CropReport, Crops
    from mask_detector.types import ModelCard

_SHOWN = 48  # tiles of a montage


def evaluate_dataset(args: argparse.Namespace) -> dict[str, Any]:
    """Judge, print the text, write the pictures; return every figure.

    With one margin, as always with whole pictures, its summary stands at the top.
    """
    from mask_detector.audit import audit_dataset
    from mask_detector.crop_evaluation import evaluate_crops, judge_crops, list_crops
    from mask_detector.crop_report import crop_text
    from mask_detector.evaluation_summary import summary_of
    from mask_detector.parts import photos_of_part

    classifier = open_classifier(args)
    audit = audit_dataset(args.dataset, least_classes=1)
    card = classifier.card
    photos = photos_of_part(audit, args.part, args.split_seed, card.class_names)
    smallest = SMALLEST_SIDE if args.smallest_face is None else args.smallest_face
    found = list_crops(audit, photos, card.class_names, smallest)
    if args.smallest_face and not found.is_marked:
        raise OptionError(
            f"--smallest-face is for marked faces, which {args.dataset} has none of; leave it out"
        )
    crops = judged_crops(args, found)
    judged = judge_crops(crops, classifier, args.margin or [card.crop_margin])
    not_sure = card.least_confidence
    reports = [evaluate_crops(crops, p, margin, not_sure) for margin, p in judged.items()]
    print(crop_text(crops, reports))
    for report in reports if args.output else []:
        folder = args.output / f"margin_{report.margin:g}" if len(reports) > 1 else args.output
        _write_pictures(crops, judged[report.margin], report, card, folder)
    only = reports[0] if len(reports) == 1 else None
    return {
        **(summary_of(only.report, only.scores, only.curves) if only else {}),
        "smallest_face": smallest,
        "left_out": crops.left_out,
        "margins": [report.to_dict() for report in reports],
    }


def _write_pictures(
    crops: Crops, probabilities: np.ndarray, report: CropReport, card: ModelCard, folder: Path
) -> None:
    from mask_detector.crop_report import order_by_interest, tiles_of, write_verdicts
    from mask_detector.evaluation_pictures import draw_evaluation
    from mask_detector.montage import draw_montage

    labels = crops.labels
    draw_evaluation(probabilities, labels, card, folder, crops.root.name)
    wrong, right = order_by_interest(probabilities, labels)
    for name, what, indices in (
        ("mistakes", "mistakes, the surest first", wrong),
        ("unsure", "right verdicts, the least sure first", right),
    ):
        shown = indices[:_SHOWN]
        title = f"{len(shown)} of {len(indices)} {what}; {counted(len(labels), 'picture')} judged"
        tiles = tiles_of(crops, probabilities, shown, report.margin)
        draw_montage(tiles, folder / f"{name}.png", title)
    write_verdicts(crops, probabilities, report.not_sure, folder / "verdicts.csv")
    print(f"wrote {folder}")
