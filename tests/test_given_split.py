"""The figure that such sets are mostly given, and how much of it is memory."""

import re

import cv2
import pytest
from data_sets import part, turned, write


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Of 44 parts in train and 16 others in test: 5 of train lie turned in test, one brighter."""
    root = tmp_path_factory.mktemp("published")
    for index in range(60):
        photo, class_name = part(index), ("good", "bad")[index % 2]
        split = "train" if index < 44 else "test"
        write(root / split / class_name / f"{index:02d}.png", photo)
        if index < 5:
            write(root / "test" / class_name / f"turned_{index:02d}.png", turned(photo, 70))
        if index == 7:
            write(root / "test" / class_name / "brighter.png", cv2.add(photo, (6, 6, 6, 0)))
    return root


def test_turned_copies_stay_in_training_and_are_counted(published, tmp_path, capsys, keras):
    from benchmarks.given_split import main

    main(["--dataset", str(published), "--architecture", "cnn", "--image-size", "32",
          "--epochs", "1", "--orientations", "1",
          "--model", str(tmp_path / "m.keras")])  # fmt: skip
    said = capsys.readouterr().out
    assert "less 1 of 44 training photos that test shows as they lie or mirrored" in said
    found = re.search(r"^accuracy (\S+) \((\S+)-(\S+)\), n = (\d+); (\d+) of them", said, re.M)
    value, low, high = map(float, found.groups()[:3])
    assert found.groups()[3:] == ("22", "5") and 0 <= low <= value <= high <= 1


def test_a_set_without_a_split_is_refused(tmp_path, capsys):
    from benchmarks.given_split import main

    for index in range(20):
        write(tmp_path / ("good", "bad")[index % 2] / f"{index}.png", part(index))
    with pytest.raises(SystemExit) as caught:
        main(["--dataset", str(tmp_path)])
    assert "expected folders train and test" in str(caught.value)


def test_two_sets_are_refused(published):
    from benchmarks.given_split import main

    with pytest.raises(SystemExit) as caught:
        main(["--dataset", str(published), "--dataset", str(published)])
    assert "expected one published set, not 2" in str(caught.value)


def test_a_photo_turned_is_another_one_only_inside(published):
    from benchmarks.given_split import as_they_lie
    from mask_detector.audit import audit_dataset

    with as_they_lie():
        assert len(audit_dataset(published).near_clusters) == 1
    assert len(audit_dataset(published).near_clusters) == 6
