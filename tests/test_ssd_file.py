"""The SSD's file for LiteRT: what it says of itself, when it is used, and what makes it."""

import dataclasses
import hashlib
import re
import shutil

import cv2
import numpy as np
import pytest
from conftest import ROOT, assert_clear_error

from mask_detector import assets
from mask_detector.assets import SSD_PROTOTXT, SSD_WEIGHTS
from mask_detector.cli import main
from mask_detector.commands import prepare
from mask_detector.errors import AssetError, MaskDetectorError, ModelError
from mask_detector.face_crops import DETECT_SIZE as TRAINING_SIZE
from mask_detector.face_crops import open_training_detector
from mask_detector.face_detectors import open_detector
from mask_detector.ssd import file as ssd_file
from mask_detector.ssd import preparation as ssd_preparation
from mask_detector.ssd import shapes as ssd_shapes
from mask_detector.ssd.file import find_ssd, read_ssd, ssd_path, write_ssd
from mask_detector.ssd.litert import LiteRtSsdDetector
from mask_detector.ssd.opencv import SsdDetector
from mask_detector.ssd.preparation import SsdMaker

SIDE, SEEN = 160, (136, 184)  # quickly made; the portrait is nearest to 3:4


@pytest.fixture(scope="module")
def file(keras, face_folder, portrait):
    paths = face_folder / SSD_PROTOTXT.name, face_folder / SSD_WEIGHTS.name
    return SsdMaker(*paths, SEEN, [portrait]).float32


@pytest.fixture
def folder(face_folder, tmp_path):
    """A folder with the Caffe network alone."""
    for asset in (SSD_PROTOTXT, SSD_WEIGHTS):
        shutil.copy(face_folder / asset.name, tmp_path)
    return tmp_path


def opened(folder, side=SIDE, name="ssd", *, picture=(512, 600), is_adjusted=True):
    """What looks at a picture of this size, by default the portrait's."""
    finder = open_detector(
        name, folder=folder, confidence=0.5, detect_size=side, is_adjusted=is_adjusted
    )
    return finder.run_for(*picture)


def test_a_file_is_read_as_it_was_written(file, tmp_path):
    path = write_ssd(file, tmp_path)
    assert path == tmp_path / "ssd_136x184_float32.tflite"
    read = read_ssd(path, SSD_WEIGHTS.sha256)
    # JSON has lists where the record has tuples; their numbers count.
    for name, value in dataclasses.asdict(file.record).items():
        assert np.array_equal(getattr(read.record, name), value), name
    assert read.network == file.network
    np.testing.assert_array_equal(read.priors, file.priors)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_the_record_names_the_caffemodel(file, face_folder):
    content = (face_folder / SSD_WEIGHTS.name).read_bytes()
    assert file.record.weights_sha256 == hashlib.sha256(content).hexdigest()
    assert (file.record.width, file.record.height) == SEEN


def test_a_rectangle_has_both_sides_in_its_name(tmp_path):
    assert ssd_path(tmp_path, 304, 400, "int8").name == "ssd_400x304_int8.tflite"


def test_int8_goes_before_float32(file, tmp_path):
    write_ssd(file, tmp_path)
    whole = dataclasses.replace(file.record, number_format="int8")
    assert find_ssd(tmp_path, 184, 136, SSD_WEIGHTS.sha256).record.number_format == "float32"
    write_ssd(dataclasses.replace(file, record=whole), tmp_path)
    assert find_ssd(tmp_path, 184, 136, SSD_WEIGHTS.sha256).record.number_format == "int8"
    assert find_ssd(tmp_path, 136, 184, SSD_WEIGHTS.sha256) is None


def test_the_ssd_takes_the_file_and_else_opencv(file, folder, portrait):
    assert isinstance(opened(folder), SsdDetector)
    (expected,) = opened(folder).detect(portrait)
    write_ssd(file, folder)
    assert isinstance(opened(folder), LiteRtSsdDetector)
    assert isinstance(opened(folder, side=SIDE + 30), SsdDetector)
    assert isinstance(opened(folder, name="ssd-opencv"), SsdDetector)
    (box,) = opened(folder).detect(portrait)
    assert dataclasses.replace(box, score=0) == dataclasses.replace(expected, score=0)


