"""Feed damaged videos and photos to the reader, and count what it makes of them.

    python -m benchmarks.fuzz_sources --count 10000 --files DIR

Small videos and photos of many formats are made, those of DIR are added (as far as their first
100 kB go), and each file fed is one of them with some bytes changed, cut out, doubled or mixed up.
The n-th depends on nothing but the seed and n. Child processes read them as `video --source` does,
so that a crash or a file that takes longer than `--limit` seconds is seen and counted. Anything but
frames or an error for people is reported, its file kept in `--keep`; then the exit code is 1.
"""

from __future__ import annotations

import argparse
import io
import resource
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from mask_detector.errors import MaskDetectorError
from mask_detector.sources import open_source

MOST_FRAMES = 200  # of one file
MOST_BYTES = 100_000  # of a seed
MEMORY_BYTES = 8 << 30  # address space of a child; a damaged header may ask for any amount
BATCH = 50  # files per child
READER = (sys.executable, "-m", "benchmarks.fuzz_sources", "--child")
FINE = ("read", "refused")
EXTREMES = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4), b"\x00\x00\x00\x01", b"\x80\0\0\0")


@dataclass(frozen=True)
class Outcome:
    """What became of a file: read, refused, traceback, crash or hang."""

    path: Path
    kind: str
    detail: str = ""


def seeds(folder: Path | None) -> list[tuple[str, bytes]]:
    """Names and contents of whole files, made here and from a folder."""
    rng = np.random.default_rng(0)
    frames = [np.roll(rng.integers(0, 255, (48, 64, 3), np.uint8), i, 1) for i in range(12)]
    made = []
    with tempfile.TemporaryDirectory() as place:
        for suffix, codec in (
            (".avi", "MJPG"),
            (".mp4", "mp4v"),
            (".mkv", "mp4v"),
            (".avi", "XVID"),
        ):
            path = Path(place) / f"{codec}{suffix}"
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 25, (64, 48))
            for frame in frames:
                writer.write(frame)
            writer.release()
            made.append((path.name, path.read_bytes()))
    for kind in ("PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF", "PPM", "TGA", "ICO", "JPEG2000"):
        stream = io.BytesIO()
        Image.fromarray(frames[0]).save(stream, kind)
        made.append((f"photo.{kind.lower()}", stream.getvalue()))
    given = sorted(path for path in folder.rglob("*") if path.is_file()) if folder else []
    return made + [(path.name, path.read_bytes()[:MOST_BYTES]) for path in given]


def mutant(whole: Sequence[tuple[str, bytes]], seed: int, number: int) -> tuple[str, bytes]:
    """Name and content of the damaged file of this number."""
    rng = np.random.default_rng((seed, number))
    name, content = whole[rng.integers(len(whole))]
    data = bytearray(content)
    for _ in range(rng.integers(1, 6)):
        if not data:
            break
        # Headers, where most can go wrong, are short: every other place lies near the start.
        reach = min(len(data), 256) if rng.random() < 0.5 else len(data)
        start = int(rng.integers(reach))
        length = int(min(len(data) - start, 2 ** rng.integers(0, 12)))
        match rng.integers(7):
            case 0:
                data[start] ^= 1 << int(rng.integers(8))
            case 1:
                data[start : start + length] = rng.bytes(length)
            case 2:
                data[start : start + 4] = EXTREMES[rng.integers(len(EXTREMES))]
            case 3:
                del data[start : start + length]
            case 4:
                data[start:start] = data[start : start + length]
            case 5:
                del data[int(rng.integers(1, len(data) + 1)) :]
            case 6:
                other = whole[rng.integers(len(whole))][1]
                data[start : start + length] = other[start : start + length]
    return f"{number:06d}_{name}", bytes(data)


def read_files(limit_s: float, paths: Sequence[str]) -> None:
    """Read files as the program would; a line per file says what came of it.

    One that takes longer than the limit ends the process by SIGALRM, wherever it hangs.
    """
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for path in paths:
        count = 0
        signal.setitimer(signal.ITIMER_REAL, limit_s)
        try:
            with open_source(path) as source:
                for frame in source:
                    assert frame.image.ndim == 3 and frame.image.dtype == np.uint8
                    count += 1
                    if count == MOST_FRAMES:
                        break
            said = f"read {count} frames"
        except MaskDetectorError as error:
            said = f"refused {error}"
        except Exception as error:
            said = f"traceback {error!r}"
        print(" ".join(said.split()), flush=True)


def feed(paths: Sequence[Path], limit_s: float, reader: Sequence[str] = READER) -> list[Outcome]:
    """Read files in a child; where it dies, another goes on with the files after that."""
    outcomes: list[Outcome] = []
    while len(outcomes) < len(paths):
        left = map(str, paths[len(outcomes) :])
        child = subprocess.run(
            [*reader, str(limit_s), *left],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # FFmpeg's complaints, in any bytes
            errors="replace",
            check=False,
        )
        for line in child.stdout.splitlines():
            outcomes.append(Outcome(paths[len(outcomes)], *line.split(" ", 1)))
        if len(outcomes) < len(paths):
            is_hang = child.returncode == -signal.SIGALRM
            detail = f"{limit_s:g} s were too few" if is_hang else f"exit code {child.returncode}"
            outcomes.append(Outcome(paths[len(outcomes)], "hang" if is_hang else "crash", detail))
    return outcomes


def main(arguments: list[str] | None = None) -> int:
    """Feed as many files as asked for, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--files", type=Path, metavar="DIR", help="more videos and photos to damage"
    )
    parser.add_argument("--limit", type=float, default=10.0, help="seconds for a file")
    parser.add_argument("--keep", type=Path, default=Path("fuzz_findings"), metavar="DIR")
    args = parser.parse_args(arguments)
    whole, counts = seeds(args.files), Counter()
    with tempfile.TemporaryDirectory() as place, tqdm(total=args.count, disable=None) as progress:
        for start in range(0, args.count, BATCH):
            paths = []
            for number in range(start, min(start + BATCH, args.count)):
                name, content = mutant(whole, args.seed, number)
                paths.append(Path(place) / name)
                paths[-1].write_bytes(content)
            for outcome in feed(paths, args.limit):
                counts[outcome.kind] += 1
                if outcome.kind not in FINE:
                    args.keep.mkdir(parents=True, exist_ok=True)
                    (args.keep / outcome.path.name).write_bytes(outcome.path.read_bytes())
                    print(f"{outcome.kind}: {outcome.path.name}: {outcome.detail}")
                outcome.path.unlink()
            progress.update(len(paths))
    print(f"{args.count} damaged files: " + ", ".join(f"{k} {n}" for k, n in counts.most_common()))
    return 0 if set(counts) <= set(FINE) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        read_files(float(sys.argv[2]), sys.argv[3:])
    else:
        sys.exit(main())
