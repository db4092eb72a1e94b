"""Start, command and end the processes of the benchmark.

Use:
    with Process(start, frames) as side:  # has judged one frame when it is there
        result = side.run(begin=0, count=30)
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import mask_detector
from mask_detector.benchmark.child import Round, Start
from mask_detector.benchmark.frame_file import FrameFile
from mask_detector.errors import MaskDetectorError


class Process:
    """A running side; `start_s` is what it took from nothing to its first verdict."""

    def __init__(self, start: Start, frames: FrameFile) -> None:
        """
        Raises:
            MaskDetectorError: it ended before its first verdict; its own words say why.
        """
        self.side = start.side
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115, closed on the way out
        started = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mask_detector", "benchmark", "--child", start.to_text(frames)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=_environment(),
            text=True,
        )
        try:
            self._read()  # its first verdict
        except BaseException:
            self._end()
            raise
        self.start_s = time.perf_counter() - started

    def run(self, begin: int, count: int) -> Round:
        """Judge `count` frames from number `begin` on.

        Raises:
            MaskDetectorError: it ended on the way.
        """
        with contextlib.suppress(BrokenPipeError):  # reading says why it ended
            self._process.stdin.write(json.dumps({"begin": begin, "count": count}) + "\n")
            self._process.stdin.flush()
        return self._read()

    def _read(self) -> Round:
        line = self._process.stdout.readline()
        if line:
            return Round.from_json(line)
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace").strip().splitlines()
        reason = said[-1].removeprefix("error: ") if said else "it said nothing"
        raise MaskDetectorError(f"the process of {self.side!r} ended: {reason}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        """It has nothing to save; TensorFlow alone takes seconds to end in good order."""
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._complaints.close()


def _environment() -> dict[str, str]:
    """The package is found from any working folder, as it was found here."""
    home = str(Path(mask_detector.__file__).resolve().parents[1])
    known = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": os.pathsep.join([home, known] if known else [home])}