def test_the_caffe_network_is_fetched_only_where_opencv_must_run_it(file, tmp_path, portrait):
    quick = write_ssd(file, tmp_path).name
    finder = open_detector("ssd", folder=tmp_path, confidence=0.5, detect_size=SIDE)
    assert len(finder.detect(portrait)) == 1
    assert [each.name for each in tmp_path.iterdir()] == [quick]
    finder.detect(portrait[:300])  # wide, and there is no file for that
    names = {quick, SSD_PROTOTXT.name, SSD_WEIGHTS.name}
    assert {each.name for each in tmp_path.iterdir()} == names


def test_a_network_that_cannot_be_had_is_told_before_the_first_frame(file, tmp_path, monkeypatch):
    nowhere = dataclasses.replace(SSD_PROTOTXT, url="http://127.0.0.1:1/deploy", package="")
    monkeypatch.setattr(assets, "SSD_PROTOTXT", nowhere)
    for name in ("ssd", "ssd-opencv"):
        with pytest.raises(AssetError, match=re.escape(nowhere.url)):
            open_detector(name, folder=tmp_path, confidence=0.5)
    write_ssd(file, tmp_path)
    assert isinstance(opened(tmp_path), LiteRtSsdDetector)
    with pytest.raises(AssetError, match=re.escape(nowhere.url)):
        open_detector("ssd-opencv", folder=tmp_path, confidence=0.5)


def as_of_size(file, side):
    """The same network, as if made for a square of that side."""
    return dataclasses.replace(
        file, record=dataclasses.replace(file.record, height=side, width=side)
    )


def test_training_looks_with_opencv_whatever_is_prepared(file, folder):
    write_ssd(as_of_size(file, TRAINING_SIZE), folder)
    assert isinstance(opened(folder, TRAINING_SIZE, picture=(600, 600)), LiteRtSsdDetector)
    assert isinstance(open_training_detector(folder).run_for(600, 600), SsdDetector)


def test_what_tutorials_do_is_done_by_opencv_whatever_is_prepared(file, folder):
    write_ssd(as_of_size(file, 300), folder)
    assert isinstance(opened(folder, 300, picture=(600, 600)), LiteRtSsdDetector)
    classic = opened(folder, 300, picture=(600, 600), is_adjusted=False)
    assert isinstance(classic, SsdDetector)


def of_another_caffemodel(file):
    return dataclasses.replace(file.record, weights_sha256="0" * 64)


def of_another_builder(file):
    return dataclasses.replace(file.record, builder=ssd_file.BUILDER + 1)


@pytest.mark.parametrize(
    "changed, words",
    [(of_another_caffemodel, "another .caffemodel"), (of_another_builder, "made by builder")],
)
def test_a_file_that_does_not_fit_is_not_used(changed, words, file, folder, caplog, portrait):
    write_ssd(dataclasses.replace(file, record=changed(file)), folder)
    detector = opened(folder)
    assert isinstance(detector, SsdDetector) and len(detector.detect(portrait)) == 1
    (line,) = [record.getMessage() for record in caplog.records]
    assert words in line and "prepare" in line and "\n" not in line


