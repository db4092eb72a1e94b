"""Alarms reach real servers, whenever those are there, and hold up nobody."""

import base64
import json
import logging
import threading
import time

import pytest
from alarm_receivers import Broker, WebHook, free_port, hung_server, subscriber, wait_until

from mask_detector.alarms.sending import AlarmSender, check
from mask_detector.errors import MaskDetectorError
from mask_detector.events.records import WatchEvent, utc_text

SECRETS = ("bob", "secretpw", "T0KEN", "v4lue")


def alarm(track=1):
    now = utc_text(time.time())
    return WatchEvent("alarm", now, "DOOR", track, "without_mask", 0.97, (1, 2, 30, 40), 3.2)


def quick_sender(*addresses, **options):
    return AlarmSender(addresses, first_wait_s=0.05, longest_wait_s=0.1, **options)


def hook_address(port):
    return f"json://bob:secretpw@127.0.0.1:{port}/hooks/T0KEN?+X-Key=v4lue"


def tracks_of(received, count):
    """The tracks of the next alarms that a server gets."""
    got = [received.get(timeout=10) for _ in range(count)]
    return [(alarm if isinstance(alarm, dict) else json.loads(alarm))["track"] for alarm in got]


def lines(caplog):
    return [record.getMessage() for record in caplog.records if record.name.startswith("mask_")]


def assert_no_secret(caplog):
    for secret in SECRETS:
        assert secret not in caplog.text


@pytest.fixture
def hook():
    with WebHook() as server:
        yield server


@pytest.fixture(autouse=True)
def loud_log(caplog):
    caplog.set_level(logging.DEBUG)


def test_a_web_hook_gets_words_and_the_event_and_the_picture(hook, tmp_path, caplog):
    hook.start()
    picture = tmp_path / "breach.jpg"
    picture.write_bytes(b"\xff\xd8 not really a picture")
    event = alarm()
    with quick_sender(hook_address(hook.port)) as sender:
        sender.send(event, picture)
        payload = hook.received.get(timeout=10)
    assert payload["title"] == "Mask detector: DOOR"
    assert payload["message"] == f"No Mask at DOOR: {event.time[11:19]} UTC, seen 3.2 s, 97 %"
    fields = {"event": "alarm", "source": "DOOR", "track": 1, "verdict": "without_mask",
              "confidence": 0.97, "box": [1, 2, 30, 40], "seconds_seen": 3.2}  # fmt: skip
    assert fields.items() <= payload.items()
    assert payload["time"] == event.time
    (attached,) = payload["attachments"]
    assert base64.b64decode(attached["base64"]) == picture.read_bytes()
    assert hook.headers["X-Key"] == "v4lue"
    assert base64.b64decode(hook.headers["Authorization"].split()[1]) == b"bob:secretpw"
    assert lines(caplog) == []  # all went well: nothing to say
    assert_no_secret(caplog)


def test_a_broker_gets_the_event_as_json(tmp_path):
    event = alarm()
    with (
        Broker(tmp_path).start() as broker,
        subscriber(broker.port, "masks/#") as messages,
        quick_sender(f"mqtt://127.0.0.1:{broker.port}/masks/door") as sender,
    ):
        sender.send(event)
        payload = json.loads(messages.get(timeout=10))
    assert payload == json.loads(json.dumps(event.to_dict()))


def test_both_dead_at_first_get_everything_in_order_once_they_are_there(hook, tmp_path, caplog):
    with Broker(tmp_path).start() as broker:
        with subscriber(broker.port, "masks"):
            pass
        broker.stop()
        mqtt = f"mqtt://bob:secretpw@127.0.0.1:{broker.port}/masks"
        with quick_sender(hook_address(hook.port), mqtt) as sender:
            for track in (1, 2, 3):
                sender.send(alarm(track))
            wait_until(lambda: len(lines(caplog)) == 2)
            time.sleep(0.4)  # for some more tries
            broker.start()
            hook.start()
            assert tracks_of(hook.received, 3) == [1, 2, 3]
            with subscriber(broker.port, "masks") as messages:
                assert tracks_of(messages, 3) == [1, 2, 3]
            wait_until(lambda: len(lines(caplog)) == 4)
    assert sorted(line.split(":")[0] for line in lines(caplog)) == sorted([
        "alarms do not reach json", "alarms do not reach mqtt",
        "alarms reach json", "alarms reach mqtt",
    ])  # fmt: skip
    assert_no_secret(caplog)


