"""The benchmark: its sums, its processes, and the verb as a user runs it, briefly."""

import json
import math
import re
import subprocess
import sys
from datetime import datetime, timedelta

import cv2
import numpy as np
import pytest
from conftest import ROOT, SHIPPED_MODEL, assert_clear_error, textured_photo

from mask_detector.benchmark.child import Round
from mask_detector.benchmark.frames import Case
from mask_detector.benchmark.machine import matrix_rate, mobilenet_v2_gflop, ssd_gflop
from mask_detector.benchmark.measuring import MEMORY, START, Comparison, Plan, Spread, Work

CASE = Case(640, 480, 2)
SIDES = ["classic", "tracks", "every frame"]
needs_model = pytest.mark.skipif(
    not SHIPPED_MODEL.exists(), reason=f"needs the shipped model {SHIPPED_MODEL}"
)


def test_a_comparison_is_made_round_by_round():
    rng = np.random.default_rng(0)
    classic, ours = rng.uniform(5, 10, 7), rng.uniform(100, 200, 7)
    comparison = Comparison.of("x", "tracks", CASE, list(classic), list(ours))
    for spread, values in (
        (comparison.classic, classic),
        (comparison.ours, ours),
        (comparison.ratio, ours / classic),
    ):
        np.testing.assert_allclose(
            (spread.least, spread.median, spread.most), np.quantile(values, (0, 0.5, 1))
        )


def test_rounds_are_added_up():
    rounds = [
        Round("ours", 10, 2.0, {"detect": 0.5, "draw": 0.1}, {2: 9, 3: 1}, {"a": 21}, 90.0),
        Round("ours", 30, 3.0, {"detect": 1.5, "classify": 0.4}, {2: 30}, {"a": 50, "b": 10}, 95.0),
    ]
    work = Work.of("tracks", CASE, rounds)
    assert work.stage_ms == pytest.approx({"detect": 50.0, "draw": 2.5, "classify": 10.0})
    assert work.frames_by_faces == {2: 39, 3: 1} and work.verdicts == {"a": 71, "b": 10}
    assert work.miscounted == pytest.approx(1 / 40)


def test_a_round_survives_json():
    one = Round("ours", 3, 0.5, {"detect": 0.1}, {0: 1, 10: 2}, {"a": 20}, None)
    assert Round.from_json(json.dumps(one.__dict__)) == one


