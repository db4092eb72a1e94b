"""`explain PHOTO|FOLDER ...`: where in each face, or whole photo, the network sees what it says."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mask_detector.commands.argument_types import fraction
from mask_detector.commands.image import photo_paths
from mask_detector.commands.looking import add_heat_arguments, open_explainer
from mask_detector.commands.shared import WHOLE_PICTURES, add_judging_arguments, open_face_detector
from mask_detector.errors import OptionError

if TYPE_CHECKING:
    from mask_detector.explaining.activation_maps import Explanation
    from mask_detector.types import FaceBox, Frame

HELP = "draw where in photos the classifier sees what it says, as heat over each face"


def _part(text: str) -> float:
    try:
        return fraction(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(
            f"{error}; photos stand before it, or write --region=0.5"
        ) from error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO|FOLDER")
    add_judging_arguments(parser, looks_inside=True)
    add_heat_arguments(parser)
    parser.add_argument(
        "--class",
        dest="class_name",
        metavar="NAME",
        help="what speaks for or against this class (default: the likeliest, face by face)",
    )
    parser.add_argument(
        "--region",
        nargs="?",
        type=_part,
        const=0.5,
        metavar="PART",
        help="box the hottest region, as for the fault of a casting: the hottest place and all "
        "around it that has at least this part of its heat; without a number 0.5; less makes "
        "larger boxes",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        default=Path("explanations"),
        help="folder for one PNG per face: the crop, its heat and both together",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object per photo: path, width, height, faces (box [left, top, right, "
        "bottom] in pixels, class, probability, probabilities, heat: places [across, down], gain "
        "and loss in log-odds, hottest in log-odds per picture; region as a box or null, picture)",
    )


def run(args: argparse.Namespace) -> int:
    from mask_detector.capture.stills import StillSource, common_folder
    from mask_detector.explaining.activation_maps import hottest_region
    from mask_detector.explaining.heat_drawing import draw_explanation

    paths = photo_paths(args.photos)
    explainer = open_explainer(args)
    card = explainer.network.card
    if args.class_name not in (None, *card.class_names):
        raise OptionError(
            f"--class {args.class_name}: the model knows {', '.join(card.class_names)}"
        )
    detector = open_face_detector(args, args.confidence, args.detect_size)
    below = common_folder(paths)
    for frame in StillSource(paths, ", ".join(str(path) for path in args.photos)):
        found = []
        boxes = detector.detect(frame.image)
        for number, box in enumerate(boxes, start=1):
            crop, shown, explanation = _explain(explainer, frame, box, args.class_name)
            region = None
            if args.region is not None:
                region = hottest_region(explanation.heat, shown.width, shown.height, args.region)
            path = _picture_path(args, frame, below, number)
            title = _title(explanation, frame, number)
            draw_explanation(
                crop, explanation, path, title=title, region=region, full_heat=args.full_heat
            )
            found.append(_record(explanation, box, _moved(region, shown), path))
        _report(args, frame, found)
    return 0


def _explain(
    explainer: Any, frame: Frame, box: FaceBox, class_name: str | None
) -> tuple[Any, FaceBox, Explanation]:
    """The crop in its own shape, RGB; where in the photo it lies; and what is said of it."""
    import cv2

    from mask_detector.images import crop_face, fit

    card = explainer.network.card
    crop = cv2.cvtColor(crop_face(frame.image, box, card.crop_margin), cv2.COLOR_BGR2RGB)
    height, width = frame.image.shape[:2]
    shown = box.widened(card.crop_margin).within(width, height)
    view = fit(crop, card.image_size)[None]
    (explanation,) = explainer.explain(view, [class_name] if class_name else None)
    return crop, shown, explanation


def _moved(region: FaceBox | None, shown: FaceBox) -> FaceBox | None:
    """A box of the crop in the photo's pixels."""
    from mask_detector.types import FaceBox

    return region and FaceBox(
        region.left + shown.left,
        region.top + shown.top,
        region.right + shown.left,
        region.bottom + shown.top,
        region.score,
    )


def _picture_path(args: argparse.Namespace, frame: Frame, below: Path, number: int) -> Path:
    """Below the output as the photo lies below what all photos share; suffixes keep names apart."""
    from mask_detector.capture.stills import absolute

    inside = absolute(Path(frame.source)).relative_to(below)
    end = "" if args.detector == WHOLE_PICTURES else f"_face{number}"
    return args.output / inside.with_name(f"{inside.name}{end}_heat.png")


def _title(explanation: Explanation, frame: Frame, number: int) -> str:
    from mask_detector.labels import display_name

    name = display_name(explanation.class_name)
    return f"{Path(frame.source).name}, {number}: {name} {explanation.probability:.1%}"


def _record(
    explanation: Explanation, box: FaceBox, region: FaceBox | None, path: Path
) -> dict[str, Any]:
    """What `--json` says of a face."""
    rows, columns = explanation.heat.shape
    return {
        "box": box.edges,
        "class": explanation.class_name,
        "probability": round(explanation.probability, 4),
        "probabilities": {
            name: round(p, 4)
            for name, p in zip(explanation.class_names, explanation.probabilities, strict=True)
        },
        "heat": {
            "places": [columns, rows],
            "gain": round(explanation.gain, 3),
            "loss": round(explanation.loss, 3),
            "hottest": round(float(explanation.heat.max()), 3),
        },
        "region": region and region.edges,
        "picture": str(path),
    }


def _report(args: argparse.Namespace, frame: Frame, found: list[dict[str, Any]]) -> None:
    if args.json:
        height, width = frame.image.shape[:2]
        print(json.dumps({"path": frame.source, "width": width, "height": height, "faces": found}))
        return
    if not found:
        print(f"{frame.source}: no face found")
    for face in found:
        heat, region = face["heat"], face["region"]
        where = f", hottest region {','.join(map(str, region))}" if region else ""
        print(
            f"{frame.source}: {face['class']} {face['probability']:.1%}, for it "
            f"{heat['gain']:+.1f} and against it {heat['loss']:+.1f} log-odds{where} -> "
            f"{face['picture']}"
        )
