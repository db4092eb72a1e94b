"""Events files read back: damaged lines, parts in their order, and what is no events file."""

import pytest

from mask_detector.errors import MaskDetectorError
from mask_detector.events.lines import FORMATS
from mask_detector.events.log import EventLog
from mask_detector.events.reading import events_files, read_events
from mask_detector.events.records import WatchEvent

EVENT = WatchEvent(
    "settled", "2026-11-21T18:40:00.123+00:00", "door", 7, "with_mask", 0.9712, (1, -2, 30, 40), 3.2
)


def tracks_in(path):
    return [event.track for file in events_files([path])[0] for event in read_events(file)]


DAMAGE = [
    b"", b"\n", b"{}", b"[]", b"null", b"[[]]", b"5", b"{", b"\xff\xfe", b'"event"',
    b"[" * 100_000, b"9" * 5000, b'{"event": "settled"}', b"settled", b"," * 11, b'settled,"',
    b'{"event": "settled", "time": true, "source": "a"}',
    b'{"event": "settled", "time": NaN, "source": "a"}',
    b'{"event": "settled", "time": -1, "source": "a"}',
    b'{"event": "settled", "time": "soon", "source": "a"}',
    b'{"event": "settled", "time": "2026-11-21T18:40:00", "source": "a"}',
    b'{"event": "settled", "time": "0001-01-01T00:00:00Z", "source": "a"}',
    b'{"event": "danced", "time": 1, "source": "a"}',
    b'{"event": ["settled"], "time": 1, "source": "a"}',
    b'{"event": "settled", "time": 1, "source": 5}',
    b'{"event": "settled", "time": 1, "source": "a", "track": 1.5}',
    b'{"event": "settled", "time": 1, "source": "a", "confidence": "high"}',
    b'{"event": "settled", "time": 1, "source": "a", "box": [1, 2]}',
    b'{"event": "settled", "time": 1, "source": "a", "box": 7}',
    b"settled,soon,a,1,with_mask,.5,1,2,3,4,1,", b"settled,1,a,x,with_mask,.5,1,2,3,4,1,",
    b"settled,1,a,1,with_mask,.5,1,2,,4,1,", b"settled,1,a,1,with_mask,nan,1,2,3,4,1,",
]  # fmt: skip


@pytest.mark.parametrize("suffix", FORMATS)
def test_damaged_lines_are_told_and_spoil_no_other(tmp_path, suffix):
    good = FORMATS[suffix].encode(EVENT)
    path = tmp_path / f"events{suffix}"
    path.write_bytes(b"".join(good + line + b"\n" for line in DAMAGE))
    events = list(read_events(path))
    assert [event for event in events if event] == [EVENT] * len(DAMAGE)
    assert len(events) == 2 * len(DAMAGE) - 2  # empty lines are nothing


def test_later_versions_may_say_more(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "settled", "time": 1, "source": "a", "hat": "red"}\r\n')
    assert list(read_events(path)) == [WatchEvent("settled", 1, "a")]


def test_parts_are_read_in_order_and_none_twice(tmp_path):
    path = tmp_path / "events.jsonl"
    with EventLog(path, max_bytes=300, backups=12) as log:
        for track in range(24):
            log.write(WatchEvent("settled", 1.0, "door", track, "with_mask"))
    (tmp_path / "events.jsonl.bak").write_text("x")
    (tmp_path / "events.jsonl.0").write_text("x")
    assert len(list(tmp_path.iterdir())) > 13  # .10 comes after .9
    assert tracks_in(path) == sorted(tracks_in(path)) and len(tracks_in(path)) > 12
    (log_files,) = events_files([path])
    assert events_files([*sorted(tmp_path.glob("events.jsonl.1*")), path, path]) == [log_files]
    assert events_files([tmp_path / "events.jsonl.2"]) == [[tmp_path / "events.jsonl.2"]]
    path.unlink()  # killed between putting aside and beginning anew
    assert events_files([path]) == [log_files[:-1]]


def test_an_events_file_that_is_not_there_is_a_clear_error(tmp_path):
    for name in ("none.jsonl", "none.csv.3", "nowhere/none.csv"):
        with pytest.raises(MaskDetectorError, match="there is no events file"):
            events_files([tmp_path / name])
