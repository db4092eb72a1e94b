"""`mistakes --dataset DIR`: a page of what the model gets wrong or barely right, with its heat."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mask_detector.commands.argument_types import fraction, whole_number
from mask_detector.commands.cropping import add_crop_argument, judged_crops
from mask_detector.commands.looking import add_heat_arguments, open_explainer
from mask_detector.commands.shared import (
    add_face_argument,
    add_model_arguments,
    add_part_arguments,
)
from mask_detector.errors import writing
from mask_detector.wording import counted

if TYPE_CHECKING:
    from mask_detector.explaining.mistakes import Mistakes

HELP = "show the surest mistakes and the least sure right verdicts, and labels that look wrong"

MOST = 24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dataset",
        type=Path,
        metavar="DIR",
        required=True,
        help="a folder of pictures per class, or photos with boxed faces, which are cut out",
    )
    add_model_arguments(parser, looks_inside=True)
    parser.add_argument(
        "--margin",
        type=fraction,
        metavar="PART",
        help="how far a crop reaches beyond its box, as a part of the box per side "
        "(default: what the model was trained with)",
    )
    add_crop_argument(parser)
    add_face_argument(parser)
    add_part_arguments(
        parser,
        "; labels of photos that the model was trained on look right to it even where they are "
        "wrong",
    )
    parser.add_argument(
        "--count",
        type=whole_number,
        default=MOST,
        metavar="N",
        help="how many mistakes and how many right verdicts to show; each takes about 20 kB",
    )
    add_heat_arguments(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        default=Path("mistakes"),
        help="folder for mistakes.html (the page, all in one file), mistakes.png, unsure.png and "
        "labels_to_check.csv",
    )


def run(args: argparse.Namespace) -> int:
    from mask_detector.audit import audit_dataset
    from mask_detector.crop_evaluation import judge_crops, list_crops
    from mask_detector.explaining.mistakes import find_mistakes
    from mask_detector.mask_classifiers import KerasClassifier
    from mask_detector.parts import photos_of_part

    with writing(args.output):  # said now, not after minutes of work
        args.output.mkdir(parents=True, exist_ok=True)
    explainer = open_explainer(args)
    network = explainer.network
    audit = audit_dataset(args.dataset, least_classes=1)
    class_names = network.card.class_names
    photos = photos_of_part(audit, args.part, args.split_seed, class_names)
    crops = judged_crops(args, list_crops(audit, photos, class_names))
    wanted = network.card.crop_margin if args.margin is None else args.margin
    judged = judge_crops(crops, KerasClassifier(network.run, network.card), [wanted])
    ((margin, probabilities),) = judged.items()
    _write(args, find_mistakes(crops, probabilities, explainer, margin, args.count))
    return 0


def _write(args: argparse.Namespace, mistakes: Mistakes) -> None:
    from mask_detector.explaining.mistakes import write_doubtful
    from mask_detector.explaining.mistakes_page import write_page
    from mask_detector.montage import draw_montage

    folder, name = args.output, args.dataset.resolve().name
    title = f"Mistakes on {name}" + ("" if args.part == "all" else f", {args.part} part")
    page = folder / "mistakes.html"
    write_page(mistakes, title, page, model=args.model.name, full_heat=args.full_heat)
    right_count = mistakes.judged - mistakes.wrong_count
    for file_name, verdicts, what in (
        ("mistakes.png", mistakes.wrong, f"of {mistakes.wrong_count} mistakes, the surest first"),
        ("unsure.png", mistakes.unsure, f"of {right_count} right verdicts, the least sure first"),
    ):
        tiles = [tile for verdict in verdicts for tile in verdict.tiles(args.full_heat)]
        draw_montage(tiles, folder / file_name, f"{len(verdicts)} {what}; beside each its heat")
    write_doubtful(mistakes.doubtful, folder / "labels_to_check.csv")
    judged = counted(mistakes.judged, "picture")
    print(f"judged {judged}: {right_count} right, {mistakes.wrong_count} wrong")
    print(f"labels that look wrong: {len(mistakes.doubtful)}")
    for label in mistakes.doubtful[:10]:
        at = f" at {label.box.left},{label.box.top}" if label.box else ""
        print(
            f"  {label.photo}{at}: labelled {label.true_class}, looks like {label.looks_like} "
            f"({label.probability:.1%})"
        )
    print(f"wrote {page}, mistakes.png, unsure.png and labels_to_check.csv")
