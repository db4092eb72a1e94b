"""`export`: a trained model as a LiteRT file, small and fast, and proof of what it lost."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mask_detector.errors import MaskDetectorError, ModelError

if TYPE_CHECKING:
    from mask_detector.export import Parity
    from mask_detector.types import ModelCard, Sample

HELP = "write a trained model as .tflite, which runs faster and without TensorFlow"
_FORMATS = ("int8", "float16", "float32")  # export.NUMBER_FORMATS, without loading anything
_JUDGED_COUNT = 2000  # held-out pictures at most; both models judge them one by one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-m",
        "--model",
        type=Path,
        default=Path("models/mask_detector.keras"),
        help="the model to export; one that this program has trained",
    )
    parser.add_argument(
        "-d",
        "--dataset",
        type=Path,
        action="append",
        required=True,
        help="a data set of the model's classes, best the one it was trained on; give it again "
        "for another: its train split shows int8 the range of numbers, the rest is judged by "
        "both models",
    )
    parser.add_argument(
        "--format",
        choices=_FORMATS,
        default="int8",
        help="int8: a quarter of the size, fastest; float16: half the size; float32: the same "
        "numbers as before",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        help="the file to write (default: the model's name, ending in .tflite)",
    )
    parser.add_argument(
        "--most-loss",
        type=float,
        default=0.5,
        metavar="POINTS",
        help="an export that loses more balanced accuracy than this, in percentage points, is "
        "refused",
    )


def run(args: argparse.Namespace) -> int:
    from mask_detector.export import compare, export_tflite, load_crops
    from mask_detector.mask_classifiers import KerasClassifier, load_classifier, load_keras
    from mask_detector.model_file import kind_of, read_card

    output = args.output or args.model.with_suffix(".tflite")
    if output.suffix.lower() != ".tflite":
        raise MaskDetectorError(f"--output {output}: expected a path ending in .tflite")
    card = read_card(args.model)
    if card is None or kind_of(args.model) == "tflite":
        raise ModelError(
            f"{args.model} can't be exported; expected a .keras or .h5 file that this program "
            f"has trained"
        )
    shown, judged = _samples(args.dataset, card)
    model = load_keras(args.model)
    crops = load_crops(shown, card) if args.format == "int8" else None
    print(
        f"converting to {args.format} ..."
        if crops is None
        else f"converting to {args.format}, shown {len(crops)} pictures of the train split ..."
    )
    draft = output.with_name(f".{output.stem}.draft.tflite")
    try:
        export_tflite(model, card, draft, number_format=args.format, crops=crops)
        parity = compare(KerasClassifier(model, card), load_classifier(draft), judged)
        print(_table(parity, args.model, draft))
        if parity.loss > args.most_loss:
            raise MaskDetectorError(
                f"the {args.format} model loses {parity.loss:.2f} percentage points of balanced "
                f"accuracy, more than --most-loss {args.most_loss:g}: {output} is not written; "
                f"try --format float16"
            )
        draft.replace(output)
    finally:
        draft.unlink(missing_ok=True)
    print(f"saved {output}")
    return 0


def _samples(datasets: list[Path], card: ModelCard) -> tuple[list[Sample], list[Sample]]:
    """Pictures to show to the converter, and others to judge, split as the training split them."""
    from mask_detector.audit import audit_dataset
    from mask_detector.export import REPRESENTATIVE_COUNT, draw_balanced
    from mask_detector.training_data import gather

    options = card.training_options
    seed = options.get("split_seed", options.get("seed", 42))
    audits = [audit_dataset(dataset) for dataset in datasets]
    splits = gather(audits, split_seed=seed, class_names=card.class_names).splits
    held_out = splits["val"] + splits["test"]
    shown = draw_balanced(splits["train"], REPRESENTATIVE_COUNT, seed)
    return shown, draw_balanced(held_out, _JUDGED_COUNT, seed)


def _table(parity: Parity, before: Path, after: Path) -> str:
    sizes = [path.stat().st_size / 1e6 for path in (before, after)]
    rows = [
        f"{'':8}{'balanced accuracy':>18}{'MB':>8}{'ms per face':>13}",
        *(
            f"{name:8}{accuracy:>18.4f}{size:>8.2f}{milliseconds:>13.1f}"
            for name, accuracy, size, milliseconds in zip(
                ("before", "after"), parity.accuracies, sizes, parity.milliseconds, strict=True
            )
        ),
        f"{parity.n} held-out pictures: same verdict on {parity.agreement:.2%}, largest "
        f"difference of a probability {parity.largest_difference:.3f}",
    ]
    return "\n".join(rows)
