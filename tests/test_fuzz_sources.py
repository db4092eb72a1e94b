"""Damaged files are refused or played as far as they go; the count of crashes can count them."""

import re
import sys

import pytest

from benchmarks.fuzz_sources import feed, mutant, seeds

COUNT = 60


def test_damaged_videos_and_photos_neither_crash_nor_hang_nor_show_a_traceback(run, tmp_path):
    options = ("--count", COUNT, "--seed", 5, "--keep", tmp_path / "found")
    done = run("-m", "benchmarks.fuzz_sources", *options)
    assert done.returncode == 0, done.stdout
    counts = dict(re.findall(r"(\w+) (\d+)", done.stdout.split(":")[-1]))
    assert set(counts) == {"read", "refused"} and sum(map(int, counts.values())) == COUNT
    assert not (tmp_path / "found").exists()


def test_each_number_damages_a_file_in_its_own_way_and_always_the_same():
    whole = seeds(None)
    files = [mutant(whole, 1, number) for number in range(50)]
    assert files == [mutant(whole, 1, number) for number in range(50)]
    assert len({content for _, content in files}) > 45
    originals = {content for _, content in whole}
    assert sum(content in originals for _, content in files) < 5


@pytest.mark.parametrize(
    "does, kind",
    [
        ("os.abort()", "crash"),
        ("time.sleep(60)", "hang"),
        ("print('traceback KeyError')", "traceback"),
    ],
)
def test_a_file_that_brings_the_reader_down_is_found_and_the_rest_is_read(does, kind, tmp_path):
    code = (
        "import os, signal, sys, time\n"
        "for path in sys.argv[2:]:\n"
        "    signal.setitimer(signal.ITIMER_REAL, float(sys.argv[1]))\n"
        f"    if path.endswith('bad'): {does}\n"
        "    else: print('read 3 frames', flush=True)"
    )
    paths = [tmp_path / name for name in ("a", "bad", "b", "c")]
    outcomes = feed(paths, 0.3, (sys.executable, "-c", code))
    assert [outcome.path for outcome in outcomes] == paths
    assert [outcome.kind for outcome in outcomes] == ["read", kind, "read", "read"]