def test_a_broker_that_dies_and_comes_back_misses_nothing(tmp_path, caplog):
    with (
        Broker(tmp_path).start() as broker,
        quick_sender(f"mqtt://127.0.0.1:{broker.port}/masks") as sender,
    ):
        with subscriber(broker.port, "masks") as messages:
            sender.send(alarm(1))
            assert tracks_of(messages, 1) == [1]
        threads = threading.active_count()
        broker.stop()
        sender.send(alarm(2))
        wait_until(lambda: lines(caplog))
        sender.send(alarm(3))
        time.sleep(0.3)
        broker.start()
        with subscriber(broker.port, "masks") as messages:
            assert tracks_of(messages, 2) == [2, 3]
            assert messages.empty()
        assert threading.active_count() == threads  # no broken connection left one


def test_a_broker_that_dies_with_an_alarm_in_its_hands_gets_it_once(tmp_path):
    with Broker(tmp_path).start() as broker:
        with subscriber(broker.port, "masks"):
            pass
        with quick_sender(f"mqtt://127.0.0.1:{broker.port}/masks?rto=0.3") as sender:
            sender.send(alarm(1))
            with subscriber(broker.port, "masks") as messages:
                assert tracks_of(messages, 1) == [1]
            broker.hang()
            sender.send(alarm(2))
            time.sleep(1.0)  # throttled by half a second, then without an answer
            broker.kill()
            broker.start()
            with subscriber(broker.port, "masks") as messages:
                assert tracks_of(messages, 1) == [2]
                time.sleep(0.7)  # for a second copy
                assert messages.empty()


def test_a_hook_that_fails_for_a_while_gets_the_alarm_once(hook, caplog):
    answers = iter([500, 503])
    hook.answer = lambda payload: next(answers, 200)
    hook.start()
    with quick_sender(hook_address(hook.port)) as sender:
        sender.send(alarm(1))
        sender.send(alarm(2))
        assert tracks_of(hook.received, 2) == [1, 2]
    assert hook.received.empty()
    assert "500" in lines(caplog)[0] and len(lines(caplog)) == 2


def test_a_dead_address_slows_neither_the_watching_nor_the_others(hook, caplog):
    hook.start()
    with hung_server() as hung:
        sender = quick_sender(f"json://127.0.0.1:{hung}", f"json://127.0.0.1:{free_port()}",
                              hook_address(hook.port))  # fmt: skip
        slowest_s = 0.0
        for track in range(90):
            begin_s = time.perf_counter()
            sender.send(alarm(track))
            slowest_s = max(slowest_s, time.perf_counter() - begin_s)
        assert tracks_of(hook.received, 90) == list(range(90))
        assert slowest_s < 0.05
        begin_s = time.monotonic()
        sender.close(patience_s=0.3)
        assert time.monotonic() - begin_s < 1.0
    left = [line for line in lines(caplog) if "have not reached" in line]
    assert len(left) == 2 and all(line.endswith(": 90") for line in left)


def test_the_oldest_alarms_give_way_and_are_counted_once(hook, caplog):
    with quick_sender(hook_address(hook.port), queue_size=3) as sender:
        for track in range(10):
            sender.send(alarm(track))
        wait_until(lambda: any("do not reach" in line for line in lines(caplog)))
        hook.start()
        assert tracks_of(hook.received, 3) == [7, 8, 9]
        wait_until(lambda: "again" in lines(caplog)[-1])
    assert lines(caplog)[-1].endswith("dropped meanwhile: 7")
    assert sum("oldest are dropped" in line for line in lines(caplog)) == 1


def test_an_alarm_that_gives_way_while_it_is_sent_takes_no_other_with_it(hook, caplog):
    may_answer = threading.Event()
    hook.answer = lambda payload: 200 if may_answer.wait(3) else 500
    hook.start()
    with quick_sender(hook_address(hook.port), queue_size=2) as sender:
        sender.send(alarm(1))
        wait_until(lambda: hook.headers)
        for track in (2, 3, 4):
            sender.send(alarm(track))
        may_answer.set()
        assert tracks_of(hook.received, 3) == [1, 3, 4]
        wait_until(lambda: "dropped meanwhile: 1" in lines(caplog)[-1])


