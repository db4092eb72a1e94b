"""The verb `report` as people run it, on files that the log has written: table, picture, page."""

import base64
import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from conftest import assert_clear_error

from mask_detector.compliance.plot import plot_report
from mask_detector.compliance.report import WatchReport
from mask_detector.drawing import colour_of
from mask_detector.events.log import EventLog
from mask_detector.events.records import WatchEvent, utc_text
from mask_detector.types import Face, FaceBox

MONDAY_S = 1_794_812_400.0  # 2026-11-16 07:00 UTC
SCRIPT = "<script>alert('x')</script>"
VOID = {"meta", "img"}


def week(sources=("door", SCRIPT), days=5, hours=10):
    """Four people an hour before each camera: two with a mask, one without, one not sure."""
    verdicts = ("with_mask", "with_mask", "without_mask", "not_sure")
    for hour in range(days * hours):
        for number, source in enumerate(sources):
            for place, verdict in enumerate(verdicts):
                utc_s = MONDAY_S + hour // hours * 86400 + hour % hours * 3600 + 600 * place
                track = 4 * hour + place
                event = WatchEvent("settled", utc_text(utc_s), source, track, verdict, 0.9)
                if verdict == "not_sure":
                    yield replace(event, event="left")
                else:
                    yield event
                    yield replace(event, event="left", time=utc_text(utc_s + 30))
                if verdict == "without_mask" and number:
                    yield replace(event, event="alarm", time=utc_text(utc_s + 2))


OTHERS = [
    WatchEvent("lost", utc_text(MONDAY_S + 100), "door", message="no frame for 10 s"),
    WatchEvent("returned", utc_text(MONDAY_S + 175), "door"),
    WatchEvent("settled", 12.0, "clip.mp4", 1, "with_mask", 0.9),
    WatchEvent("changed", 15.0, "clip.mp4", 1, "mask_weared_incorrect", 0.9),
]


def write(path, events, **options):
    with EventLog(path, **options) as log:
        for event in events:
            log.write(event)
    return path


def table_of(text, title):
    """The rows of a table below its title, cells apart."""
    block = text.split(f"\n{title}\n")[1].split("\n\n")[0]
    return [re.split(r"\s{2,}", line) for line in block.splitlines()]


