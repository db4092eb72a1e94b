"""`synthesize`: files with drawn masks, which train and by which nobody is judged."""

import cv2
import numpy as np
import pytest
from conftest import textured_photo, write_dataset
from data_sets import audit, write

from mask_detector.audit_report import audit_text, audit_to_dict
from mask_detector.cli import main
from mask_detector.commands import synthesize as synthesize_command
from mask_detector.dataset import person_of, scan
from mask_detector.errors import DatasetError
from mask_detector.parts import split_photos
from mask_detector.photo_names import cut_from, drawn_from, drawn_name, is_drawn, original_of
from mask_detector.synthesis.drawn_masks import STYLES
from mask_detector.training_data import gather


@pytest.fixture(scope="module")
def bare(portrait, tmp_path_factory):
    """A folder of bare faces, one without a face and one that is no photo."""
    root = tmp_path_factory.mktemp("photos") / "without_mask"
    small = cv2.resize(portrait, (256, 300), interpolation=cv2.INTER_AREA)
    write(root / "Ann_Lee_0001.png", small)
    write(root / "b c.jpg", small[:, ::-1])
    write(root / "wall.png", np.full((90, 120, 3), 128, np.uint8))
    (root / "notes.txt").write_text("no photo")
    return root


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def synthesize(bare, output, *options):
    return main(["synthesize", str(bare), "--output", str(output), *options])


def test_the_options_name_every_style():
    assert synthesize_command.STYLES == STYLES


def test_each_photo_gets_a_mask_and_a_name_that_says_so(bare, tmp_path, capsys):
    assert synthesize(bare, tmp_path, "--styles", "ffp2") == 0
    written = files(tmp_path)
    assert set(written) == {
        "with_mask/drawn_mask_ffp2_Ann_Lee_0001.jpg", "with_mask/drawn_mask_ffp2_b c.jpg"
    }  # fmt: skip
    out = capsys.readouterr().out
    assert "ffp2: 2" in out and "1 photo left out: no face" in out and "1 file left out" in out
    photo = cv2.imread(str(bare / "Ann_Lee_0001.png")).astype(int)
    drawn = cv2.imread(str(tmp_path / "with_mask/drawn_mask_ffp2_Ann_Lee_0001.jpg")).astype(int)
    assert drawn.shape == photo.shape
    changed = np.abs(drawn - photo).mean(axis=2)
    assert changed[131:146, 110:150].mean() > 20  # the mouth of the portrait at half its size
    assert changed[:70].mean() < 3  # what JPEG makes of the hat


def test_nothing_is_written_over_and_a_seed_draws_the_same(bare, tmp_path, capsys):
    assert synthesize(bare, tmp_path / "one", "--seed", "5") == 0
    assert synthesize(bare, tmp_path / "two", "--seed", "5") == 0
    assert synthesize(bare, tmp_path / "three", "--seed", "6") == 0
    one, two, three = (files(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two != three
    (tmp_path / "one" / next(iter(one))).write_bytes(b"mine")
    capsys.readouterr()
    assert synthesize(bare, tmp_path / "one", "--seed", "5") == 0
    assert files(tmp_path / "one") == one | {next(iter(one)): b"mine"}
    assert "2 were there before" in capsys.readouterr().out


def test_folders_are_known_by_their_meaning_and_drawn_photos_are_not_drawn_on(bare, tmp_path):
    for name in ("Masked", "incorrect_mask", "unmasked"):
        (tmp_path / name).mkdir()
    assert synthesize(bare, tmp_path, "--under-nose", "1", "--styles", "cloth") == 0
    assert set(files(tmp_path)) == {
        "incorrect_mask/drawn_mask_cloth-under-nose_Ann_Lee_0001.jpg",
        "incorrect_mask/drawn_mask_cloth-under-nose_b c.jpg",
    }
    before = files(tmp_path)
    assert synthesize(tmp_path / "incorrect_mask", tmp_path) == 0
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--output", "{two}"], "several folders that mean 'Mask'"),
        (["--seed", "-1"], "--seed -1"),
    ],
)
def test_what_can_not_be_done_is_one_clear_line(options, words, bare, tmp_path, capsys):
    for name in ("masked", "with_mask"):
        (tmp_path / "two" / name).mkdir(parents=True)
    options = [option.format(two=tmp_path / "two") for option in options]
    assert main(["synthesize", str(bare), *options]) == (2 if "--seed" in options else 1)
    assert words in capsys.readouterr().err
    assert main(["synthesize", str(tmp_path / "none")]) == 1
    assert "no folder" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--styles", "scarf"], ["--under-nose", "2"]])
def test_unusable_options_end_with_2(options, bare, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["synthesize", str(bare), *options])
    assert ended.value.code == 2 and "expected" in capsys.readouterr().err


