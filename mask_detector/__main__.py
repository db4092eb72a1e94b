"""`python -m mask_detector VERB`: every job of the package from the command line."""

from mask_detector.cli import run_program

if __name__ == "__main__":
    run_program()
