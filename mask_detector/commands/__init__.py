"""The verbs of the command line, one file each: `add_arguments(parser)` and `run(args) -> int`.

Only these files and `cli.py` print. Heavy libraries are imported inside `run`.
"""
