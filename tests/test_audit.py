"""What is wrong with a data set is found, said, and kept out of training."""

import json
import os
import re
import shutil
import warnings
from collections import Counter

import cv2
import numpy as np
import pytest
from conftest import assert_clear_error, textured_photo, write_dataset
from data_sets import (
    assert_groups_are_whole,
    audit,
    clusters,
    copy,
    given_splits,
    groups,
    inside,
    reencode,
    write,
)
from PIL import Image

from mask_detector.audit_report import audit_text, audit_to_dict
from mask_detector.errors import DatasetError
from mask_detector.parts import split_photos
from mask_detector.training_data import gather


@pytest.fixture(scope="module")
def flawed(tmp_path_factory):
    """A data set with every flaw there is, two classes of 30 unlike photos at its heart."""
    root = write_dataset(tmp_path_factory.mktemp("flawed"), {"with_mask": 30, "without_mask": 30})
    on, off = root / "with_mask", root / "without_mask"
    copy(on / "p000.png", on / "z copy.png")
    copy(on / "p000.png", on / "deeper" / "p000.png")
    copy(off / "p001.png", off / "z copy.jpg")
    reencode(on / "p002.png", on / "z again.jpg")
    write(on / "z mirror image.png", cv2.imread(str(on / "p003.png"))[:, ::-1])
    reencode(on / "p004.png", off / "z relabelled.jpg")
    write(on / "both.png", textured_photo(100))
    copy(on / "both.png", off / "other name.png")
    copy(on / "both.png", off / "third name.png")
    write(on / "p005_aug1.png", textured_photo(101))
    write(on / "p005_aug2.png", textured_photo(102))
    for index in range(4):
        write((on, off)[index % 2] / f"augmented_image_{index}.png", textured_photo(110 + index))
    for index in range(5):
        write(on / f"0_0_anhu_{index:04d}.png", textured_photo(120 + index))
    for index in range(3):
        write(off / f"0_0_anhu_{100 + index:04d}.png", textured_photo(130 + index))
        write(off / f"Aaron_Eckhart_{index:04d}.png", textured_photo(140 + index))
    (on / "empty.jpg").write_bytes(b"")
    (on / "half.png").write_bytes((on / "p006.png").read_bytes()[:500])
    (off / "words.jpg").write_text("words")
    write(off / "tiny.png", textured_photo(150, size=(15, 40)))
    write(off / "white.png", np.full((60, 60, 3), 255, np.uint8))
    return root


@pytest.fixture(scope="module")
def flawed_audit(flawed):
    return audit(flawed)


def test_every_photo_is_used_copied_contradicted_or_skipped(flawed, flawed_audit):
    used = inside(flawed, (p.listed.path for p in flawed_audit.photos))
    copies = inside(flawed, flawed_audit.copies)
    skipped = inside(flawed, (path for path, _ in flawed_audit.skipped))
    contradicted = [name for paths in flawed_audit.contradictions for name in inside(flawed, paths)]
    on_disk = inside(flawed, (path for path in flawed.rglob("*") if path.is_file()))
    assert sorted(used + copies + skipped + contradicted) == sorted(on_disk)
    assert len(used) == 60 + 3 + 2 + 4 + 8 + 3
    assert not flawed_audit.is_split


def test_exact_copies_are_used_once(flawed, flawed_audit):
    groups_of_copies = [
        {"with_mask/p000.png", "with_mask/z copy.png", "with_mask/deeper/p000.png"},
        {"without_mask/p001.png", "without_mask/z copy.jpg"},
    ]
    used = set(inside(flawed, (p.listed.path for p in flawed_audit.photos)))
    copies = set(inside(flawed, flawed_audit.copies))
    for names in groups_of_copies:
        assert len(names & used) == 1
        assert names - used <= copies
    assert len(flawed_audit.copies) == 3