@pytest.fixture(scope="module")
def done(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("week")
    write(folder / "shift.jsonl", [*week(), *OTHERS], max_bytes=20_000)
    assert (folder / "shift.jsonl.3").exists()
    done = run("-m", "mask_detector", "report", folder / "shift.jsonl", "-o", folder / "out",
               env={"TZ": "Europe/Berlin"})  # fmt: skip
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return folder, done.stdout


def test_the_table_tells_each_day_hour_and_source(done):
    text = done[1]
    assert text.splitlines()[:2] == [
        "401 people: Mask 200, No Mask 100, Mask worn wrongly 1, Not sure 100; compliance 66.4 %; "
        "50 alarms",
        "Mon 2026-11-16 08:00 to Fri 2026-11-20 17:30, times in CET (UTC+01:00)",
    ]
    days, hours = table_of(text, "By day"), table_of(text, "By hour")
    assert days[0] == ["day", "source", "people", "Mask", "No Mask", "Mask worn wrongly",
                       "Not sure", "compliance", "alarms"]  # fmt: skip
    assert days[2] == ["Mon 2026-11-16", "door", "40", "20", "10", "0", "10", "66.7 %", "0"]
    assert len(days) == 1 + 10 and len(hours) == 1 + 100
    assert hours[1] == ["Mon 2026-11-16", "08:00", SCRIPT, "4", "2", "1", "0", "1", "66.7 %", "1"]
    assert table_of(text, "By hour of the file")[1][:3] == ["0:00", "clip.mp4", "1"]
    assert table_of(text, "Sources that were away")[1] == ["door", "1", "1 min 15 s", "0"]
    assert "shift_report.png and " in text.splitlines()[-1]


class Page(HTMLParser):
    """Which elements are open where, and what stands in the cells of tables."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.rows, self.images = [], set(), [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        assert not any(name.startswith("on") or name in ("href", "xlink") for name, _ in attributes)
        if tag == "img":
            self.images.append(dict(attributes))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def test_the_page_holds_the_same_tables_and_the_picture_and_runs_nothing(done):
    folder, text = done
    html = (folder / "out" / "shift_report.html").read_text(encoding="utf-8")
    page = Page(html)
    assert page.open == [] and "script" not in page.tags and "link" not in page.tags
    assert "://" not in html and "<table>" in html and "@media print" in html
    for title in ("By source", "By day", "By hour", "Sources that were away"):
        for row in table_of(text, title):
            assert row in page.rows
    (image,) = page.images
    kind, data = image["src"].split(",")
    assert kind == "data:image/png;base64" and "401 people" in image["alt"]
    assert base64.b64decode(data) == (folder / "out" / "shift_report.png").read_bytes()


def part_of_colour(picture, blue_green_red):
    return (np.abs(picture.astype(int) - blue_green_red).max(axis=2) <= 6).mean()


def colour(name, *, sure=True):
    return colour_of(Face(FaceBox(0, 0, 9, 9, 1.0), (1.0,), (name,), is_clear=sure))


def test_the_picture_has_the_colours_of_the_boxes_in_proportion(done):
    picture = cv2.imread(str(done[0] / "out" / "shift_report.png"))
    assert picture.shape[1] == 1320 and part_of_colour(picture, (255, 255, 255)) > 0.5
    mask, bare = (part_of_colour(picture, colour(n)) for n in ("with_mask", "without_mask"))
    grey = part_of_colour(picture, colour("with_mask", sure=False))
    assert 0.02 < mask < 0.3
    assert bare == pytest.approx(mask / 2, rel=0.15) and grey == pytest.approx(bare, rel=0.15)
    assert part_of_colour(picture, colour("mask_weared_incorrect")) > 1e-3


def test_json_has_every_figure(done, run, tmp_path):
    again = run("-m", "mask_detector", "report", done[0] / "shift.jsonl", "--json", "-o", tmp_path,
                env={"TZ": "America/New_York"})  # fmt: skip
    assert again.returncode == 0, again.stderr
    found = json.loads(again.stdout)
    assert found["total"]["people"] == 401 and found["total"]["alarms"] == 50
    assert found["total"]["percent"] == pytest.approx(100 * 200 / 301)
    assert found["zone"] == ["EST (UTC-05:00)"] and found["damaged_lines"] == 0
    assert found["hours"][1]["start"] == "2026-11-16T02:00:00-05:00"
    assert len(found["hours"]) == 100 and len(found["days"]) == 10
    assert found["absences"] == [{"source": "door", "count": 1, "seconds": 75.0, "unended": 0}]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "shift_report.html", "shift_report.png",
    ]  # fmt: skip


def test_csv_gives_the_same_report_from_the_folder_one_works_in(done, run, tmp_path):
    write(tmp_path / "shift.csv", [*week(), *OTHERS], max_bytes=20_000)
    same = run("-m", "mask_detector", "report", "shift.csv", *tmp_path.glob("shift.csv.*"),
               cwd=tmp_path, env={"TZ": "Europe/Berlin"})  # fmt: skip
    assert same.stdout.splitlines()[:-1] == done[1].splitlines()[:-1], same.stderr
    assert same.stdout.splitlines()[-1] == "saved shift_report.png and shift_report.html"
    assert (tmp_path / "shift_report.html").exists()


def test_damaged_files_lose_their_damaged_lines_only(run, tmp_path):
    path = write(tmp_path / "events.csv", week(("door",), 1, 1))
    data = path.read_bytes()
    path.write_bytes(b"\0\xff\x00garbage\n" + data[:-9])  # "left" of the last is cut
    (tmp_path / "empty.jsonl").write_bytes(b"")
    done = run("-m", "mask_detector", "report", path, tmp_path / "empty.jsonl", "-o", tmp_path)
    assert done.returncode == 0 and "Traceback" not in done.stderr
    assert done.stdout.startswith("3 people: Mask 2, No Mask 1; compliance 66.7 %; 0 alarms\n")
    assert "2 damaged lines left out" in done.stdout


def test_an_empty_file_is_a_report_of_nobody(run, tmp_path):
    (tmp_path / "events.jsonl").write_bytes(b"")
    done = run("-m", "mask_detector", "report", "events.jsonl", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("0 people; 0 alarms\n"), done.stderr
    assert cv2.imread(str(tmp_path / "events_report.png")).std() > 1
    assert Page((tmp_path / "events_report.html").read_text()).rows == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.jsonl"], "there is no events file none.jsonl"),
        (["notes.jsonl"], "not one of 3 lines can be read"),
        (["clip.mp4"], "ending in .jsonl or .csv"),
        (["."], "ending in .jsonl or .csv"),
        (["events.jsonl", "-o", "events.jsonl"], "events.jsonl can't be written"),
    ],
)
def test_what_cannot_be_read_or_written_is_a_clear_error(run, tmp_path, arguments, words):
    (tmp_path / "events.jsonl").write_bytes(b"")
    (tmp_path / "notes.jsonl").write_text("no\nevents\nat all\n")
    done = run("-m", "mask_detector", "report", *arguments, cwd=tmp_path)
    assert_clear_error(done, words, code=2 if "ending in" in words else 1)


def report_of(events):
    report = WatchReport()
    for event in events:
        report.add(event)
    report.end_log()
    return report


@pytest.mark.parametrize(
    "events",
    [
        [*week(days=1, hours=1)],
        [*week([f"camera {n} $x_{{" for n in range(9)], 2, 3)],
        [*week(("door",), 20, 10)],  # by days
        [WatchEvent("settled", utc_text(s), "door", n, "with_mask") for n, s in
         enumerate([3.0, MONDAY_S, MONDAY_S + 5e7])],  # a clock that began in 1970
        [WatchEvent("alarm", utc_text(MONDAY_S), "door", 1, "without_mask")],
        [WatchEvent("settled", 3600.0 * n, f"{n} {os.fsdecode(bytes([200]))}", 1, "_$def_front")
         for n in range(50)],
    ],
)  # fmt: skip
def test_reports_of_all_sizes_are_drawn(tmp_path, events):
    plot_report(report_of(events), "all $sizes_", tmp_path / "plot.png")
    picture = cv2.imread(str(tmp_path / "plot.png"))
    assert picture.shape[1] == 1320 and 200 < picture.shape[0] < 3000 and picture.std() > 10
