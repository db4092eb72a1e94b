"""`compare --dataset DIR`: several networks on the same photos; which is small and right enough?"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mask_detector.architectures import ARCHITECTURES
from mask_detector.commands.argument_types import list_of, positive, some_of
from mask_detector.commands.shared import add_face_argument
from mask_detector.commands.train import add_dataset_arguments, add_knobs, gather_data
from mask_detector.errors import OptionError, writing
from mask_detector.training_options import TrainingOptions

if TYPE_CHECKING:
    from mask_detector.comparison.verdict import Entry
    from mask_detector.training_data import TrainingData

HELP = "train several networks on the same photos, and find the smallest that is right enough"
# What a comparison sets for each network; all other knobs are the same for all.
_SET_FOR_EACH = ("architecture", "width_multiplier", "backbone_weights", "epochs",
                 "fine_tune_epochs")  # fmt: skip

logger = logging.getLogger(__name__)


def _width(text: str) -> float:
    low, high = next(
        knob.metadata["limits"]
        for knob in dataclasses.fields(TrainingOptions)
        if knob.name == "width_multiplier"
    )
    if not low <= positive(text) <= high:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from {low:g} to {high:g}")
    return float(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_dataset_arguments(parser)
    parser.add_argument(
        "-a",
        "--architectures",
        type=some_of(ARCHITECTURES, tuple(ARCHITECTURES)),
        default="mobilenet_v2,vgg_small,cnn",
        metavar="A,B,...",
        help=f"the networks: {', '.join(ARCHITECTURES)}, or all",
    )
    parser.add_argument(
        "--widths",
        type=list_of(_width),
        default="1",
        metavar="X,Y,...",
        help="also compare each network with its channels multiplied by these, 0.25 to 2: half "
        "of them are about a quarter of the parameters; resnet50 has width 1 only",
    )
    parser.add_argument(
        "--budget",
        type=int,
        default=0,
        metavar="EPOCHS",
        help="passes over the pictures that each network gets in all, from 1; a pretrained one "
        "spends a third on its head; 0 leaves it to each: pretrained ones 12, others 30, more for "
        "small sets",
    )
    parser.add_argument(
        "--backbone-weights",
        action="append",
        metavar="[NETWORK=]WEIGHTS",
        help="what networks begin with: auto, imagenet, none, or for one network the path of a "
        "weights file (resnet50=FILE); give it again for another; auto is imagenet where Keras "
        "has it in that width, else none (default: auto)",
    )
    add_knobs(parser, left_out=_SET_FOR_EACH)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("comparison"),
        metavar="DIR",
        help="folder for models, table (comparison.txt, .json) and plot (comparison.png); what "
        "is finished there is not trained again, so a stopped comparison goes on, and one that "
        "names more networks beside the earlier ones is extended",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, no table")
    add_face_argument(parser)


def run(args: argparse.Namespace) -> int:
    from mask_detector.quiet import load_tensorflow

    if args.budget < 0:
        raise OptionError(f"--budget {args.budget} is out of range: expected 0 or more")
    # What is said on the way must not stand before the object.
    aside = contextlib.redirect_stdout(sys.stderr) if args.json else contextlib.nullcontext()
    with aside:
        common = {
            knob.name: getattr(args, knob.name)
            for knob in dataclasses.fields(TrainingOptions)
            if knob.name not in _SET_FOR_EACH
        }
        load_tensorflow()
        from mask_detector.comparison.training import check_folder, networks_of

        weights = _weights_by_network(args.backbone_weights or [])
        networks = networks_of(args.architectures, args.widths, common, weights, args.budget)
        data = gather_data(args, networks[0])
        settings = {**common, "budget": args.budget, "classes": list(data.class_names)}
        settings["pictures"] = {side: len(samples) for side, samples in data.splits.items()}
        check_folder(args.output, {**settings, "data": data.fingerprint})
        entries = _train_all(networks, data, args.output)
    _report(args, entries, data)
    return 0


def _weights_by_network(texts: list[str]) -> dict[str, str]:
    """`resnet50=FILE` by name; what stands alone is for all others, under ""."""
    found = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if mark and name in ARCHITECTURES:
            found[name] = value
        elif text in ("auto", "imagenet", "none"):
            found[""] = text
        else:
            raise OptionError(
                f"--backbone-weights {text}: expected auto, imagenet or none for all networks, or "
                f"for one of them NETWORK=FILE, with one of {', '.join(ARCHITECTURES)}"
            )
    return found


def _train_all(networks: list[TrainingOptions], data: TrainingData, folder: Path) -> list[Entry]:
    from mask_detector.comparison.training import name_of, train_network
    from mask_detector.training import prepare_device

    print(prepare_device())
    verbose = 1 if sys.stdout.isatty() else 2
    entries = []
    for number, options in enumerate(networks, start=1):
        logger.info("network %d of %d: %s", number, len(networks), name_of(options))
        try:
            entries.append(train_network(options, data, folder, verbose=verbose))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"stopped at {name_of(options)}; the same command goes on from there"
            ) from None
    return entries


def _report(args: argparse.Namespace, entries: list[Entry], data: TrainingData) -> None:
    from mask_detector.comparison.plot import plot_comparison
    from mask_detector.comparison.report import comparison_text, comparison_to_dict
    from mask_detector.comparison.training import groups_of_test, time_networks
    from mask_detector.comparison.verdict import judge_entries

    groups = groups_of_test(data)
    verdict = judge_entries(entries, groups)
    times = time_networks(entries, args.output, data.splits["test"])
    text = comparison_text(entries, verdict, times, groups)
    found = json.dumps(comparison_to_dict(entries, verdict, times, groups), indent=1)
    paths = [args.output / f"comparison.{suffix}" for suffix in ("txt", "json", "png")]
    for path, content in zip(paths, (text, found), strict=False):
        with writing(path):
            path.write_text(content + "\n", "utf-8", errors="backslashreplace")
    names = ", ".join(data.sources)
    plot_comparison(entries, verdict, f"{names}: {len(groups)} test pictures", paths[-1])
    print(found if args.json else f"\n{text}\n\nsaved {', '.join(map(str, paths))}")
