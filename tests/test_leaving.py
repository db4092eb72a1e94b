"""A process ends with its own exit code, whatever thread a dead camera still holds."""

import subprocess
import sys
import time

import cv2
import pytest
from conftest import ROOT, textured_photo
from stream_servers import MjpegServer

# The server dies, and so the read ends, when the interpreter shuts down, if it does at all.
SCRIPT = """
import os, signal, sys, time
from mask_detector.leaving import code_once_threads_allow
from mask_detector.sources import open_source

class Last:
    def __del__(self, kill=os.kill, sleep=time.sleep, server=int(sys.argv[2])):
        kill(server, signal.SIGKILL)
        sleep(0.5)

last = Last()
with open_source(sys.argv[1]) as source:
    next(iter(source))
    print("watching", flush=True)
    sys.stdin.readline()
print("closed")
sys.exit(code_once_threads_allow(7))
"""


def test_a_stopped_training_is_not_waited_for():
    """TensorFlow's threads may wait for Python's, and Python for them."""
    code = (
        "import sys, threading, types\n"
        "from mask_detector.leaving import code_once_threads_allow\n"
        "sys.modules['tensorflow'] = types.ModuleType('tensorflow')\n"
        "threading.Thread(target=threading.Event().wait).start()\n"
        "print('said')\n"
        "sys.exit(code_once_threads_allow(130))\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "said\n", "")


@pytest.mark.parametrize("is_frozen", [True, False])
def test_a_camera_that_hangs_keeps_no_process_from_its_exit_code(is_frozen, tmp_path):
    cv2.imwrite(str(tmp_path / "0.jpg"), textured_photo(0))
    with MjpegServer(tmp_path) as server, subprocess.Popen(
        [sys.executable, "-c", SCRIPT, server.address, str(server.pid)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "watching\n"
        if is_frozen:
            server.freeze()
            time.sleep(0.2)  # until all that it had sent is read
        started = time.monotonic()
        told, complaints = process.communicate("end\n")
        assert (process.returncode, told) == (7, "closed\n"), complaints
        assert time.monotonic() - started < 5  # a read waits for 10 s
