"""Watch a camera or a video and box every face: green with a mask, red without.

    python detect_mask_video.py                      # the first camera; q ends it
    python detect_mask_video.py --source clip.mp4 --output annotated.mp4

`--help` lists every option with its default. The work is done in `mask_detector/watching.py`.
"""

import sys

from mask_detector.cli import run_program

if __name__ == "__main__":
    run_program(["video", *sys.argv[1:]], program="detect_mask_video.py")
