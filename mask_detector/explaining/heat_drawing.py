"""Draw heat: a picture, the places that speak for or against a class, and both laid together.

    draw_explanation(crop, explanation, Path("why.png"), title="No Mask 97.1 %")

Colours stand for numbers, the same in every picture: red speaks for the class, blue against it,
and what says nothing stays clear. Needs no display.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from mask_detector.explaining.activation_maps import Explanation, spread
from mask_detector.figures import new_figure, save
from mask_detector.images import scaled
from mask_detector.labels import printable
from mask_detector.types import FaceBox

# Where the colours end. A face that a network is sure of (99 %) has 5 on average over all places,
# and 15 to 30 where it looks.
FULL_HEAT = 20.0  # log-odds per picture
_SHOWN_SIDE = 448  # pixels of a picture's longer side in an overlay; small crops are enlarged
_DENSEST = 0.65  # part of a pixel that the colour takes where the heat is full
_DPI = 100


def colours_of(heat: np.ndarray, full_heat: float = FULL_HEAT) -> np.ndarray:
    """Colours `(h, w, 3)` uint8 RGB of signed heat `(h, w)`: blue, white at 0, red."""
    parts = np.clip(heat / full_heat, -1, 1) / 2 + 0.5
    return matplotlib.colormaps["bwr"](parts, bytes=True)[..., :3]


def overlay(picture: np.ndarray, heat: np.ndarray, full_heat: float = FULL_HEAT) -> np.ndarray:
    """Lay heat over a picture: the stronger it is the more it covers.

    Args:
        picture: `(h, w, 3)` uint8 RGB.
        heat: in places of any number, log-odds per picture.
        full_heat: where the colour is densest.

    Returns:
        `(h, w, 3)` uint8 RGB; where the heat is 0 the picture's own pixels.
    """
    wide = spread(heat, picture.shape[1], picture.shape[0])
    density = _DENSEST * np.minimum(np.abs(wide) / full_heat, 1)[..., None]
    pure = colours_of(np.sign(wide), 1.0)
    return np.rint(picture * (1 - density) + pure * density).astype(np.uint8)


def heat_words(explanation: Explanation) -> str:
    """The heat in numbers: `for with_mask +5.1, against -0.3 log-odds`."""
    name = printable(explanation.class_name)
    if explanation.is_cold:
        return f"nothing speaks for {name} ({explanation.gain:+.1f}, {_against(explanation)})"
    return f"for {name} {explanation.gain:+.1f}, against {_against(explanation)}"


def _against(explanation: Explanation) -> str:
    return f"{explanation.loss:+.1f} log-odds"


def draw_explanation(
    crop: np.ndarray,
    explanation: Explanation,
    path: Path,
    *,
    title: str,
    region: FaceBox | None = None,
    full_heat: float = FULL_HEAT,
) -> None:
    """Write the crop, its heat place by place, and the overlay side by side as PNG.

    Args:
        crop: `(h, w, 3)` uint8 RGB in the photo's own shape.
        explanation: what the network says of it.
        path: the PNG to write.
        title: one line above.
        region: a box to draw, in pixels of the crop.
        full_heat: where the colours end, in log-odds per picture.

    Raises:
        MaskDetectorError: the file can't be written.
    """
    shown = scaled(crop, _SHOWN_SIDE)
    figure = new_figure(13, 4.8, dpi=_DPI)
    panels = [figure.add_axes((0.008 + 0.311 * i, 0.02, 0.303, 0.84)) for i in range(3)]
    height, width = shown.shape[:2]
    panels[0].imshow(shown)
    # Places as they are, not smoothed: how coarse the network's answer is belongs to the answer.
    image = panels[1].imshow(
        explanation.heat, cmap="bwr", vmin=-full_heat, vmax=full_heat,
        extent=(0, width, height, 0), interpolation="nearest",
    )  # fmt: skip
    panels[2].imshow(overlay(shown, explanation.heat, full_heat))
    rows, columns = explanation.heat.shape
    names = (
        "crop",
        f"heat in {columns} × {rows} places",
        heat_words(explanation),
    )
    for axes, name in zip(panels, names, strict=True):
        axes.set_title(name, fontsize=10, parse_math=False)
        axes.set_axis_off()
        if region:
            _outline(axes, region, width / crop.shape[1])
    label = "log-odds per picture: red speaks for, blue against"
    scale = figure.add_axes((0.94, 0.06, 0.01, 0.76))
    figure.colorbar(image, cax=scale, label=label, extend="both")
    figure.suptitle(printable(title), parse_math=False)
    save(figure, path, _DPI)


def _outline(axes: Axes, region: FaceBox, scale: float) -> None:
    edges = [region.left, region.top, region.width, region.height]
    left, top, width, height = (scale * edge for edge in edges)
    for colour, thickness in (("black", 4), ("yellow", 2)):
        style = {"fill": False, "edgecolor": colour, "linewidth": thickness}
        axes.add_patch(Rectangle((left, top), width, height, **style))
