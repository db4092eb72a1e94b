"""The command line: chooses the verb, and turns what goes wrong into one line and an exit code.

Exit codes: 0 done, 1 something the user can mend, 2 unusable arguments, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import signal
import sys
import warnings
from types import ModuleType
from typing import NoReturn

from mask_detector.config_file import with_config
from mask_detector.errors import MaskDetectorError
from mask_detector.leaving import STOPPED, code_once_threads_allow

VERBS = ("train", "video", "image", "audit", "export", "evaluate", "demo", "benchmark",
         "prepare", "fetch-dataset", "check", "report", "crops", "synthesize",
         "explain", "mistakes", "compare")  # fmt: skip


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str | None:
        if isinstance(action.default, bool) or action.default is None:
            return action.help  # "(default: False)" says nothing
        return super()._get_help_string(action)


def main(arguments: list[str] | None = None, program: str | None = None) -> int:
    """Run one verb.

    Args:
        arguments: the verb and its options; by default those of the process.
        program: the script's name where a script stands for its verb.

    Returns:
        The exit code.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who started us
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115
        getattr(sys, name).reconfigure(errors="backslashreplace", line_buffering=True)  # any bytes
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    _quieten_libraries()
    try:
        command, options = _parse(arguments, program)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as cleanly as Ctrl-C
        return command.run(options)
    except MaskDetectorError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        print(str(interrupt) or "stopped", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:  # `... | head` has seen enough
        _drop_output()
        return 0
    except OSError as error:  # a full disk, mostly
        _drop_output()
        print(f"error: {error}", file=sys.stderr)
        return 1
    except ImportError as error:
        print(f"error: {_import_advice(error)}", file=sys.stderr)
        return 1


def _drop_output() -> None:
    """What is still to be written to standard output can't be; the end would try again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run_program(arguments: list[str] | None = None, program: str | None = None) -> NoReturn:
    """Run one verb and end the process with its exit code."""
    sys.exit(code_once_threads_allow(main(arguments, program)))


def _parse(arguments: list[str], program: str | None) -> tuple[ModuleType, argparse.Namespace]:
    if program:
        command = _command(arguments[0])
        parser = argparse.ArgumentParser(
            program, description=command.HELP, formatter_class=_HelpFormatter
        )
        command.add_arguments(parser)
        return command, parser.parse_args(with_config(parser, arguments[1:]))
    parser = argparse.ArgumentParser(
        "mask_detector", description="Find faces and say whether they wear a mask."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in VERBS:
        command = _command(verb)
        command.add_arguments(
            verbs.add_parser(
                verb, help=command.HELP, description=command.HELP, formatter_class=_HelpFormatter
            )
        )
    if arguments and arguments[0] in VERBS:
        arguments = [arguments[0], *with_config(verbs.choices[arguments[0]], arguments[1:])]
    options = parser.parse_args(arguments)
    return _command(options.verb), options


def _command(verb: str) -> ModuleType:
    return importlib.import_module(f"mask_detector.commands.{verb.replace('-', '_')}")


def _quieten_libraries() -> None:
    """Keep start-up chatter of TensorFlow, FFmpeg and Qt out of our output, unless asked for."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("QT_LOGGING_RULES", "*=false")
    warnings.filterwarnings("ignore", message="Glyph .* missing")  # class names in any script
    warnings.filterwarnings("ignore", module=r"PIL\.")  # odd EXIF blocks and palettes still decode
    for name in ("absl", "tensorflow", "h5py", "matplotlib", "PIL", "pooch"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _import_advice(error: ImportError) -> str:
    text = str(error)
    if "libGL" in text or "libgthread" in text or "libglib" in text:
        return (
            f"OpenCV can't start, a system library is missing ({text}); either install it "
            f"(Debian, Ubuntu: apt-get install libgl1 libglib2.0-0) or use the OpenCV that needs "
            f'none: pip uninstall -y opencv-python && pip install "opencv-python-headless<5"'
        )
    if error.name:
        return f"{text}; install what is missing with: pip install -r requirements.txt"
    return f"a library can't be loaded: {text}"
