"""Find out whether windows can be shown, without risking the process that asks."""

from __future__ import annotations

import os
import subprocess
import sys


def display_problem() -> str | None:
    """Why no window can be shown, or None where one can.

    OpenCV aborts the process where it can't reach a display, which no `except` catches: a child
    process tries first.
    """
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return "there is no display"
    probe = "import cv2; cv2.namedWindow('probe'); cv2.waitKey(1); cv2.destroyAllWindows()"
    try:
        command = [sys.executable, "-c", probe]
        done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        return "the display does not answer"
    if done.returncode == 0:
        return None
    if b"not implemented" in done.stderr or b"opencv-python-headless" in done.stderr:
        return "this OpenCV is the headless one, which has no windows"
    return f"the display {os.environ.get('DISPLAY', '')} can't be opened".replace("  ", " ")
