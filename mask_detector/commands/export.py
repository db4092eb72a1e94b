"""`export`: a trained model as a LiteRT or ONNX file, and proof of what it lost."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mask_detector.commands.argument_types import number_formats
from mask_detector.commands.cropping import with_face_crops
from mask_detector.commands.shared import add_face_argument
from mask_detector.engines import sibling_path
from mask_detector.errors import MaskDetectorError, ModelError, OptionError
from mask_detector.runtimes.onnx_runtime import EXPORTING, check_installed
from mask_detector.wording import counted

if TYPE_CHECKING:
    from mask_detector.export import Pictures
    from mask_detector.types import ModelCard

HELP = "write a trained model as .tflite or .onnx, which runs faster and without TensorFlow"
_JUDGED_COUNT = 2000  # held-out pictures at most; each file judges them one by one


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
        type=number_formats,
        default="int8",
        metavar="A,B,...",
        help="int8: a quarter of the size, quickest; float32: the same numbers as before, quick; "
        "float16: half the size of float32; all: these three; onnx: float32 for ONNX Runtime and "
        "other programs (pip install -r requirements-onnx.txt), takes up to minutes to write",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        help="the file to write, of one format (default: beside the model, NAME.tflite for int8, "
        "NAME_float16.tflite and NAME_float32.tflite, where `video` finds it by itself, and "
        "NAME.onnx)",
    )
    parser.add_argument(
        "--most-loss",
        type=float,
        default=0.5,
        metavar="POINTS",
        help="an export that loses more balanced accuracy than this, in percentage points, and "
        "more than one picture's worth of it, is refused; 0: one that loses any",
    )
    add_face_argument(parser)


def run(args: argparse.Namespace) -> int:
    from mask_detector.export import export_variants, variants_text
    from mask_detector.keras_files import load_keras
    from mask_detector.model_file import kind_of, read_card

    outputs = _outputs(args)
    if "onnx" in outputs:
        check_installed(*EXPORTING)
    card = read_card(args.model)
    if card is None or kind_of(args.model) in ("tflite", "onnx"):
        raise ModelError(
            f"{args.model} can't be exported; expected a .keras or .h5 file that this program "
            f"has trained"
        )
    pictures = _pictures(args, card)
    if "int8" in outputs:
        print(f"{counted(len(pictures.shown), 'picture')} of the train split shown to int8")
    model = load_keras(args.model)
    variants = export_variants(model, args.model, outputs, pictures, args.most_loss)
    print(variants_text(args.model, variants))
    for variant in variants:
        if not variant.problem:
            print(f"saved {variant.path}")
    refused = [
        f"{v.path} is not written: {v.number_format} {v.problem}" for v in variants if v.problem
    ]
    if refused:
        raise MaskDetectorError(f"{'; '.join(refused)}; see --most-loss, or try --format float32")
    return 0


def _outputs(args: argparse.Namespace) -> dict[str, Path]:
    """The file to write for each format."""
    if args.output is None:
        return {name: sibling_path(args.model, name) for name in args.format}
    if len(args.format) > 1:
        raise OptionError(
            f"--output {args.output} is one file, but --format names {len(args.format)}; give one "
            f"format, or leave --output out"
        )
    (name,) = args.format
    suffix = ".onnx" if name == "onnx" else ".tflite"
    if args.output.suffix.lower() != suffix:
        raise OptionError(f"--output {args.output}: expected a path ending in {suffix}")
    return {name: args.output}


def _pictures(args: argparse.Namespace, card: ModelCard) -> Pictures:
    """Pictures to show to the converter, and others to judge, as the training saw them."""
    from mask_detector.audit import audit_dataset
    from mask_detector.export import draw_pictures
    from mask_detector.training_data import gather

    options = card.training_options
    seed = options.get("split_seed", options.get("seed", 42))
    audits = [audit_dataset(dataset) for dataset in args.dataset]
    data = gather(audits, split_seed=seed, class_names=card.class_names)
    data = with_face_crops(data, options.get("crop", "none"), args.face)
    return draw_pictures(data.splits, _JUDGED_COUNT, seed)
