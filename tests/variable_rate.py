"""A film whose pictures stand for different times, as phones and screen recorders make them.

OpenCV writes none, so this lays JPEGs into a Matroska file: https://www.matroska.org/technical/
"""

import struct

import cv2


def element(name, *parts):
    """One element of EBML: its name, the length in eight bytes, what it holds."""
    body = b"".join(parts)
    return bytes.fromhex(name) + (len(body) | 1 << 56).to_bytes(8, "big") + body


def number(name, value):
    return element(name, value.to_bytes(4, "big"))


def write_variable_rate(path, images, times_ms):
    """Write images `(h, w, 3)` BGR, each to be shown from its time on, in milliseconds."""
    height, width = images[0].shape[:2]
    video = element("e0", number("b0", width), number("ba", height))
    track = element("ae", number("d7", 1), number("73c5", 1), number("83", 1),
                    element("86", b"V_MJPEG"), video)  # fmt: skip
    blocks = [
        element("a3", b"\x81", struct.pack(">hB", time_ms, 0x80),
                cv2.imencode(".jpg", image)[1].tobytes())
        for image, time_ms in zip(images, times_ms, strict=True)
    ]  # fmt: skip
    info = element("1549a966", number("2ad7b1", 1_000_000))  # a tick lasts a millisecond
    cluster = element("1f43b675", number("e7", 0), *blocks)
    head = element("1a45dfa3", element("4282", b"matroska"))
    path.write_bytes(head + element("18538067", info, element("1654ae6b", track), cluster))
    return path
