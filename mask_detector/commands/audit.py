"""`audit DIR`: what a data set holds, what is broken in it, what leaks."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

HELP = "look at a data set before training: broken files, copies, leaks, balance"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dataset",
        type=Path,
        help="a folder with one folder of photos per class, or with train/val/test folders of "
        "such, or photos with boxes in the files of PASCAL VOC, COCO or YOLO",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object that names every file found"
    )


def run(args: argparse.Namespace) -> int:
    from mask_detector.audit import audit_dataset
    from mask_detector.audit_report import audit_text, audit_to_dict

    audit = audit_dataset(args.dataset)
    print(json.dumps(audit_to_dict(audit), indent=1) if args.json else audit_text(audit))
    return 0
