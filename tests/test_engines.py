"""Which file is run for a model: the quickest sound sibling, the model itself, or a clear no."""

import argparse
import dataclasses
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT, SHIPPED_MODEL, write_video

from mask_detector.commands import evaluate, image
from mask_detector.commands.argument_types import number_formats, number_formats_or_none
from mask_detector.commands.shared import open_classifier
from mask_detector.engines import fastest_sibling, sibling_path
from mask_detector.errors import ModelError, OptionError
from mask_detector.file_hash import sha256_of
from mask_detector.mask_classifiers import KerasClassifier, RuntimeClassifier
from mask_detector.model_file import read_card, save_tflite

SHIPPED_TFLITE = SHIPPED_MODEL.with_suffix(".tflite")

pytestmark = pytest.mark.skipif(
    not SHIPPED_MODEL.exists(), reason=f"needs the shipped model {SHIPPED_MODEL}"
)


@pytest.fixture
def model(tmp_path):
    return shutil.copy(SHIPPED_MODEL, tmp_path / "m ü.keras")


def put_sibling(model, number_format, made_from):
    """A LiteRT file beside the model whose card says what it was made from; it is never run."""
    path = sibling_path(model, number_format)
    card = dataclasses.replace(
        read_card(SHIPPED_TFLITE), exported_from=made_from, number_format=number_format
    )
    save_tflite(b"\x1c\0\0\0TFL3" + bytes(500), card, path)
    return path


def test_siblings_are_named_after_the_model(model):
    names = [sibling_path(model, name).name for name in ("int8", "float16", "float32")]
    assert names == ["m ü.tflite", "m ü_float16.tflite", "m ü_float32.tflite"]


@pytest.mark.parametrize(
    "there, taken",
    [
        (["float16", "float32", "int8"], "int8"),
        (["float16", "float32"], "float32"),
        (["float16"], "float16"),
    ],
)
def test_the_quickest_sibling_stands_in_and_is_named(model, there, taken, caplog):
    paths = {name: put_sibling(model, name, sha256_of(model)) for name in there}
    with caplog.at_level("INFO"):
        for engine in ("auto", "litert"):
            assert fastest_sibling(model, engine) == paths[taken]
        assert fastest_sibling(model, "keras") == model
    line = f"{paths[taken].name}, {taken}, stands in for m ü.keras"
    assert caplog.messages == [line, line]


@pytest.mark.parametrize(
    "flaw, words",
    [
        ("another", "was made from another m ü.keras: not used"),
        ("unsaid", "does not say what it was made from: not used"),
        ("cut off", "is damaged or cut off: not used"),
        ("a page", "is damaged or cut off: not used"),
    ],
)
def test_a_sibling_that_is_not_sound_is_passed_over(model, flaw, words, caplog):
    made_from = {"another": "0" * 64, "unsaid": ""}.get(flaw, sha256_of(model))
    path = put_sibling(model, "int8", made_from)
    if flaw == "cut off":
        path.write_bytes(path.read_bytes()[:-40])
    if flaw == "a page":
        path.write_text("<!DOCTYPE html>")
    with caplog.at_level("INFO"):
        assert fastest_sibling(model, "auto") == model
    assert caplog.messages == [f"{path.name} {words}"]
    with pytest.raises(ModelError) as raised:
        fastest_sibling(model, "litert")
    assert f"python -m mask_detector export --model {model}" in str(raised.value)
    sound = put_sibling(model, "float16", sha256_of(model))
    assert fastest_sibling(model, "auto") == sound


def test_a_model_that_was_trained_anew_leaves_its_old_siblings_behind(model):
    put_sibling(model, "int8", sha256_of(model))
    with model.open("ab") as file:
        file.write(b"\0")
    assert fastest_sibling(model, "auto") == model


def test_a_litert_file_stands_for_itself():
    assert fastest_sibling(SHIPPED_TFLITE, "auto") == SHIPPED_TFLITE
    assert fastest_sibling(SHIPPED_TFLITE, "litert") == SHIPPED_TFLITE
    with pytest.raises(OptionError, match=r"--engine keras can't run .*expected a .keras or .h5"):
        fastest_sibling(SHIPPED_TFLITE, "keras")
    with pytest.raises(ModelError, match="no model at"):
        fastest_sibling(SHIPPED_MODEL.with_name("none.keras"), "auto")


@pytest.mark.parametrize("name", ["mask_detector", "mask_detector_3class"])
def test_the_shipped_siblings_are_sound(name):
    model = SHIPPED_MODEL.with_name(f"{name}.keras")
    path = fastest_sibling(model, "litert")
    assert path == model.with_suffix(".tflite") and path.stat().st_size < 3e6
    ours, theirs = (dataclasses.asdict(read_card(p)) for p in (path, model))
    differing = {key for key in ours if ours[key] != theirs[key]}
    assert differing == {"exported_from", "number_format"}


def options_of(command, *arguments):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args([str(argument) for argument in arguments])


def test_watching_substitutes_and_measuring_does_not():
    photo = ROOT / "docs" / "demo.jpg"
    assert isinstance(open_classifier(options_of(image, photo)), RuntimeClassifier)
    forced = options_of(image, photo, "--engine", "keras")
    assert isinstance(open_classifier(forced), KerasClassifier)
    judged = options_of(evaluate, "--dataset", ROOT)
    assert isinstance(open_classifier(judged), KerasClassifier)
    with pytest.raises(SystemExit):
        options_of(evaluate, "--dataset", ROOT, "--engine", "litert")


@pytest.mark.parametrize("text, formats", [("int8", ["int8"]),
                         ("float16, int8", ["float16", "int8"]), ("int8,int8", ["int8"]),
                         ("all", ["int8", "float32", "float16"])])  # fmt: skip
def test_formats_are_given_as_a_list(text, formats):
    assert number_formats(text) == formats
    with pytest.raises(
        argparse.ArgumentTypeError, match=r"int4.*int8, float32, float16, onnx, or all"
    ):
        number_formats("int8,int4")
    assert number_formats_or_none(text) == formats
    assert number_formats_or_none("none") == []


def test_watching_with_the_default_model_never_loads_tensorflow(portrait, face_folder, tmp_path):
    write_video(tmp_path / "clip.mp4", [portrait] * 3)
    code = (
        "import runpy, sys\n"
        "sys.argv = ['detect_mask_video.py', '--source', sys.argv[1], '--no-display']\n"
        "try: runpy.run_path('detect_mask_video.py', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "sys.exit(', '.join({'tensorflow', 'keras', 'torch', 'jax'} & set(sys.modules)) or 0)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "clip.mp4")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "mask_detector.tflite, int8, stands in for mask_detector.keras" in done.stderr
    assert "3 faces (No Mask 3)" in done.stdout
