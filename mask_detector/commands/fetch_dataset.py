"""`fetch-dataset`: get the public set of mask photos to train on."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "download a public set of about 3,700 photos to train on (needs git)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("dataset"),
        metavar="DIR",
        help="where the class folders go",
    )


def run(args: argparse.Namespace) -> int:
    from mask_detector.public_dataset import MASK_PHOTOS, fetch

    fetch(MASK_PHOTOS, args.output)
    print(f"saved in {args.output}; look at it with: python -m mask_detector audit {args.output}")
    return 0
