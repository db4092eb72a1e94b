"""Open a network for ONNX Runtime, and read what its file says of itself; without TensorFlow.

ONNX Runtime is an extra: `pip install -r requirements-onnx.txt`.
Source: https://onnxruntime.ai/docs/api/python/api_summary.html
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from mask_detector.errors import ModelError, first_line
from mask_detector.quiet import standard_error_dropped

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_INSTALLING = 'pip install "onnx>=1.17" "onnxruntime>=1.20" "tf2onnx>=1.16.1"'
EXPORTING = ("onnxruntime", "onnx", "tf2onnx")  # what it takes to write a file and judge by it
_ERRORS_ALONE = 3  # of ONNX Runtime's levels: hints about a foreign network are for its author


def check_installed(*packages: str) -> None:
    """Raise a `ModelError` with the pip command where one of these packages is not there."""
    if missing := [name for name in packages if importlib.util.find_spec(name) is None]:
        raise ModelError(f"ONNX needs {', '.join(missing)}, which is not installed; {_INSTALLING}")


def open_session(path: Path, thread_count: int) -> InferenceSession:
    """Make a network ready to run on the processor.

    Args:
        path: the file.
        thread_count: that share the work of one run.

    Raises:
        ModelError: ONNX Runtime is not installed, or it can't run this file.
    """
    check_installed("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = thread_count
    options.log_severity_level = _ERRORS_ALONE
    try:
        with standard_error_dropped():  # a damaged file is told there, too
            return onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
    except Exception as error:  # it has a class of its own for each kind of damage
        raise ModelError(f"{path} can't be run by ONNX Runtime: {first_line(error)}") from error


def metadata_of(path: Path) -> dict[str, str]:
    """What the author of a network has noted in its file, by name.

    Raises:
        ModelError: as `open_session`.
    """
    return dict(open_session(path, thread_count=1).get_modelmeta().custom_metadata_map)