def test_a_file_that_two_classes_claim_is_used_in_none(flawed, flawed_audit):
    assert [sorted(inside(flawed, paths)) for paths in flawed_audit.contradictions] == [
        ["with_mask/both.png", "without_mask/other name.png", "without_mask/third name.png"]
    ]


def test_files_that_show_nothing_are_skipped_with_the_reason(flawed, flawed_audit):
    reasons = {path.relative_to(flawed).as_posix(): why for path, why in flawed_audit.skipped}
    assert reasons == {
        "with_mask/empty.jpg": "not a picture",
        "with_mask/half.png": "damaged picture",
        "without_mask/words.jpg": "not a picture",
        "without_mask/tiny.png": "too small (40x15, at least 16)",
        "without_mask/white.png": "a single colour",
    }


LOOK_ALIKES = [
    ["with_mask/p002.png", "with_mask/z again.jpg"],
    ["with_mask/p003.png", "with_mask/z mirror image.png"],
    ["with_mask/p004.png", "without_mask/z relabelled.jpg"],
]


def test_look_alikes_are_found_and_those_with_two_labels_named(flawed, flawed_audit):
    assert clusters(flawed, flawed_audit, flawed_audit.near_clusters) == LOOK_ALIKES
    assert clusters(flawed, flawed_audit, flawed_audit.near_contradictions) == [LOOK_ALIKES[2]]
    assert flawed_audit.leaks == ()


def test_copies_augmentations_and_people_are_grouped_and_nothing_else(flawed, flawed_audit):
    anhu = [f"with_mask/0_0_anhu_{i:04d}.png" for i in range(5)]
    anhu += [f"without_mask/0_0_anhu_{i:04d}.png" for i in range(100, 103)]
    augmented = [f"with{('', 'out')[i % 2]}_mask/augmented_image_{i}.png" for i in range(4)]
    expected = [
        *LOOK_ALIKES,
        anhu,
        sorted(augmented),
        [f"without_mask/Aaron_Eckhart_{i:04d}.png" for i in range(3)],
        [f"with_mask/p005{end}.png" for end in ("", "_aug1", "_aug2")],
    ]
    assert groups(flawed, flawed_audit) == sorted(expected)
    assert flawed_audit.people == {"anhu": 8, "aaron_eckhart": 3}
    assert flawed_audit.augmented_count == 6


def test_a_chain_of_augmentations_leads_back_to_one_photo(tmp_path):
    root = write_dataset(tmp_path, {"x": 5, "y": 5})
    names = [f"x/{name}.png" for name in ("p000_aug1", "p000_aug1_flip", "rotated_p000_aug2")]
    for index, name in enumerate(names):
        write(root / name, textured_photo(200 + index))
    assert groups(root, audit(root)) == [sorted([*names, "x/p000.png"])]


def test_a_photo_of_the_same_name_in_the_other_class_is_another_photo(tmp_path):
    root = write_dataset(tmp_path, {"x": 5, "y": 5})
    write(root / "x" / "p000_aug1.png", textured_photo(300))
    assert groups(root, audit(root)) == [["x/p000.png", "x/p000_aug1.png"]]


def test_the_text_says_every_figure(flawed, flawed_audit):
    text = audit_text(flawed_audit)
    for line in (
        f"{flawed}: 80 usable photos of 2 classes",
        "  with_mask        41  (understood as: Mask)",
        "  without_mask     39  (understood as: No Mask)",
        "  largest class / smallest: 1.05 (class weights make up for it)",
        "  shorter side: median 80 px, 5-95 % of photos 80-80 px",
        "  1 the same file in several classes, none used:",
        "    with_mask/both.png = without_mask/other name.png = without_mask/third name.png",
        "  5 skipped:",
        "    without_mask/tiny.png: too small (40x15, at least 16)",
        "  3 exact copies, each used once:",
        "  near duplicates: 6 photos in 3 clusters, the largest of 2",
        "  1 look alike but are labelled differently (wrong label, or a mask drawn on):",
        "    with_mask/p004.png ~ without_mask/z relabelled.jpg",
        "  6 augmented copies, by their names: kept together",
        "  2 people named by 11 files (most: anhu 8, aaron_eckhart 3): each stays on one side"
        " of our split",
    ):
        assert line in text.splitlines(), line


