"""Open a network for LiteRT, from a file or from memory; without TensorFlow.

Source: https://ai.google.dev/edge/litert/inference
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mask_detector.cores import core_count
from mask_detector.errors import ModelError, first_line
from mask_detector.quiet import standard_error_dropped

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter


def open_interpreter(network: Path | bytes, name: str, thread_count: int = 0) -> Interpreter:
    """Make a network ready to run on one picture at a time.

    Args:
        network: its file, or what stands in one.
        name: what an error calls it.
        thread_count: that share the work of one run; 0 takes every core there is.

    Raises:
        ModelError: damaged, or a network that LiteRT can't run by itself.
    """
    from ai_edge_litert.interpreter import Interpreter

    is_file = isinstance(network, Path)
    place = {"model_path": str(network)} if is_file else {"model_content": network}
    try:
        with standard_error_dropped():  # it announces its helpers there
            interpreter = Interpreter(**place, num_threads=thread_count or core_count())
            for tensor in interpreter.get_input_details():
                if tensor["shape"].size and tensor["shape"][0] != 1:
                    interpreter.resize_tensor_input(tensor["index"], [1, *tensor["shape"][1:]])
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"{name} can't be run by LiteRT: {first_line(error)}") from error
    return interpreter