def test_photos_without_a_face_are_an_error(tmp_path, capsys):
    write(tmp_path / "a.png", textured_photo(1))
    assert main(["synthesize", str(tmp_path), "--output", str(tmp_path / "out")]) == 1
    assert "no face found in any photo" in capsys.readouterr().err


def test_names_tell_where_a_picture_comes_from(tmp_path):
    drawn = tmp_path / f"{drawn_name(tmp_path / 'Ann_Lee_0001.png', 'ffp2-under-nose')}.jpg"
    assert is_drawn(drawn) and drawn_from(drawn) == original_of(drawn) == "Ann_Lee_0001"
    assert person_of(drawn) == "ann_lee"
    face = tmp_path / "drawn_mask_cloth_street 7_face2of5.jpg"
    assert (drawn_from(face), cut_from(face), original_of(face)) == (
        "street 7_face2of5", "street 7", "street 7"
    )  # fmt: skip
    plain = tmp_path / "mask_face.jpg"
    assert not is_drawn(plain) and cut_from(plain) is None and original_of(plain) == "mask_face"


def drawn_twins(root, folder, names, start):
    """Drawn copies that look like no other photo: only their names tell."""
    for index, name in enumerate(names):
        write(root / folder / f"drawn_mask_cloth_{name}.jpg", textured_photo(start + index))


def stems(photos):
    return {photo.listed.path.stem for photo in photos}


def test_drawn_masks_only_train_and_not_where_their_photo_judges(tmp_path):
    write_dataset(tmp_path, {"with_mask": 40, "without_mask": 40})
    plain = split_photos(audit(tmp_path), 3)
    names = [f"p{i:03d}" for i in range(40)]
    drawn_twins(tmp_path, "with_mask", names, 5000)
    audited = audit(tmp_path)
    splits = split_photos(audited, 3)
    for side in ("val", "test"):
        assert not any(is_drawn(photo.listed.path) for photo in splits[side])
        assert stems(splits[side]) == stems(plain[side])  # the same test, with and without them
    held_out = stems(splits["val"]) | stems(splits["test"])
    used = {original_of(p.listed.path) for p in splits["train"] if is_drawn(p.listed.path)}
    assert used == set(names) - held_out and len(used) > 10
    assert "40 photos with masks drawn on" in audit_text(audited)
    assert audit_to_dict(audited)["drawn_masks"] == 40


def test_in_given_splits_drawn_masks_are_left_out_of_val_and_test(tmp_path):
    for index, split in enumerate(("train", "val", "test")):
        write_dataset(tmp_path / split, {"on_mask": 6, "no_mask": 6}, start=100 * index)
        drawn_twins(tmp_path / split, "on_mask", [f"x{index}", f"y{index}"], 900 + 10 * index)
    splits = split_photos(audit(tmp_path), 0)
    drawn = {side: [s for s in stems(p) if s.startswith("drawn")] for side, p in splits.items()}
    assert (sorted(drawn["train"]), drawn["val"], drawn["test"]) == (
        ["drawn_mask_cloth_x0", "drawn_mask_cloth_y0"], [], []
    )  # fmt: skip
    assert [len(splits[side]) for side in ("val", "test")] == [12, 12]


def test_a_folder_of_drawn_masks_alone_goes_with_another_source(tmp_path):
    faces, drawn = tmp_path / "faces", tmp_path / "drawn"
    write_dataset(faces, {"with_mask": 30, "without_mask": 30})
    drawn_twins(drawn, "with_mask", [f"p{i:03d}" for i in range(30)], 7000)
    data = gather([audit(faces), audit(drawn)], split_seed=1)
    held_out = {s.path.stem for side in ("val", "test") for s in data.splits[side]}
    made = [s for s in data.splits["train"] if is_drawn(s.path)]
    assert {original_of(s.path) for s in made} == {f"p{i:03d}" for i in range(30)} - held_out
    assert made and {data.class_names[s.label] for s in made} == {"with_mask"}
    assert not any(is_drawn(s.path) for side in ("val", "test") for s in data.splits[side])
    assert data.sources["drawn"] == {"train": len(made), "val": 0, "test": 0}


def test_drawn_masks_are_no_class_to_judge_by(tmp_path):
    write_dataset(tmp_path, {"without_mask": 20})
    with pytest.raises(DatasetError, match="at least two folders"):
        scan(tmp_path)
    drawn_twins(tmp_path, "with_mask", [f"q{i}" for i in range(20)], 7000)
    with pytest.raises(DatasetError, match=r"with_mask has 0 .*drawn masks not at all"):
        split_photos(audit(tmp_path), 0)
