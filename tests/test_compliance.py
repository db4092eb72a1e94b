"""Everyone counts once: whatever order and however broken the events are that tell of them."""

from datetime import UTC
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from mask_detector.compliance.counting import Compliance, PeopleCounter
from mask_detector.compliance.report import Absence, WatchReport
from mask_detector.compliance.tables import duration_text, summary_lines, tables
from mask_detector.events.records import WatchEvent


def zone_of(name):
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        pytest.skip("needs the world's time zones (Debian: apt-get install tzdata)")


def event(kind, track=1, verdict="with_mask", time="2026-11-16T08:10:00+00:00", source="door"):
    return WatchEvent(kind, time, source, track, verdict)


def counted(*events):
    counter = PeopleCounter()
    for one in events:
        counter.add(one)
    return [person.verdict for person in counter.people]


def report_of(*events, zone=UTC):
    report = WatchReport(zone)
    for one in events:
        report.add(one)
    report.end_log()
    return report


def test_compliance_is_the_part_with_a_mask_of_those_who_could_be_judged():
    judged = ["with_mask"] * 6 + ["WithoutMask"] * 2 + ["mask_weared_incorrect"]
    found = Compliance.of(judged + ["not_sure"] * 3)
    assert (found.people, found.with_mask, found.without_mask) == (12, 6, 2)
    assert (found.worn_wrongly, found.not_sure, found.others) == (1, 3, {})
    assert found.percent == pytest.approx(100 * 6 / 9)
    assert found.text() == (
        "12 people: Mask 6, No Mask 2, Mask worn wrongly 1, Not sure 3; compliance 66.7 %"
    )


def test_without_anyone_to_judge_there_is_no_percentage():
    assert Compliance.of([]).percent is None and Compliance.of(["not_sure"]).percent is None
    assert Compliance.of(["not_sure"]).text() == "1 person: Not sure 1"


def test_classes_that_are_not_about_masks_are_counted_by_name():
    found = Compliance.of(["def_front", "ok_front", "def_front"])
    assert found.others == {"def_front": 2, "ok_front": 1}
    assert found.people == 3 and found.percent is None


def test_counts_add_up():
    one, other = Compliance.of(["with_mask", "ok_front"]), Compliance.of(["no_mask", "ok_front"])
    assert one + other == Compliance.of(["with_mask", "ok_front", "no_mask", "ok_front"])


def test_a_person_counts_once_with_the_last_verdict_that_settled():
    assert counted(
        event("settled"), event("alarm"), event("changed", verdict="without_mask"),
        event("lost", None), event("left", verdict="without_mask"),
    ) == ["without_mask"]  # fmt: skip


def test_who_never_settled_counts_as_not_sure_on_leaving():
    assert counted(event("left", verdict="not_sure")) == ["not_sure"]


def test_two_runs_that_number_alike_are_two_people():
    run = event("settled"), event("left")
    assert counted(*run, *run) == ["with_mask"] * 2
    killed = (event("settled"),)
    assert counted(*killed, *run) == ["with_mask"] * 2
    assert counted(*killed, event("left", verdict="not_sure")) == ["with_mask", "not_sure"]
    assert counted(*killed, *killed, *killed) == ["with_mask"] * 3


def test_a_line_that_is_lost_loses_nobody_who_has_another():
    assert counted(event("changed", verdict="without_mask"), event("left")) == ["with_mask"]
    assert counted(event("left", verdict="without_mask")) == ["without_mask"]


def test_tracks_of_several_sources_are_several_people():
    assert len(counted(event("settled"), event("settled", source="gate"))) == 2


def test_taking_empties_one_source_and_nobody_is_taken_twice():
    counter = PeopleCounter()
    counter.add(event("settled"))
    counter.add(event("settled", source="gate"))
    counter.add(event("changed", verdict="without_mask"))
    assert counter.take("door") == Compliance.of(["without_mask"])
    counter.add(event("left", verdict="without_mask"))
    counter.add(event("settled", 2))
    assert counter.take("door") == Compliance.of(["with_mask"])
    assert counter.take("gate").people == 1 and counter.take("gate").people == 0


# Hours and days


def test_people_stand_in_the_hour_and_day_in_which_they_settled():
    report = report_of(
        event("settled", 1, time="2026-11-16T22:59:59.999+00:00"),
        event("settled", 2, time="2026-11-16T23:00:00.000+00:00"),
        event("changed", 1, "without_mask", time="2026-11-16T23:10:00+00:00"),
        event("alarm", 1, "without_mask", time="2026-11-16T23:10:02+00:00"),
        zone=zone_of("Europe/Berlin"),
    )
    assert [(str(row.start), row.compliance.people, row.compliance.percent, row.alarms)
            for row in report.hours()] == [
        ("2026-11-16 23:00:00+01:00", 1, 0.0, 0), ("2026-11-17 00:00:00+01:00", 1, 100.0, 1),
    ]  # fmt: skip
    assert [(str(row.start), row.compliance.people) for row in report.days()] == [
        ("2026-11-16", 1), ("2026-11-17", 1),
    ]  # fmt: skip
    assert report.zone_names() == ["CET (UTC+01:00)"]


