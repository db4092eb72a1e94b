"""Where alarms go: a sound, or whatever address the `apprise` library knows.

    address = open_address("mqtt://user:password@localhost/masks")
    problem = address.deliver(Alarm(event, picture))  # None: it has arrived

No name, password, token or query of an address is ever shown; apprise, which would log some of
them, is heard by us alone.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from mask_detector.alarms.sound import play_alarm
from mask_detector.errors import MaskDetectorError, OptionError
from mask_detector.events.records import WatchEvent
from mask_detector.home_paths import expanded
from mask_detector.labels import display_name

_EXAMPLES = (
    "sound, sound:siren.wav, mailto://user:password@gmail.com, tgram://token/chat, "
    "mqtt://localhost/masks or json://localhost:8080/alarm"
)
_LIST = "https://appriseit.com/services/"
_DELIMITERS = re.compile(r"[/:@?&=#,;+\s]+")  # between the parts of an address
_URL = re.compile(r"\S+://\S*")
_LEAST_SECRET = 4  # characters; shorter parts of an address are in every other word
_JSON_FIELDS = ("version", "title", "message", "attachments", "type")  # apprise's own


@dataclass(frozen=True)
class Alarm:
    """What is sent: an event and, where one was kept, its picture."""

    event: WatchEvent
    picture: Path | None = None

    @property
    def title(self) -> str:
        return f"Mask detector: {self.event.source}"

    def text(self, now: datetime) -> str:
        """One line: `No Mask at DOOR: 18:40:02 UTC, seen 3.2 s, 97 %`; the day if it is not now."""
        event = self.event
        if event.message:
            return event.message
        parts = [_time_text(event.time, now)]
        if event.seconds_seen is not None:
            parts.append(f"seen {event.seconds_seen:.1f} s")
        if event.confidence is not None:
            parts.append(f"{event.confidence:.0%}".replace("%", " %"))
        return f"{display_name(event.verdict)} at {event.source}: {', '.join(parts)}"


class AlarmAddress(Protocol):
    """Takes alarms, one at a time."""

    name: str  # as it may be shown
    is_momentary: bool  # an alarm that could not be given at once is not given at all

    def deliver(self, alarm: Alarm) -> str | None:
        """Send an alarm, and wait until it has arrived; what is wrong, None where all is well."""

    def close(self) -> None:
        """Let go of connections."""


def open_address(text: str) -> AlarmAddress:
    """Find out what an address is; nothing is sent yet.

    Raises:
        MaskDetectorError: nothing that alarms can be sent to.
    """
    kind, _, file = text.partition(":")
    if kind == "sound" and not file.startswith("//"):
        return SoundAddress(expanded(file) if file else None)
    return AppriseAddress(text)


class SoundAddress:
    """The loudspeaker of this machine. Hours later a sound would tell nobody anything."""

    is_momentary = True

    def __init__(self, path: Path | None = None) -> None:
        if path is not None and not path.is_file():
            raise MaskDetectorError(f"sound:{path}: there is no such file; expected a WAV or MP3")
        self.name = "sound" if path is None else f"sound:{path}"
        self._path = path

    def deliver(self, alarm: Alarm) -> str | None:
        try:
            play_alarm(self._path)
        except Exception as error:  # players are other programs: whatever it is, alarms go on
            return str(error)
        return None

    def close(self) -> None:
        """Nothing is kept open."""


class AppriseAddress:
    """One of the services of `apprise`; it belongs to one thread."""

    is_momentary = False

    def __init__(self, text: str) -> None:
        _listen_to_apprise()
        self._text = _with_receipt(text)
        self.name = _without_credentials(text)  # until more is known
        self._service = self._open()
        if self._service is None:
            raise OptionError(
                f"{self.name} is nothing that alarms can be sent to{self._reason(': ')}; expected "
                f"for instance {_EXAMPLES}; all are in {_LIST}"
            )
        self.name = _shown(self._service)
        self._asked = dict(getattr(self._service, "payload_extras", {}))  # by the address itself

    def deliver(self, alarm: Alarm) -> str | None:
        from apprise import NotifyFormat, NotifyType

        _HEARD.reason = ""
        try:
            self._service = self._service or self._open()
            arguments = self._arguments(alarm)
            has_arrived = self._service.notify(
                notify_type=NotifyType.WARNING, body_format=NotifyFormat.TEXT, **arguments
            )
        except Exception as error:  # a hundred services, and none may end the thread
            has_arrived, _HEARD.reason = False, f"{type(error).__name__}: {error}"
        if has_arrived:
            return None
        self._service = None  # what is left of a broken connection must not deliver it again
        return self._reason() or "it was refused"

    def close(self) -> None:
        self._service = None

    def _open(self) -> Any:
        import apprise

        _HEARD.reason = ""
        return apprise.Apprise.instantiate(self._text, asset=apprise.AppriseAsset(
            app_id="Mask detector", app_desc="Mask detector", storage_mode="memory"
        ))  # fmt: skip

    def _arguments(self, alarm: Alarm) -> dict[str, Any]:
        """What the service is given: words for people, the event itself for machines."""
        event = alarm.event.to_dict()
        kind = self.name.partition("://")[0]
        if kind in ("mqtt", "mqtts"):
            return {"body": json.dumps(event)}
        if kind in ("json", "jsons"):
            mine = {key: value for key, value in event.items() if key not in _JSON_FIELDS}
            self._service.payload_extras = mine | self._asked
        has_picture = alarm.picture is not None and alarm.picture.is_file()
        return {
            "title": alarm.title,
            "body": alarm.text(datetime.now(UTC)),
            "attach": [str(alarm.picture)] if has_picture else None,
        }

    def _reason(self, before: str = "") -> str:
        """What apprise said, without anything of the address that is not shown."""
        reason = _URL.sub("(address)", _HEARD.reason).strip().rstrip(".")
        parts = {p for text in (self._text, unquote(self._text)) for p in _DELIMITERS.split(text)}
        for part in sorted(parts, key=len, reverse=True):
            if len(part) >= _LEAST_SECRET and part not in self.name:
                reason = reason.replace(part, "****")
        return before + reason if reason else ""


def shown_address(text: str) -> str:
    """An address as it may be shown, whether or not alarms can be sent to it."""
    try:
        return open_address(text).name
    except MaskDetectorError:
        return _without_credentials(text)


def _without_credentials(text: str) -> str:
    """What can be shown of an address that apprise does not know: how it begins."""
    if "://" in text:
        return text.partition("://")[0] + "://..."
    return repr(text) if re.fullmatch(r"[a-z]{1,12}", text) else "the address"


def _with_receipt(text: str) -> str:
    """Ask an MQTT broker to confirm what it takes (QoS 1): else a refused one looks delivered."""
    parts = urlsplit(text)
    if parts.scheme.lower() not in ("mqtt", "mqtts") or "qos=" in parts.query:
        return text
    return f"{text}{'&' if parts.query else '?'}qos=1"


def _shown(service: Any) -> str:
    """The address of a service without credentials, and without the path of a web hook."""
    parts = urlsplit(service.url(privacy=True))
    host = parts.netloc.rpartition("@")[2]
    path = "" if hasattr(service, "payload_extras") else parts.path
    return f"{parts.scheme}://{host}{path}".rstrip("/")


def _time_text(time: str | float, now: datetime) -> str:
    if not isinstance(time, str):
        return f"{timedelta(seconds=round(time))} from the beginning"
    at = datetime.fromisoformat(time).astimezone(UTC)
    return f"{at:%H:%M:%S} UTC" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M:%S} UTC"


class _Heard(threading.local):
    """What apprise first complained of, by thread, since each address has its own."""

    reason = ""


class _Listener(logging.Filter):
    """Hears what apprise logs, and keeps it from the log: it names addresses with their tokens."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            _HEARD.reason = _HEARD.reason or record.getMessage()
        return False


_HEARD, _LISTENER = _Heard(), _Listener()


def _listen_to_apprise() -> None:
    logging.getLogger("apprise").addFilter(_LISTENER)  # a second time it changes nothing
    logging.getLogger("urllib3").setLevel(logging.WARNING)  # below that it names paths