def test_a_flawless_set_is_not_accused_of_anything(tmp_path):
    text = audit_text(audit(write_dataset(tmp_path, {"x": 12, "yy": 10})))
    assert text.splitlines() == [
        f"{tmp_path}: 22 usable photos of 2 classes",
        "  x      12",
        "  yy     10",
        "  largest class / smallest: 1.20 (class weights make up for it)",
        "  shorter side: median 80 px, 5-95 % of photos 80-80 px",
    ]


def test_long_lists_are_cut_for_people_but_not_for_programs(tmp_path):
    root = write_dataset(tmp_path, {"x": 3, "y": 3})
    for index in range(14):
        (root / "x" / f"broken {index:02d}.jpg").write_bytes(b"")
        copy(root / "y" / "p000.png", root / "y" / f"z{index:02d}.png")
    audited = audit(root)
    assert audit_text(audited).count("    ... and 4 more") == 2
    assert len(audit_to_dict(audited)["skipped"]) == 14
    assert len(audit_to_dict(audited)["exact_copies"]) == 14


def test_the_command_prints_the_text(flawed, flawed_audit, run):
    done = run("-m", "mask_detector", "audit", flawed)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == audit_text(flawed_audit)


def test_the_command_prints_one_json_object_that_names_every_file(flawed, flawed_audit, run):
    done = run("-m", "mask_detector", "audit", flawed, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == audit_to_dict(flawed_audit)
    assert found["root"] == str(flawed)
    assert found["photos"] == 80
    assert found["classes"] == {"with_mask": 41, "without_mask": 39}
    assert found["splits"] is None
    assert {entry["file"]: entry["reason"] for entry in found["skipped"]}[
        "without_mask/white.png"
    ] == "a single colour"
    assert len(found["skipped"]) == 5
    assert len(found["exact_copies"]) == 3
    assert [sorted(names) for names in found["contradictions"]] == [
        ["with_mask/both.png", "without_mask/other name.png", "without_mask/third name.png"]
    ]
    assert sorted(map(sorted, found["near_duplicates"])) == LOOK_ALIKES
    assert [sorted(names) for names in found["near_contradictions"]] == [LOOK_ALIKES[2]]
    assert found["across_splits"] == []
    assert found["people"] == {"anhu": 8, "aaron_eckhart": 3}
    assert found["augmented_copies"] == 6
    assert re.fullmatch(r"[0-9a-f]{64}", found["fingerprint"])


def test_the_command_refuses_what_is_no_data_set(tmp_path, run):
    done = run("-m", "mask_detector", "audit", tmp_path / "nowhere")
    assert_clear_error(done, "no data set at", "nowhere", "one folder of photos per class")


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_command_copes_with_odd_names_and_odd_photos_in_silence(tmp_path, run, options):
    root = write_dataset(tmp_path, {"口罩": 4, "无": 4})
    try:
        copy(root / "口罩" / "p000.png", root / "口罩" / os.fsdecode(b"\xff\xe9.png"))
    except OSError:
        pytest.skip("this file system refuses the name")
    for index in range(20):
        Image.fromarray(textured_photo(400 + index)).save(
            root / "无" / f"odd {index}.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x09abc"
        )
    done = run("-m", "mask_detector", "audit", root, *options)
    assert done.returncode == 0
    assert done.stderr == ""
    assert r"\xe9" in done.stdout or r"\udce9" in done.stdout
    if options:
        assert json.loads(done.stdout)["classes"] == {"口罩": 4, "无": 24}


def test_a_class_without_a_usable_photo_is_refused(tmp_path):
    root = write_dataset(tmp_path, {"x": 4})
    (root / "y").mkdir()
    (root / "y" / "a.jpg").write_bytes(b"words")
    with pytest.raises(DatasetError, match=r"class y in .* has not one usable photo"):
        audit(root)


def test_a_given_split_without_a_usable_photo_of_a_class_is_refused(tmp_path):
    root = given_splits(tmp_path, train=4, val=4)
    for path in (root / "val" / "off").iterdir():
        path.write_bytes(b"words")
    with pytest.raises(DatasetError, match=r"class off .*val.* has not one usable photo"):
        audit(root)


def test_an_audit_leaves_the_settings_of_warnings_as_they_were(tmp_path):
    root = write_dataset(tmp_path, {"x": 60, "y": 60})
    before = list(warnings.filters)
    for _ in range(3):
        audit(root)
    assert warnings.filters == before


def test_a_link_to_nothing_is_skipped(tmp_path):
    root = write_dataset(tmp_path, {"x": 4, "y": 4})
    (root / "x" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert inside(root, (path for path, _ in audit(root).skipped)) == ["x/gone.png"]


def test_the_fingerprint_of_the_data_changes_with_names_classes_and_bytes_only(tmp_path):
    root = write_dataset(tmp_path / "one", {"x": 4, "y": 4})
    first = audit(root).data_fingerprint
    shutil.copytree(root, tmp_path / "elsewhere")
    assert audit(tmp_path / "elsewhere").data_fingerprint == first
    seen = {first}
    (root / "x" / "p000.png").rename(root / "x" / "q000.png")
    seen.add(audit(root).data_fingerprint)
    write(root / "x" / "q000.png", textured_photo(900))
    seen.add(audit(root).data_fingerprint)
    (root / "x" / "q000.png").rename(root / "y" / "q000.png")
    seen.add(audit(root).data_fingerprint)
    (root / "x").rename(root / "z")
    seen.add(audit(root).data_fingerprint)
    assert len(seen) == 5


def test_our_own_split_never_tears_a_group_apart(flawed, flawed_audit):
    for seed in range(20):
        splits = split_photos(flawed_audit, seed)
        assert_groups_are_whole(flawed, flawed_audit, splits)
        assert Counter(p.listed.path for part in splits.values() for p in part) == Counter(
            p.listed.path for p in flawed_audit.photos
        )
        for name, share in (("train", 0.70), ("val", 0.15), ("test", 0.15)):
            assert len(splits[name]) / 80 == pytest.approx(share, abs=0.05)


def test_the_split_depends_on_the_seed_alone(flawed, flawed_audit):
    def split(audited, seed):
        return {
            side: [photo.listed for photo in part]
            for side, part in split_photos(audited, seed).items()
        }

    again = audit(flawed)
    assert split(again, 3) == split(flawed_audit, 3)
    assert split(again, 4) != split(flawed_audit, 3)


def labels_by_class(root, audited):
    return {
        sample.path.relative_to(root).parts[-2]: sample.label
        for samples in gather([audited], split_seed=0).splits.values()
        for sample in samples
    }


def test_classes_are_numbered_by_their_sorted_names(tmp_path):
    root = write_dataset(tmp_path, {"b": 5, "a": 5, "C": 5})
    audited = audit(root)
    assert audited.class_names == ("C", "a", "b")
    assert labels_by_class(root, audited) == {"C": 0, "a": 1, "b": 2}


def test_renaming_the_folders_renames_and_renumbers_the_classes(tmp_path):
    root = write_dataset(tmp_path, {"mask": 5, "none": 6})
    (root / "mask").rename(root / "worn")
    audited = audit(root)
    assert audited.class_names == ("none", "worn")
    assert labels_by_class(root, audited) == {"none": 0, "worn": 1}
    assert Counter(p.listed.class_name for p in audited.photos) == {"worn": 5, "none": 6}
