"""Real servers of video streams, in processes of their own, to be killed, frozen and started again.

    with MjpegServer(folder_of_jpegs) as server:
        server.address, server.kill(), server.start(), server.freeze(), server.thaw()

Run as a script this file is such a server; then it needs no more than Python, or GStreamer's.
"""

import contextlib
import http.server
import itertools
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

SYSTEM_PYTHON = "/usr/bin/python3"  # which has GStreamer's bindings where Debian installs them
MISSING = 3  # exit code
TEST_PATTERN = (
    "videotestsrc is-live=true ! video/x-raw,format=I420,width=160,height=120,framerate=25/1 "
    "! jpegenc ! rtpjpegpay name=pay0 pt=26"
)


def skip(reason):
    import pytest  # which GStreamer's Python may not have

    pytest.skip(reason)


class StreamServer:
    """A process that serves one stream; its port stays the same when it is started again."""

    def __init__(self, python, *arguments):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        kind, *others = map(str, arguments)
        self._command = [python, __file__, kind, str(self.port), *others]
        self._process = None

    def start(self):
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        if self._process.stdout.readline() != "ready\n" and self._process.wait(10) == MISSING:
            skip(
                "needs an RTSP server (Debian: apt-get install python3-gi "
                "gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-bad)"
            )

    @property
    def pid(self):
        return self._process.pid

    def kill(self):
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._process = None

    def freeze(self):
        """Connections stay open and new ones are taken, but nothing is ever sent."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()


class MjpegServer(StreamServer):
    """Pictures over HTTP for ever, 25 a second, as cheap cameras send them."""

    def __init__(self, folder):
        super().__init__(sys.executable, "mjpeg", folder)
        self.address = f"http://127.0.0.1:{self.port}/stream"


class RtspServer(StreamServer):
    """What a GStreamer pipeline makes, over RTSP; a clip, for each client from its start."""

    def __init__(self, pipeline=TEST_PATTERN, user="", password=""):
        if not pathlib.Path(SYSTEM_PYTHON).exists():
            skip(f"needs {SYSTEM_PYTHON} for a real RTSP server")
        super().__init__(SYSTEM_PYTHON, "rtsp", pipeline, user, password)
        self.address = f"rtsp://127.0.0.1:{self.port}/stream"

    @classmethod
    def of_clip(cls, path):
        return cls(f"filesrc location={path} ! qtdemux ! h264parse config-interval=-1 ! "
                   f"rtph264pay name=pay0 pt=96")  # fmt: skip


@contextlib.contextmanager
def silent_server():
    """The port of a server that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(16)
        yield listening.getsockname()[1]


class MjpegHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        parts = [path.read_bytes() for path in sorted(self.server.folder.iterdir())]
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for part in itertools.cycle(parts):
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(part)}\r\n\r\n"
            self.wfile.write(head.encode() + part + b"\r\n")
            time.sleep(0.04)

    def log_message(self, *_):
        pass


def serve_mjpeg(port, folder):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), MjpegHandler)
    server.folder, server.handle_error = pathlib.Path(folder), lambda *_: None
    threading.Thread(target=server.serve_forever).start()
    print("ready", flush=True)


def serve_rtsp(port, pipeline, user, password):
    try:
        import gi

        gi.require_version("Gst", "1.0")
        gi.require_version("GstRtspServer", "1.0")
        from gi.repository import GLib, Gst, GstRtspServer
    except (ImportError, ValueError):
        sys.exit(MISSING)
    Gst.init(None)
    server, factory = GstRtspServer.RTSPServer.new(), GstRtspServer.RTSPMediaFactory.new()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory.set_launch(f"( {pipeline} )")
    server.get_mount_points().add_factory("/stream", factory)
    if user:
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("viewer", "media.factory.access", True)
        permissions.add_permission_for_role("viewer", "media.factory.construct", True)
        factory.set_permissions(permissions)
        auth = GstRtspServer.RTSPAuth.new()
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        server.set_auth(auth)
    if not server.attach(None):
        sys.exit(1)
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    {"mjpeg": serve_mjpeg, "rtsp": serve_rtsp}[sys.argv[1]](*sys.argv[2:])
