"""Play the sound of an alarm on the machine itself: two tones, or a file of the user's.

The tones are written with the standard library; `playsound3` finds a player on Linux, macOS and
Windows alike.
"""

from __future__ import annotations

import logging
import math
import tempfile
import time
import wave
from array import array
from pathlib import Path

from mask_detector.errors import MaskDetectorError

_RATE_HZ = 22050
_TONES_HZ = (880.0, 660.0, 880.0, 660.0)
_TONE_S = 0.25
_LOUDNESS = 0.5  # of full scale
_FADE_S = 0.01  # at both ends of a tone, or it clicks
_LONGEST_S = 30.0  # after which a sound is cut off: the next alarm shall be heard, too


def play_alarm(path: Path | None = None) -> None:
    """Play a sound file, or two tones, and wait for its end.

    Raises:
        MaskDetectorError: there is no player, no such file, or the player refuses it.
    """
    logging.getLogger("playsound3").setLevel(logging.ERROR)  # that there is no player we say
    import playsound3  # looks for players while it is imported, which takes some time

    if playsound3.DEFAULT_BACKEND is None:
        raise MaskDetectorError(
            "no player for sounds was found; install one, on Debian with apt-get install ffmpeg"
        )
    with tempfile.TemporaryDirectory(prefix="mask_detector_") as folder:
        sound = path or write_tones(Path(folder) / "alarm.wav")
        try:
            player = playsound3.playsound(sound, block=False).subprocess
        except (playsound3.PlaysoundException, OSError) as error:
            raise MaskDetectorError(f"{sound} can't be played: {error}") from error
        end_s = time.monotonic() + _LONGEST_S
        while player.poll() is None and time.monotonic() < end_s:
            time.sleep(0.02)
        if player.poll() is None:
            player.terminate()
        elif player.poll() != 0:
            raise MaskDetectorError(
                f"{playsound3.DEFAULT_BACKEND} can't play {sound}: is it a sound, and is there a "
                "loudspeaker?"
            )


def write_tones(path: Path) -> Path:
    """Write the two tones, twice, as a WAV file: 16 bits, one channel."""
    count, fade_count = round(_TONE_S * _RATE_HZ), _FADE_S * _RATE_HZ
    samples = array("h")
    for tone_hz in _TONES_HZ:
        for index in range(count):
            fade = min(1.0, index / fade_count, (count - index) / fade_count)
            swing = math.sin(2 * math.pi * tone_hz * index / _RATE_HZ)
            samples.append(round(32767 * _LOUDNESS * fade * swing))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(samples.itemsize)
        file.setframerate(_RATE_HZ)
        file.writeframes(samples.tobytes())
    return path
