"""Let the whole program run for very long, and see whether it leaves anything behind.

    python -m benchmarks.soak --video clip.mp4 --frames 200000

A video is played over and over, with pauses in which everybody has left, through everything that
`video` would do with
`--events --summary --snapshots --alarm --health --blur`: detecting, tracking, classifying, drawing,
people, breaches, an alarm server that answers, the health page that is asked now and then. Every
5,000 frames it prints memory (resident set), open file handles and threads. Exit code 1: at the
end memory is more than 5 % above that after the first 5,000 frames, or a handle or thread has
been added. Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import gc
import http.server
import json
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from benchmarks.one_line_errors import errors_in_one_line
from mask_detector.commands import video
from mask_detector.commands.guarding import open_guard
from mask_detector.commands.shared import open_pipeline
from mask_detector.drawing import AnnotatedFrame
from mask_detector.sinks import FrameSink, TallySink
from mask_detector.sources import open_source
from mask_detector.types import Frame
from mask_detector.watching import Annotator, watch

EVERY = 5000  # frames between two lines of the table
MOST_GROWTH = 0.05  # of the memory after the first of them
PAUSE_S = 90.0  # by the video's clock, from its end to its next beginning


class LoopingVideo:
    """Plays a video file for so many frames, opening it anew each time; its clock goes on."""

    is_live = False

    def __init__(self, path: Path, frame_count: int) -> None:
        self.name, self._path, self._frame_count = path.stem, path, frame_count

    def __iter__(self) -> Iterator[Frame]:
        index, begin_s = 0, 0.0
        while index < self._frame_count:
            with open_source(str(self._path)) as source:
                time_s = begin_s
                for frame in source:
                    time_s = begin_s + frame.time_s
                    yield dataclasses.replace(frame, index=index, time_s=time_s, source=self.name)
                    index += 1
                    if index >= self._frame_count:
                        return
            begin_s = time_s + PAUSE_S


@dataclasses.dataclass(frozen=True)
class Usage:
    """What the process holds."""

    frame_count: int
    memory_mb: float  # resident
    handle_count: int
    thread_count: int

    @classmethod
    def now(cls, frame_count: int) -> Usage:
        status = Path("/proc/self/status").read_text()
        kilobytes = int(status.split("VmRSS:")[1].split()[0])
        handles = len(list(Path("/proc/self/fd").iterdir())) - 1  # that of the listing itself
        return cls(frame_count, kilobytes / 1000, handles, threading.active_count())


class UsageSink(FrameSink):
    """Writes down what the process holds, every so many frames, and asks the health page."""

    def __init__(self, health_url: str) -> None:
        self.usages: list[Usage] = []
        self.status = ""
        self._health_url, self._frame_count = health_url, 0
        self._begun_s = time.monotonic()

    def write(self, annotated: AnnotatedFrame) -> None:
        self._frame_count += 1
        if self._frame_count % EVERY:
            return
        with urllib.request.urlopen(self._health_url, timeout=10) as answer:
            self.status = json.load(answer)["status"]
        gc.collect()
        usage = Usage.now(self._frame_count)
        self.usages.append(usage)
        rate = self._frame_count / (time.monotonic() - self._begun_s)
        print(
            f"{usage.frame_count:>9}{usage.memory_mb:>12.1f}{usage.handle_count:>9}"
            f"{usage.thread_count:>9}{rate:>10.1f}",
            flush=True,
        )


class AlarmServer(http.server.ThreadingHTTPServer):
    """Takes alarms and counts them."""

    def __init__(self) -> None:
        self.alarm_count = 0
        super().__init__(("127.0.0.1", 0), _AlarmHandler)


class _AlarmHandler(http.server.BaseHTTPRequestHandler):
    server: AlarmServer

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.alarm_count += 1
        self.send_response(200)
        self.end_headers()

    def log_message(self, form: str, *values: object) -> None:
        pass


def main() -> int:
    """Run and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--video", type=Path, required=True, help="with faces in it")
    parser.add_argument("--frames", type=int, default=200_000)
    args = parser.parse_args()
    with errors_in_one_line(), tempfile.TemporaryDirectory() as folder:
        usages = soak(args.video, args.frames, Path(folder))
    return verdict(usages)


def soak(path: Path, frame_count: int, folder: Path) -> list[Usage]:
    """Play the video through everything; what is kept goes to the folder."""
    parser = argparse.ArgumentParser()
    video.add_arguments(parser)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(AlarmServer())
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        port = _free_port()
        options = parser.parse_args([
            "--events", str(folder / "events.jsonl"), "--events-size", "0.1",
            "--summary", "60", "--snapshots", str(folder / "snapshots"), "--blur",
            "--alarm", f"json://127.0.0.1:{server.server_address[1]}", "--alarm-every", "1",
            "--health", str(port),
        ])  # fmt: skip
        pipeline = open_pipeline(options)
        source = LoopingVideo(path, frame_count)
        class_names = pipeline.classifier.card.class_names
        guard = open_guard(options, [source], class_names, stack)
        tally, usage = TallySink(), UsageSink(f"http://127.0.0.1:{port}/healthz")
        annotate = Annotator(video.judge_of(options, pipeline), is_blurred=True)
        print(f"{'frames':>9}{'memory, MB':>12}{'handles':>9}{'threads':>9}{'frames/s':>10}")
        started = time.monotonic()
        watch([source], annotate, [tally, *guard, usage])
        print(video.summary(tally, time.monotonic() - started))
        snapshot_count = len(list((folder / "snapshots").glob("*.jpg")))
        print(f"{server.alarm_count} alarms, {snapshot_count} snapshots, health: {usage.status}")
    return usage.usages


def verdict(usages: list[Usage]) -> int:
    """Say whether anything has grown; the exit code."""
    if len(usages) < 2:
        print(f"too short to judge: expected at least {2 * EVERY} frames", file=sys.stderr)
        return 1
    first, last = usages[0], usages[-1]
    growth = last.memory_mb / first.memory_mb - 1
    handles = last.handle_count - first.handle_count
    threads = last.thread_count - first.thread_count
    print(f"memory {growth:+.1%} since frame {first.frame_count}, {handles:+} handles, "
          f"{threads:+} threads")  # fmt: skip
    return int(growth > MOST_GROWTH or handles > 0 or threads > 0)


def _free_port() -> int:
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        return server.server_address[1]


if __name__ == "__main__":
    sys.exit(main())
