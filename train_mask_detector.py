"""Train a face-mask classifier on folders of photos.

    python train_mask_detector.py --dataset dataset

`--help` lists every option with its default. The work is done in `mask_detector/training.py`.
"""

import sys

from mask_detector.cli import run_program

if __name__ == "__main__":
    run_program(["train", *sys.argv[1:]], program="train_mask_detector.py")
