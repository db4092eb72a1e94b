"""Real servers that receive alarms: a mosquitto broker with a subscriber, and web hooks."""

import contextlib
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")


def free_port():
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]


def wait_until(is_so, timeout_s=10.0):
    """Wait until a function answers something true, and return that."""
    end_s = time.monotonic() + timeout_s
    while not (answer := is_so()):
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.01)
    return answer


class Broker:
    """A mosquitto process; with a password it takes nobody else.

    It can be stopped and started again, and then still knows who had subscribed to what.
    """

    def __init__(self, folder, password=None):
        if MOSQUITTO is None:
            pytest.skip("needs the MQTT broker (Debian: apt-get install mosquitto)")
        self.port = free_port()
        lines = [f"listener {self.port} 127.0.0.1"]
        lines += ["persistence true", f"persistence_location {folder}/"]
        lines += ["autosave_on_changes true", "autosave_interval 1"]  # for when it is killed
        lines.append(f"allow_anonymous {str(password is None).lower()}")
        if os.geteuid() == 0:
            lines.append("user root")  # else it could not read the password file in our folder
        if password is not None:
            secrets = folder / "passwords"
            maker = shutil.which("mosquitto_passwd")
            subprocess.run([maker, "-b", "-c", secrets, "bob", password], check=True)
            secrets.chmod(0o600)
            lines.append(f"password_file {secrets}")
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join(lines) + "\n")
        self._process = None

    def start(self):
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", self._config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(self._is_up)
        return self

    def _is_up(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True

    def stop(self):
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def hang(self):
        """Take everything and do nothing, until it is killed."""
        self._process.send_signal(signal.SIGSTOP)

    def kill(self):
        self._process.kill()
        self._process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


@contextlib.contextmanager
def subscriber(port, topic, user=None, password=None):
    """The messages of a topic as a queue of bytes, with those that came since the last time."""
    import paho.mqtt.client as mqtt

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "test", clean_session=False)
    messages, is_subscribed = queue.Queue(), threading.Event()
    client.on_connect = lambda c, *_: c.subscribe(topic, qos=1)
    client.on_subscribe = lambda *_: is_subscribed.set()
    client.on_message = lambda c, u, message: messages.put(message.payload)
    if user:
        client.username_pw_set(user, password)
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert is_subscribed.wait(10)
    try:
        yield messages
    finally:
        client.disconnect()
        client.loop_stop()


class WebHook:
    """An HTTP server that keeps what is posted to it, and answers what `answer` says."""

    def __init__(self, answer=lambda payload: 200, port=None):
        self.port = port or free_port()
        self.answer = answer
        self.received = queue.Queue()  # what was answered with 200
        self.headers = None  # of the newest post
        self._server = None

    def start(self):
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.headers = self.headers
                status = hook.answer(payload)
                if status == 200:
                    hook.received.put(payload)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        return self

    def stop(self):
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


@contextlib.contextmanager
def hung_server():
    """The port of a server that takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(16)
        yield listening.getsockname()[1]