def test_closing_sends_what_is_left(hook, caplog):
    sender = AlarmSender([hook_address(hook.port)], first_wait_s=60)
    sender.send(alarm(1))
    sender.send(alarm(2))
    wait_until(lambda: lines(caplog))
    hook.start()  # the next try would be in a minute
    sender.close()
    assert tracks_of(hook.received, 2) == [1, 2]
    sender.send(alarm(3))  # too late, and no error
    sender.close()
    assert hook.received.empty()


def test_closing_does_not_wait_for_a_dead_address_longer_than_one_try(caplog):
    sender = AlarmSender([f"json://127.0.0.1:{free_port()}"], first_wait_s=60)
    sender.send(alarm(1))
    wait_until(lambda: lines(caplog))
    begin_s = time.monotonic()
    sender.close()
    assert time.monotonic() - begin_s < 2
    assert lines(caplog)[-1].startswith("alarms that have not reached json://127.0.0.1:")
    assert lines(caplog)[-1].endswith(": 1")


def test_an_alarm_whose_picture_is_refused_goes_without(hook, tmp_path):
    hook.answer = lambda payload: 413 if payload["attachments"] else 200
    hook.start()
    picture = tmp_path / "breach.jpg"
    picture.write_bytes(b"too large")
    with quick_sender(hook_address(hook.port)) as sender:
        sender.send(alarm(1), picture)
        assert tracks_of(hook.received, 1) == [1]
        sender.send(alarm(2), tmp_path / "deleted meanwhile.jpg")
        assert tracks_of(hook.received, 1) == [2]


def test_two_hooks_of_one_server_have_names_of_their_own(caplog):
    port = free_port()
    with quick_sender(f"json://127.0.0.1:{port}/a1b2", f"json://127.0.0.1:{port}/c3d4") as sender:
        sender.send(alarm())
        wait_until(lambda: len(lines(caplog)) == 2)
    assert sum(f"json://127.0.0.1:{port} (2)" in line for line in lines(caplog)) == 2


def test_the_check_says_what_is_wrong_and_shows_no_secret(hook, tmp_path, caplog):
    address = hook_address(hook.port)
    problems = [check(address)]  # nobody there
    hook.answer = lambda payload: 401
    hook.start()
    problems.append(check(address))
    assert "401" in problems[-1]
    hook.answer = lambda payload: 200
    assert check(address) is None
    payload = hook.received.get(timeout=1)
    assert payload["event"] == "test" and "test" in payload["message"]
    with Broker(tmp_path, password="another").start() as broker:
        problems.append(check(f"mqtt://bob:secretpw@127.0.0.1:{broker.port}/masks?rto=0.5"))
        assert check(f"mqtt://bob:another@127.0.0.1:{broker.port}/masks") is None
    for problem in problems:
        assert problem
        assert not any(secret in problem for secret in SECRETS)
    assert_no_secret(caplog)


@pytest.mark.parametrize(
    "address", ["siren", "foo://bob:secretpw@host/T0KEN", "slack://T0KEN/v4lue", "mqtt://"]
)
def test_an_address_that_is_none_is_a_clear_error(address, caplog):
    with pytest.raises(MaskDetectorError, match="expected for instance sound") as error:
        AlarmSender([address])
    for secret in SECRETS:
        assert secret not in str(error.value)
    assert check(address) == str(error.value)
    assert_no_secret(caplog)


def test_a_program_that_has_told_a_broker_ends_at_once(tmp_path, run):
    with Broker(tmp_path).start() as broker, subscriber(broker.port, "masks") as messages:
        code = (
            "from mask_detector.alarms.sending import AlarmSender\n"
            "from mask_detector.events.records import WatchEvent\n"
            f"sender = AlarmSender(['mqtt://127.0.0.1:{broker.port}/masks'])\n"
            "sender.send(WatchEvent('alarm', 12.5, 'clip.mp4', 4, 'without_mask'))\n"
            "sender.close()\n"
        )
        done = run("-c", code, timeout=20)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        assert tracks_of(messages, 1) == [4]
