"""The mistakes of a model as one HTML file that needs no other: pictures, heat, doubtful labels."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np

from mask_detector.explaining.heat_drawing import FULL_HEAT, heat_words, overlay
from mask_detector.explaining.mistakes import DoubtfulLabel, ExplainedVerdict, Mistakes
from mask_detector.images import fit
from mask_detector.labels import printable
from mask_detector.types import FaceBox
from mask_detector.web_page import write_html
from mask_detector.wording import counted

_SIDE = 176  # pixels of a picture, and of its overlay beside it
_JPEG_QUALITY = 88

_STYLE = """
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(21rem, 1fr)); gap: 1rem; }
figure { margin: 0; padding: .5rem; border: 1px solid var(--faint); border-radius: .5rem; }
figure img { display: block; width: 100%; height: auto; border-radius: .25rem; }
figcaption { padding-top: .3rem; font-size: .9rem; overflow-wrap: anywhere; }
.photo { font-size: .85rem; color: #5b6673; overflow-wrap: anywhere; }
th, td { text-align: left; }
td.figure, th.figure { text-align: right; white-space: nowrap; }
td.photo { font-size: inherit; }
@media print { figure { break-inside: avoid; } }
"""


def write_page(
    mistakes: Mistakes, title: str, path: Path, *, model: str, full_heat: float = FULL_HEAT
) -> None:
    """Write the page.

    Args:
        mistakes: what to show.
        title: its heading.
        path: the HTML file to write.
        model: the name of the model that judged.
        full_heat: where the colours end, in log-odds per picture.

    Raises:
        MaskDetectorError: the file can't be written.
    """
    right_count = mistakes.judged - mistakes.wrong_count
    introduction = f"""
<p>{escape(printable(model))} judged {counted(mistakes.judged, "picture")}:
{right_count} right, {mistakes.wrong_count} wrong; labels that look wrong:
{len(mistakes.doubtful)}.</p>"""
    wrong = _cards("Mistakes, the surest first", mistakes.wrong, mistakes.wrong_count, full_heat)
    body = f"""{wrong}
{_cards("Right, the least sure first", mistakes.unsure, right_count, full_heat)}
{_table(mistakes.doubtful)}
<footer><p>Beside each picture its heat: red places speak for the verdict, blue ones against it;
the colours end at {full_heat:g} log-odds per picture in all of them, so that faint heat looks
faint. The figures are what all places of a kind add up to, in log-odds.</p>
<p>A label looks wrong where the model gives another class at least the probability that it gives
that class on average where it is the label (Northcutt et al., 2021). Look before you mend: it may
be the model that is wrong. On photos that it was trained on it has learnt wrong labels, too.</p>
</footer>"""
    write_html(path, title, introduction, body, _STYLE)


def _cards(title: str, verdicts: Sequence[ExplainedVerdict], count: int, full_heat: float) -> str:
    cards = "".join(_card(verdict, full_heat) for verdict in verdicts)
    shown = f"{len(verdicts)} of {count}" if len(verdicts) < count else f"{count}"
    body = f'<div class="cards">{cards}</div>' if verdicts else "<p>None.</p>"
    return f"<section><h2>{title} ({shown})</h2>{body}</section>\n"


def _card(verdict: ExplainedVerdict, full_heat: float) -> str:
    said, true = (
        escape(printable(name)) for name in (verdict.explanation.class_name, verdict.true_class)
    )
    picture = fit(verdict.picture, _SIDE)
    both = np.hstack([picture, overlay(picture, verdict.explanation.heat, full_heat)])
    words = f"<b>{said} {verdict.explanation.probability:.1%}</b>, labelled {true}"
    return (
        f'<figure><img src="{_data_address(both)}" alt="{said}, labelled {true}">'
        f"<figcaption>{words}<br>{escape(heat_words(verdict.explanation))}"
        f'<div class="photo">{_place(verdict.photo, verdict.box)}</div></figcaption></figure>'
    )


def _place(photo: str, box: FaceBox | None) -> str:
    at = f" at {box.left},{box.top},{box.width},{box.height}" if box else ""
    return escape(printable(photo)) + at


def _data_address(picture: np.ndarray) -> str:
    """A picture `(h, w, 3)` uint8 RGB as text that stands for its file."""
    options = (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"


def _table(doubtful: Sequence[DoubtfulLabel]) -> str:
    rows = "".join(
        f'<tr><td class="photo">{_place(label.photo, label.box)}</td>'
        f"<td>{escape(printable(label.true_class))}</td>"
        f"<td>{escape(printable(label.looks_like))}</td>"
        f'<td class="figure">{label.probability:.1%}</td>'
        f'<td class="figure">{label.bar:.1%}</td></tr>'
        for label in doubtful
    )
    head = (
        '<th scope="col">photo</th><th scope="col">labelled</th><th scope="col">looks like</th>'
        '<th scope="col" class="figure">probability</th>'
        '<th scope="col" class="figure">mean of that class</th>'
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    body = f'<div class="wide">{table}</div>' if doubtful else "<p>None.</p>"
    return f"<section><h2>Labels that look wrong ({len(doubtful)})</h2>{body}</section>\n"
