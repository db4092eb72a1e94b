"""A real X display without a monitor, with real keys: what a person at the window would do."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import subprocess
import time


class VirtualScreen:
    """Xvfb on a free display; keys are pressed by xdotool."""

    def __init__(self) -> None:
        readable, writable = os.pipe()
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writable), "-screen", "0", "1280x1024x24",
             "-nolisten", "tcp", "-noreset"],
            pass_fds=[writable], stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(writable)
        with os.fdopen(readable) as pipe:
            self.display = f":{int(pipe.readline())}"  # written once it can be connected to

    @property
    def env(self) -> dict[str, str]:
        return {"DISPLAY": self.display}

    def close(self) -> None:
        self._server.terminate()
        self._server.wait(timeout=20)

    def wait_for_window(self, process: subprocess.Popen, timeout_s: float = 120) -> int:
        """The id of the process's visible window."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            found = self._xdotool("search", "--onlyvisible", "--name", "mask detector").split()
            if found:
                return int(found[0])
            if process.poll() is not None:
                raise AssertionError(f"ended without a window: {process.stderr.read()}")
            time.sleep(0.2)
        raise AssertionError("no window appeared")

    def size_of(self, window: int) -> tuple[int, int]:
        """Width and height in pixels."""
        found = self._xdotool("getwindowgeometry", "--shell", str(window))
        values = dict(line.split("=") for line in found.split())
        return int(values["WIDTH"]), int(values["HEIGHT"])

    def press(self, window: int, key: str) -> None:
        """Press a key with the keyboard's focus on the window, as after a click into it."""
        self._xdotool("windowfocus", "--sync", str(window))
        time.sleep(0.3)  # Qt takes the focus in its own loop
        self._xdotool("key", key)

    def ask_to_close(self, window: int) -> None:
        """Send what a window manager sends for a click on the window's cross."""
        x11 = ctypes.CDLL(ctypes.util.find_library("X11"))
        x11.XOpenDisplay.restype = x11.XInternAtom.restype = ctypes.c_void_p
        display = ctypes.c_void_p(x11.XOpenDisplay(self.display.encode()))
        protocols, delete = (
            x11.XInternAtom(display, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")
        )
        event = _ClientMessage(33, 0, 1, display, window, protocols, 32, (delete, 0, 0, 0, 0))
        x11.XSendEvent(display, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(event))
        x11.XCloseDisplay(display)

    def _xdotool(self, *arguments: str) -> str:
        done = subprocess.run(
            ["xdotool", *arguments],
            env={**os.environ, **self.env}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout


class _ClientMessage(ctypes.Structure):
    """Xlib's XClientMessageEvent, padded to the size of XEvent."""

    _fields_ = [
        ("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p), ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong), ("format", ctypes.c_int), ("data", ctypes.c_long * 5),
        ("padding", ctypes.c_long * 12),
    ]  # fmt: skip
