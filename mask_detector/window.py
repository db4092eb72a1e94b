"""The window: the newest picture of a source, or of several in a grid.

Open it only after `display_problem()` has answered None: without a display OpenCV aborts the whole
process.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mask_detector.drawing import AnnotatedFrame, draw_note
from mask_detector.mosaic import Mosaic
from mask_detector.sinks import FrameSink

if TYPE_CHECKING:
    from mask_detector.events.records import SourceChange


class WindowSink(FrameSink):
    """Shows annotated frames in a window; `q`, Esc or closing the window ends it.

    A single source's photo stays until a key is pressed. A camera that is lost keeps its last
    picture, and the window says so.
    """

    TITLE = "mask detector (q ends)"
    _END_KEYS = (ord("q"), ord("Q"), 27)
    _MODIFIERS = range(0xFFE1, 0xFFEF)  # X11's Shift, Ctrl, Alt ...: held down for another key
    _MOST_WIDTH, _MOST_HEIGHT = 1280, 720  # of a window as it opens, in pixels; it can be pulled
    _PHOTO_WAIT_MS = 50  # for a key, before other things get their turn

    def __init__(self, streams: Sequence[str] = ()) -> None:
        """
        Args:
            streams: names of those that share the window, in their order; one needs none.
        """
        # GUI_NORMAL: without the toolbar, which would only take room from the picture
        cv2.namedWindow(
            self.TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
        )
        self._mosaic = Mosaic(streams) if len(streams) > 1 else None
        self._newest: dict[str, np.ndarray] = {}
        self._is_sized = False

    def write(self, annotated: AnnotatedFrame) -> None:
        stream = annotated.frame.stream
        self._newest[stream] = annotated.picture
        self._show(stream, annotated.picture)
        self.is_held = annotated.frame.is_still and self._mosaic is None

    def source_changed(self, change: SourceChange) -> None:
        if change.is_lost:
            since = datetime.fromtimestamp(change.utc_s, UTC)
            nothing = np.zeros((360, 640, 3), np.uint8)
            last = self._newest.get(change.source, nothing)
            self._show(change.source, draw_note(last, f"no picture since {since:%H:%M:%S} UTC"))

    def _show(self, stream: str, picture: np.ndarray) -> None:
        if self._mosaic is not None:
            self._mosaic.lay(stream, draw_note(picture, stream, line=1))
            picture = self._mosaic.picture
        if not self._is_sized:
            scale = min(
                1.0, self._MOST_WIDTH / picture.shape[1], self._MOST_HEIGHT / picture.shape[0]
            )
            width, height = (max(1, round(scale * side)) for side in picture.shape[1::-1])
            cv2.resizeWindow(self.TITLE, width, height)
            self._is_sized = True
        cv2.imshow(self.TITLE, picture)

    def idle(self) -> None:
        code = cv2.waitKeyEx(self._PHOTO_WAIT_MS if self.is_held else 1)
        is_pressed = code != -1 and code & 0xFFFF not in self._MODIFIERS
        is_end = is_pressed and code & 0xFF in self._END_KEYS
        self.wants_stop = is_end or not self._is_open()
        self.is_held = self.is_held and not is_pressed and not self.wants_stop

    def _is_open(self) -> bool:
        if not self._is_sized:
            return True  # nothing was shown yet, and a window without a picture counts as closed
        try:
            return cv2.getWindowProperty(self.TITLE, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:
            return False

    def close(self) -> None:
        cv2.destroyAllWindows()
        cv2.waitKey(1)  # lets the window system do it
