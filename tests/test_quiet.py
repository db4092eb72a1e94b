"""Standard error of the whole process: dropped while anybody wants it dropped, then back."""

CODE = """
import os, sys, threading
from mask_detector.quiet import standard_error_dropped

first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))

def first():
    with standard_error_dropped():
        first_is_in.set()
        second_is_in.wait(5)
    os.write(2, b"dropped: another still wants it so")
    first_is_out.set()

def second():
    first_is_in.wait(5)
    with standard_error_dropped():
        second_is_in.set()
        first_is_out.wait(5)

for _ in range(2):
    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    for event in (first_is_in, second_is_in, first_is_out): event.clear()
    print("back", file=sys.stderr)
"""


def test_two_threads_that_overlap_leave_it_as_it_was(run):
    done = run("-c", CODE)
    assert (done.returncode, done.stderr) == (0, "back\nback\n")