def test_a_child_is_not_charged_with_the_memory_of_its_parent():
    child = "from mask_detector.benchmark.child import peak_memory_mb as p; {}; print(p())"
    peaks = []
    for ballast, own in (("b''", ""), ("bytearray(b'x' * 600_000_000)", ""), ("b''", 600)):
        own_work = f"x = bytearray(b'x' * {own}_000_000); del x" if own else "0"
        code = (
            f"import subprocess, sys; ballast = {ballast}\n"
            f"subprocess.run([sys.executable, '-c', {child.format(own_work)!r}], check=True)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        )
        peaks.append(float(done.stdout))
    assert peaks[1] < peaks[0] + 50  # a fat parent
    assert 550 < peaks[2] - peaks[0] < 1300  # memory of its own, although it was given back


def test_the_operations_of_the_ssd_are_those_of_its_convolutions(face_folder):
    files = (
        face_folder / "deploy.prototxt",
        face_folder / "res10_300x300_ssd_iter_140000.caffemodel",
    )
    assert ssd_gflop(*files, 300) == pytest.approx(2.36, rel=0.03)  # counted by hand elsewhere
    assert ssd_gflop(*files, 600) == pytest.approx(4 * ssd_gflop(*files, 300), rel=0.05)
    assert mobilenet_v2_gflop(112) == pytest.approx(0.6 / 4)


def test_the_matrix_rate_is_one_that_a_computer_can_have():
    assert 1 < matrix_rate() < 1e5


@pytest.fixture(scope="module")
def short_run(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    done = run(
        "-m", "mask_detector", "benchmark", "--rounds", "1", "--frames", "3", "--sizes", "640x480",
        "--faces", "2", "--starts", "1", "--json", "--plot", "speed.png", cwd=folder,
        env={"TZ": "Asia/Tokyo"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, done


@needs_model
def test_every_comparison_names_both_sides_and_their_ratio(short_run):
    found = json.loads(short_run[1].stdout)
    kinds = {(c["what"], c["variant"]) for c in found["comparisons"]}
    assert kinds == {
        (what, variant)
        for what in ("frames_per_second", START, MEMORY)
        for variant in ("tracks", "every frame")
    }
    for comparison in found["comparisons"]:
        classic, ours, ratio = (comparison[key] for key in ("classic", "ours", "ratio"))
        for spread in (classic, ours, ratio):
            assert 0 < spread["least"] <= spread["median"] <= spread["most"]
        assert math.isclose(ratio["median"], ours["median"] / classic["median"])  # of one round
        if comparison["what"] == MEMORY:
            assert ours["median"] > 30 and classic["median"] > 200


@needs_model
def test_it_says_what_it_ran_on_and_with(short_run):
    found = json.loads(short_run[1].stdout)
    assert datetime.fromisoformat(found["date"]).utcoffset() == timedelta(0)
    assert found["processor"] and found["cores"] >= 1
    assert found["versions"]["opencv-python"].startswith(cv2.__version__)
    assert found["files"]["mask_detector.keras"] and len(found["files"]) >= 2
    assert found["settings"]["rounds"] == 1
    assert list(found["loops"]) == SIDES
    for floor in found["floors"]:
        assert floor["least_ms"] == pytest.approx(
            floor["gflop"] / found["matrix_gflop_per_s"] * 1000
        )


@needs_model
def test_every_side_saw_every_frame_and_both_faces_in_it(short_run):
    work = json.loads(short_run[1].stdout)["work"]
    assert [side["side"] for side in work] == SIDES
    for side, frame_count in zip(work, (3, 15, 15), strict=True):
        assert side["frames_by_faces"] == {"2": frame_count}
        assert side["verdicts"] == {"without_mask": 2 * frame_count}
        assert {"capture", "detect", "classify", "draw"} <= set(side["stage_ms"])


@needs_model
def test_the_plot_is_a_picture_and_nothing_else_is_left_behind(short_run):
    folder, done = short_run
    assert [path.name for path in folder.iterdir()] == ["speed.png"]
    assert cv2.imread(str(folder / "speed.png")).std() > 10
    assert not re.search("error|Traceback", done.stderr)


def test_steps_are_counted_before_they_are_taken():
    assert Plan((CASE, CASE), rounds=5, frame_count=30, start_count=4).steps(3) == 3 * (4 + 2 * 6)


def test_text_and_plot_of_several_cases(tmp_path):
    from mask_detector.benchmark.machine import Floor, Machine
    from mask_detector.benchmark.measuring import FRAMES_PER_SECOND, Result
    from mask_detector.benchmark.plot import plot_result
    from mask_detector.benchmark.report import as_text

    cases = tuple(Case(*size, n) for size in ((640, 480), (1280, 720)) for n in (1, 10))
    result = Result()
    for case in cases:
        for variant in SIDES[1:]:
            for what, classic, ours in ((FRAMES_PER_SECOND, [8, 10, 12], [160, 200, 180]),
                                        (MEMORY, [1200], [100])):  # fmt: skip
                result.comparisons.append(Comparison.of(what, variant, case, classic, ours))
        result.work.append(Work("tracks", "loop", case, {"detect": 5.5}, {1: 3, 10: 1}, {}))
    for variant in SIDES[1:]:
        result.comparisons.append(Comparison.of(START, variant, None, [4.0, 4.2], [0.2, 0.21]))
    machine = Machine("2026-01-02T03:04:05+00:00", "CPU", 2, 9.0, {"numpy": "2"}, {}, 100.0,
                      [Floor("SSD", 2.36, 23.6)])  # fmt: skip
    text = as_text(machine, Plan(cases, 3, 30, 2), result)
    assert text.count("180 (160-200)") == 8 and text.count("10.0 (8.0-12.0)") == 4
    assert text.count("1/12.0") == 8 and "1/20.0 of classic" in text
    assert "busy" in text and "23.60 ms" in text
    assert "1: 75.0%, 10: 25.0%" in text
    plot_result(result, machine.title, tmp_path / "plot.png")
    assert cv2.imread(str(tmp_path / "plot.png")).std() > 10
    assert Spread.of([3, 1, 2]) == Spread(2, 1, 3)


@needs_model
def test_photos_without_faces_are_a_clear_error(run, tmp_path):
    cv2.imwrite(str(tmp_path / "blobs.png"), textured_photo(1, (200, 200)))
    done = run("-m", "mask_detector", "benchmark", "--photos", tmp_path)
    assert_clear_error(done, "no face of at least 48 pixels", "portraits")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--sizes", "big"], "'big': expected WIDTHxHEIGHT"),
        (["--sizes", "640x480,64x48"], "'64x48': expected WIDTHxHEIGHT, each from 120"),
        (["--faces", "1,0"], "'0': expected a whole number from 1 to 40"),
        (["--rounds", "none"], "'none': expected a whole number"),
    ],
)
def test_numbers_out_of_range_are_refused(options, words, run):
    done = run("-m", "mask_detector", "benchmark", *options)
    assert done.returncode == 2
    assert words in done.stderr and "Traceback" not in done.stderr


@needs_model
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model", "models/mask_detector.tflite"], "the classic loop runs .keras files"),
        (["--model", "none.keras"], "none.keras"),
        (["--plot", "figure.pdf"], "ending in .png"),
        (["--photos", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_measured_is_a_clear_error(options, words, run):
    code = 2 if words in ("ending in .png", "the classic loop runs .keras files") else 1
    assert_clear_error(run("-m", "mask_detector", "benchmark", *options), words, code=code)


@needs_model
def test_a_side_that_breaks_down_says_why_in_one_line(run, tmp_path):
    damaged = tmp_path / "damaged.keras"
    damaged.write_bytes(SHIPPED_MODEL.read_bytes())
    with damaged.open("r+b") as file:  # the zip's directory stays whole, the weights do not
        file.seek(damaged.stat().st_size // 2)
        file.write(b"\0" * 4096)
    done = run("-m", "mask_detector", "benchmark", "--model", damaged, "--starts", "1")
    assert_clear_error(done, "classic", "can't be loaded")
