"""The health page: `/healthz` for people and probes, `/metrics` for Prometheus.

    with HealthServer(board, "8080"):  # http://127.0.0.1:8080/healthz
        ...

It gives numbers and names of sources, never a picture, and answers this machine only, unless an
address to be reached at is asked for.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import socket
import socketserver
import sys
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from mask_detector.errors import MaskDetectorError, OptionError
from mask_detector.health import HealthBoard

logger = logging.getLogger(__name__)

_DEFAULT_HOST = "127.0.0.1"
_POLL_S = 0.1  # how long closing may wait for the thread to look up
_CLIENT_TIMEOUT_S = 10  # who connects and then says nothing is sent away

# Field of SourceHealth, kind of metric, name, what it says.
_METRICS = (
    ("frames", CounterMetricFamily, "frames", "Frames judged"),
    ("frames_per_second", GaugeMetricFamily, "frames_per_second",
     "Frames judged per second, over the last 10 s"),
    ("last_frame_age_s", GaugeMetricFamily, "last_frame_age_seconds",
     "Time since the last judged frame; none before the first"),
    ("tracks", GaugeMetricFamily, "tracks", "People followed in the newest frame"),
    ("is_connected", GaugeMetricFamily, "source_connected", "1, or 0 while the source is lost"),
    ("is_stalled", GaugeMetricFamily, "source_stalled",
     "1 while a live source is lost or gives no frame in time"),
    ("losses", CounterMetricFamily, "source_losses", "How often the source was lost"),
)  # fmt: skip


class HealthServer:
    """Answers from a thread of its own until the context is left."""

    def __init__(self, board: HealthBoard, address: str) -> None:
        """
        Args:
            board: what to tell.
            address: `PORT`, or `HOST:PORT`; port 0 takes a free one.

        Raises:
            MaskDetectorError: no such address, or one that can't be listened at.
        """
        host, port = _host_and_port(address)
        try:
            self._server = _Server(host, port, board)
        except OSError as error:
            raise MaskDetectorError(
                f"--health {address} can't be listened at: {error.strerror}; expected a free port "
                f"of an address of this machine"
            ) from error
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="health", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _host_and_port(address: str) -> tuple[str, int]:
    match = re.fullmatch(r"(?:(\[[0-9a-fA-F:.%\w]+\]|[^:\[\]/\s]+):)?([0-9]{1,5})", address)
    if match is None or int(match[2]) > 65535:
        raise OptionError(
            f"--health {address}: expected PORT or HOST:PORT, with a port from 0 to 65535, as in "
            f"8080, 0.0.0.0:8080 or [::1]:8080"
        )
    return (match[1] or _DEFAULT_HOST).strip("[]"), int(match[2])


class _Server(ThreadingHTTPServer):
    # On Windows this would let a second program take the port that another one holds.
    allow_reuse_address = sys.platform != "win32"

    def __init__(self, host: str, port: int, board: HealthBoard) -> None:
        self.board = board
        self.registry = CollectorRegistry()
        self.registry.register(_BoardCollector(board))
        ProcessCollector(registry=self.registry)  # memory, open files, processor time
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's, which asks the name service who we are and may wait long for it.
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request: object, client_address: object) -> None:
        logger.debug("health page: a client went away", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "mask-detector", ""
    timeout = _CLIENT_TIMEOUT_S

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool = True) -> None:
        status, kind, body = self._content()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def _content(self) -> tuple[HTTPStatus, str, bytes]:
        path = self.path.partition("?")[0]
        if path == "/healthz":
            status, report = _report(self.server.board)
            return status, "application/json", json.dumps(report, indent=1).encode() + b"\n"
        if path == "/metrics":
            encode, kind = choose_encoder(self.headers.get("Accept", ""))
            return HTTPStatus.OK, kind, encode(self.server.registry)
        return HTTPStatus.NOT_FOUND, "text/plain", b"expected /healthz or /metrics\n"

    def log_message(self, form: str, *values: object) -> None:
        logger.debug("health page: " + form, *values)  # a probe comes every few seconds


def _report(board: HealthBoard) -> tuple[HTTPStatus, dict[str, object]]:
    sources = board.sources()
    is_stalled = any(source.is_stalled for source in sources.values())
    report = {
        "status": "stalled" if is_stalled else "ok",
        "sources": {name: dataclasses.asdict(source) for name, source in sources.items()},
    }
    return HTTPStatus.SERVICE_UNAVAILABLE if is_stalled else HTTPStatus.OK, report


class _BoardCollector(Collector):
    def __init__(self, board: HealthBoard) -> None:
        self._board = board

    def collect(self) -> Iterator[Metric]:
        sources = self._board.sources()
        for field, kind, name, text in _METRICS:
            metric = kind(f"mask_detector_{name}", text, labels=["source"])
            for source_name, source in sources.items():
                value = getattr(source, field)
                if value is not None:
                    metric.add_metric([source_name], float(value))
            yield metric
