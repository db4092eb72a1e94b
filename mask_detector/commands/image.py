"""`image PHOTO|FOLDER ...`: one line per face of photos, as text or JSON."""

from __future__ import annotations

import argparse
import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mask_detector.commands.shared import add_judging_arguments, check_blurring, open_pipeline
from mask_detector.errors import MaskDetectorError, OptionError

if TYPE_CHECKING:
    from mask_detector.sinks import FrameSink
    from mask_detector.types import Face, Frame

HELP = "judge the faces of photos, or with --detector none whole photos; one line for each"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photos", nargs="+", type=_path, metavar="PHOTO|FOLDER")
    add_judging_arguments(parser)
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="save annotated copies in this folder"
    )
    parser.add_argument("--blur", action="store_true", help="blur the faces in these copies")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object per photo: "
        "path, width, height, faces (box [left, top, right, bottom] in pixels, "
        "detector_score, label, confidence, clear: large and whole enough, sure, probabilities)",
    )


def run(args: argparse.Namespace) -> int:
    from mask_detector.drawing import AnnotatedFrame
    from mask_detector.sources import StillSource

    check_blurring(args)
    paths = photo_paths(args.photos)
    with contextlib.ExitStack() as stack:
        sinks = [stack.enter_context(sink) for sink in _output_sinks(args.output, paths)]
        pipeline = open_pipeline(args)
        for frame in StillSource(paths, ", ".join(str(path) for path in args.photos)):
            faces = pipeline(frame.image)
            if args.json:
                print(json.dumps(photo_record(frame, faces)))
            else:
                print("\n".join(_lines(frame, faces)))
            for sink in sinks:
                sink.write(AnnotatedFrame(frame, faces, is_blurred=args.blur))
    return 0


def photo_record(frame: Frame, faces: list[Face]) -> dict[str, Any]:
    """What `--json` says of a photo."""
    height, width = frame.image.shape[:2]
    return {
        "path": frame.source,
        "width": width,
        "height": height,
        "faces": [
            {
                "box": face.box.edges,
                "detector_score": round(face.box.score, 4),
                "label": face.label,
                "confidence": round(face.confidence, 4),
                "clear": face.is_clear,
                "sure": face.is_sure,
                "probabilities": {
                    name: round(p, 4)
                    for name, p in zip(face.class_names, face.probabilities, strict=True)
                },
            }
            for face in faces
        ],
    }


def _lines(frame: Frame, faces: list[Face]) -> list[str]:
    from mask_detector.labels import NOT_SURE, display_name

    if not faces:
        return [f"{frame.source}: no face found"]
    return [
        f"{frame.source}: {display_name(face.label) if face.is_sure else NOT_SURE} "
        f"(Confidence: {face.confidence:.0%}) "
        f"at {face.box.left},{face.box.top},{face.box.width},{face.box.height}"
        for face in faces
    ]


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("expected a photo or a folder, not nothing")
    return Path(text)


def photo_paths(given: list[Path]) -> list[Path]:
    """The photos themselves, and those in folders."""
    from mask_detector.sources import photos_in

    paths: list[Path] = []
    for path in given:
        if not path.exists():
            raise MaskDetectorError(f"no such photo or folder: {path}")
        paths += photos_in(path) if path.is_dir() else [path]
    return paths


def _output_sinks(folder: Path | None, paths: list[Path]) -> list[FrameSink]:
    from mask_detector.capture.stills import common_folder
    from mask_detector.sinks import PictureSink

    if folder is None:
        return []
    sink = PictureSink(folder, common_folder(paths))
    originals = {path.resolve() for path in paths}
    for path in paths:
        if sink.target_of(str(path)).resolve() in originals:
            raise OptionError(
                f"--output {folder} lies among the photos themselves: {path} would be written "
                f"over one of them; choose another folder"
            )
    return [sink]