def test_the_hour_that_comes_twice_is_two_hours_and_one_day():
    times = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"]
    events = [event("settled", n, time=time) for n, time in enumerate(times)]
    report = report_of(*events, zone=zone_of("Europe/Berlin"))
    rows = {table.title: table.rows for table in tables(report)}
    assert [row[1] for row in rows["By hour"]] == ["02:00 CEST", "02:00 CET", "03:00 CET"]
    assert [row[:3] for row in rows["By day"]] == [["Sun 2026-10-25", "door", "3"]]
    assert report.zone_names() == ["CET (UTC+01:00)", "CEST (UTC+02:00)"]


def test_the_hour_that_is_left_out_in_spring_is_not_there():
    times = ["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"]
    report = report_of(
        *[event("settled", n, time=time) for n, time in enumerate(times)],
        zone=zone_of("Europe/Berlin"),
    )
    assert [row.start.hour for row in report.hours()] == [1, 3]


def test_half_hour_zones_have_hours_of_their_own():
    report = report_of(
        event("settled", 1, time="2026-11-16T08:29:00Z"),
        event("settled", 2, time="2026-11-16T08:31:00Z"), zone=zone_of("Asia/Kolkata"),
    )  # fmt: skip
    assert [row.start.hour for row in report.hours()] == [13, 14]
    assert report.zone_names() == ["IST (UTC+05:30)"]


def test_a_clock_set_back_loses_nobody_and_hours_stay_in_order():
    times = ["2026-11-16T10:05:00Z", "2026-11-16T11:05:00Z", "1970-01-01T00:00:09Z",
             "2026-11-16T10:06:00Z"]  # fmt: skip
    report = report_of(
        *[event("settled", n, time=time) for n, time in enumerate(times)],
        event("lost", None, "", time="2026-11-16T10:07:00Z"),
        event("returned", None, "", time="2026-11-16T09:07:00Z"),
    )
    assert [(row.start.year, row.start.hour, row.compliance.people) for row in report.hours()] == [
        (1970, 0, 1), (2026, 10, 2), (2026, 11, 1),
    ]  # fmt: skip
    assert report.absences() == [Absence("door", 1, 0.0, 0)]
    assert (report.first.year, report.last.hour) == (1970, 11)


def test_files_have_hours_of_their_own_clocks_and_no_days():
    report = report_of(
        event("settled", 1, time=3599.9, source="clip.mp4"),
        event("settled", 2, time=3600.0, source="clip.mp4"),
        event("alarm", 2, time=7300.0, source="clip.mp4"),
    )
    assert [(row.start, row.compliance.people, row.alarms) for row in report.file_hours()] == [
        (0, 1, 0), (1, 1, 0), (2, 0, 1),
    ]  # fmt: skip
    assert report.hours() == report.days() == [] and report.first is None
    assert [row.compliance.people for row in report.sources()] == [2]


def test_logs_are_of_other_people_also_where_their_sources_have_one_name():
    report = WatchReport(UTC)
    for _ in range(2):
        report.add(event("changed", verdict="without_mask"))
        report.end_log()
    assert report.total().compliance == Compliance.of(["without_mask"] * 2)


# Sources that were away


def at(second, kind, source="door"):
    return event(kind, None, "", f"2026-11-16T08:00:{second:06.3f}+00:00", source)


def test_absences_are_counted_and_timed():
    report = report_of(
        at(1, "lost"), at(3.5, "returned"), at(4, "lost", "gate"), at(10, "lost"),
        at(40, "returned"), at(50, "returned"),
    )  # fmt: skip
    assert report.absences() == [Absence("door", 2, 32.5, 0), Absence("gate", 1, 0.0, 1)]
    assert "32 s" in tables(report)[-1].text()


def test_an_absence_whose_end_nobody_wrote_is_not_timed():
    killed_away = at(1, "lost"), at(20, "lost"), at(25, "returned")
    assert report_of(*killed_away).absences() == [Absence("door", 2, 5.0, 1)]
    seen_again = at(1, "lost"), event("settled", time="2026-11-16T08:00:30Z"), at(40, "returned")
    assert report_of(*seen_again).absences() == [Absence("door", 1, 0.0, 1)]
    left_by_the_loss = at(1, "lost"), event("left"), at(4, "returned")
    assert report_of(*left_by_the_loss).absences() == [Absence("door", 1, 3.0, 0)]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (3599.6, "1 h 0 min"), (7501, "2 h 5 min")],
)
def test_durations_are_in_words(seconds, text):
    assert duration_text(seconds) == text


def test_the_summary_says_what_was_left_out():
    report = report_of(event("settled"), None, event("alarm"), None)
    assert summary_lines(report) == [
        "1 person: Mask 1; compliance 100.0 %; 1 alarm",
        "Mon 2026-11-16 08:10 to Mon 2026-11-16 08:10, times in UTC (UTC+00:00)",
        "2 damaged lines left out",
    ]
