"""What the verbs that look inside a model have in common: `explain` and `mistakes`."""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING

from mask_detector.commands.argument_types import positive
from mask_detector.commands.shared import how_to_read

if TYPE_CHECKING:
    from mask_detector.explaining.explainer import Explainer

logger = logging.getLogger(__name__)

# Keys of activation_maps.METHODS, and its scale's end in heat_drawing.FULL_HEAT, here so that
# asking for help does not load OpenCV.
METHOD_NAMES = ("auto", "gradcam", "gradcam++", "layercam", "hirescam")
FULL_HEAT = 20.0


def add_heat_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of how heat is made and shown."""
    parser.add_argument(
        "--method",
        choices=METHOD_NAMES,
        default="auto",
        help="gradcam: what speaks for the class and what against it, adding up to the log-odds. "
        "hirescam: the same, and right also where the network's head tells places apart (cnn, "
        "spots, an earlier --layer), which gradcam blurs. gradcam++ and layercam: only what speaks "
        "for it, layercam place by place. auto: gradcam where it is right, else hirescam",
    )
    parser.add_argument(
        "--layer",
        metavar="NAME",
        help="layer whose features the heat is made of (default: feature_map, or in a model "
        "without one its last convolution); an earlier one has more and smaller places, but "
        "knows less of classes",
    )
    parser.add_argument(
        "--full-heat",
        type=positive,
        metavar="LOG_ODDS",
        default=FULL_HEAT,
        help="where the colours end: how much the class would gain if the whole picture were like "
        "this place, in log-odds. The same for all pictures, so that they compare; less shows "
        "fainter heat",
    )


def open_explainer(args: argparse.Namespace) -> Explainer:
    """Load the model that the options name, and say which layer stands in for `feature_map`."""
    from mask_detector.assets import find_file
    from mask_detector.explaining import explainer as explaining

    explainer = explaining.open_explainer(
        find_file(args.model),
        method=args.method,
        layer_name=args.layer,
        **how_to_read(args),
    )
    if explainer.is_stand_in:
        rows, columns = explainer.grid
        logger.info(
            "%s has no layer feature_map: explained by its last convolution's, %s, in %d x %d "
            "places", args.model, explainer.layer_name, columns, rows,
        )  # fmt: skip
    return explainer