@pytest.mark.parametrize("part", ["network", "end", "begin", "all"])
def test_a_damaged_file_is_not_used(part, file, folder, caplog, portrait):
    path = write_ssd(file, folder)
    content = bytearray(path.read_bytes())
    if part == "network":
        content[len(file.network) // 2] ^= 1
    path.write_bytes({"end": content[:-100], "begin": content[100:], "all": b""}.get(part, content))
    with pytest.raises(ModelError, match="damaged"):
        read_ssd(path, SSD_WEIGHTS.sha256)
    detector = opened(folder)
    assert isinstance(detector, SsdDetector) and len(detector.detect(portrait)) == 1
    assert len(caplog.records) == 1


def test_a_network_that_litert_cannot_run_is_not_used(file, folder, caplog, portrait):
    write_ssd(dataclasses.replace(file, network=b"\0\0\0\0TFL3 and nothing more"), folder)
    assert isinstance(opened(folder), SsdDetector)
    (line,) = [record.getMessage() for record in caplog.records]
    assert "OpenCV runs it instead" in line and "\n" not in line


def test_a_folder_that_is_none_is_named(file, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MaskDetectorError, match="can't be written"):
        write_ssd(file, tmp_path / "file")


def test_finding_faces_never_imports_tensorflow(file, folder, run):
    write_ssd(file, folder)
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from mask_detector.demo import portrait\n"
        "from mask_detector.face_detectors import open_detector\n"
        f"folder = Path({str(folder)!r})\n"
        f"finder = open_detector('ssd', folder=folder, confidence=.5, detect_size={SIDE})\n"
        "assert type(finder.run_for(512, 600)).__name__ == 'LiteRtSsdDetector'\n"
        "assert len(finder.detect(portrait())) == 1\n"
        "sys.exit(', '.join({'tensorflow', 'keras'} & set(sys.modules)) or 0)"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def photos(portrait, tmp_path):
    """A folder of photos: the portrait, and two of it."""
    folder = tmp_path / "photos"
    folder.mkdir()
    cv2.imwrite(str(folder / "one.png"), portrait)
    cv2.imwrite(str(folder / "two.png"), np.hstack([portrait, portrait[:, ::-1]]))
    (folder / "names.txt").write_text("one, two")
    return folder


def test_prepare_builds_compares_and_says_what_it_kept(keras, folder, photos, monkeypatch, capsys):
    monkeypatch.setattr(prepare, "_SHOWN_COUNT", 12)  # enough for one face
    stale = ssd_path(folder, 168, 296, "float32")
    stale.write_bytes(b"of an earlier time")
    options = ["--face", folder, "--detect-size", "220", "--photos", photos]
    assert main(["prepare", *map(str, options)]) == 0
    told = capsys.readouterr().out
    file = find_ssd(folder, 168, 296, SSD_WEIGHTS.sha256)
    assert file.record.number_format == "int8" and not stale.exists()
    for shape in ("256x192", "296x168"):
        assert f"saved {folder / f'ssd_{shape}_int8.tflite'}" in told
    assert len(re.findall(r"opencv +3\b", told)) == len(re.findall(r"int8 +3 +100.00%", told)) == 2
    for words in ("2 photos of", "OpenCV's within", "found", "ms per photo"):
        assert words in told


def test_what_the_set_up_has_built_is_the_quick_detector(face_folder):
    """`make` runs `prepare` with its defaults; were int8 refused, every frame would take longer."""
    built = sorted(face_folder.glob("ssd_*.tflite"))
    if not built:
        pytest.skip("no set-up has built the quick face detector here (make setup)")
    for shape in ("344x256", "400x224"):
        assert face_folder / f"ssd_{shape}_int8.tflite" in built, built


def test_int8_outside_its_bounds_gives_way_to_float32(keras, folder, photos, monkeypatch, capsys):
    monkeypatch.setattr(ssd_preparation, "LEAST_FOUND", 1.01)  # more than all
    monkeypatch.setattr(ssd_shapes, "LIVE_ASPECTS", (16 / 9,))  # one shape takes half the time
    monkeypatch.setattr(prepare, "_SHOWN_COUNT", 2)  # what it finds decides nothing here
    options = ["prepare", "--face", folder, "--detect-size", "96", "--photos", photos]
    assert main([*map(str, options), "--format", "int8"]) == 1
    assert "int8 is outside its bounds" in capsys.readouterr().err
    assert find_ssd(folder, 72, 128, SSD_WEIGHTS.sha256) is None
    assert main([*map(str, options)]) == 0
    assert "float32 is kept instead" in capsys.readouterr().out
    assert find_ssd(folder, 72, 128, SSD_WEIGHTS.sha256).record.number_format == "float32"


@pytest.mark.parametrize(
    "arguments, words, code",
    [
        (["--photos", "nowhere"], ["nowhere", "not found"], 1),
        (["--photos", "EMPTY"], ["no files"], 1),
        (["--photos", "TEXTS"], ["no picture that can be read"], 1),
    ],
)
def test_prepare_says_what_is_wrong_with_the_photos(arguments, words, code, run, folder, tmp_path):
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "TEXTS").mkdir()
    (tmp_path / "TEXTS" / "a.txt").write_text("no picture")
    arguments = [tmp_path / a if a.isupper() else a for a in arguments]
    done = run("-m", "mask_detector", "prepare", "--face", folder, *arguments)
    assert_clear_error(done, *words, code=code)
    assert not list(folder.glob("*.tflite"))


@pytest.mark.parametrize("size", ["32", "big", "-300"])
def test_prepare_refuses_sizes_that_are_none(size, run):
    done = run("-m", "mask_detector", "prepare", f"--detect-size={size}")
    assert done.returncode == 2 and "pixels" in done.stderr and "Traceback" not in done.stderr


def test_prepare_without_tensorflow_says_that_opencv_serves(run, folder, tmp_path):
    """On a machine without it: a finder of modules that does not know TensorFlow."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Without:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('tensorflow', 'keras'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Without())\n"
    )
    done = run(
        "-m", "mask_detector", "prepare", "--face", folder,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
    )  # fmt: skip
    assert_clear_error(done, "TensorFlow", "OpenCV", "pip install")
