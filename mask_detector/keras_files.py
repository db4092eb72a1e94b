"""Open what Keras or TensorFlow wrote, of any version: `.keras`, HDF5 under any suffix, SavedModel.

model = load_keras(Path("models/mask_detector.keras"))
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mask_detector.errors import ModelError
from mask_detector.model_file import kind_of, read_card
from mask_detector.quiet import load_tensorflow


def load_keras(path: Path) -> Any:
    """Load a file or folder that Keras or TensorFlow wrote, as a Keras model or one's like.

    Raises:
        ModelError: it is damaged, or this Keras can't read it.
    """
    load_tensorflow()
    import keras

    kind = kind_of(path)
    try:
        if kind == "saved_model":
            return _saved_model(path)
        with _named(path, ".keras" if kind == "keras" else ".h5") as named:
            return keras.models.load_model(
                named, compile=False, custom_objects={"DepthwiseConv2D": _depthwise_of_keras_2()}
            )
    except Exception as error:  # whatever a damaged or foreign file makes Keras raise
        raise ModelError(
            f"{path} can't be loaded by Keras {keras.__version__}{_written_by(path)}: "
            f"{_innermost_reason(error)}"
        ) from error


def _written_by(path: Path) -> str:
    """The version that wrote a model of ours: an older Keras does not read a newer one's files."""
    import keras

    card = read_card(path)
    version = card.versions.get("keras") if card else None
    is_newer = version and _numbers(version) > _numbers(keras.__version__)
    return f" (written by {version}; pip install -U keras)" if is_newer else ""


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _innermost_reason(error: Exception) -> str:
    """The line that tells: Keras wraps the cause in pages of what it was about to do."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [repr(error)]
    causes = [line for line in lines if line.startswith("Exception encountered: ")]
    reason = min(causes, key=len).removeprefix("Exception encountered: ") if causes else lines[0]
    return reason[:200]


@contextlib.contextmanager
def _named(path: Path, suffix: str) -> Iterator[Path]:
    """The file under a name that Keras takes: it goes by the suffix, we by the content."""
    if path.suffix == suffix:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"model{suffix}"
        try:
            link.symlink_to(path.resolve())
        except OSError:  # Windows without the right to make links
            link.write_bytes(path.read_bytes())
        yield link


def _depthwise_of_keras_2() -> type:
    """Keras 2 wrote `groups` into every DepthwiseConv2D, which Keras 3 refuses to read."""
    import keras

    class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
        def __init__(self, *args: Any, groups: int = 1, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)

    return DepthwiseConv2D


def _saved_model(path: Path) -> Any:
    """A SavedModel folder, as TensorFlow before 2.16 wrote for `model.save("x.model")`."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    function = loaded.signatures["serving_default"]
    (name, spec), *_ = function.structured_input_signature[1].items()

    def model(pixels: Any, training: bool = False) -> Any:
        return next(iter(function(**{name: pixels}).values()))

    model.input_shape = tuple(spec.shape)
    model.output_shape = tuple(next(iter(function.structured_outputs.values())).shape)
    model.keep = loaded  # its variables live as long as it does
    return model
