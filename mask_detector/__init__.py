"""Find faces in pictures and say whether they wear a mask.

People use this package from the command line: `python -m mask_detector --help`, or
`train_mask_detector.py` and `detect_mask_video.py` at the root of the project.
Importing it does nothing and loads nothing heavy; `docs/architecture.md` shows the rooms.
"""

__version__ = "0.1.0"
