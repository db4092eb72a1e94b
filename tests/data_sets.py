"""Data sets for tests: photos copied and re-encoded, and what an audit says of them in names."""

import shutil

import cv2
from conftest import write_dataset

from mask_detector.audit import audit_dataset


def write(path, photo, *options):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), photo, options)


def reencode(source, target):
    """The same picture in other bytes: smaller and as JPEG."""
    photo = cv2.resize(cv2.imread(str(source)), None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    write(target, photo, cv2.IMWRITE_JPEG_QUALITY, 80)


def copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def audit(root):
    return audit_dataset(root, show_progress=False)


def inside(root, paths):
    return [path.relative_to(root).as_posix() for path in paths]


def clusters(root, audited, which):
    return sorted(
        sorted(inside(root, (audited.photos[i].listed.path for i in cluster))) for cluster in which
    )


def groups(root, audited):
    """Names of the photos of every group of more than one."""
    members = {}
    for photo in audited.photos:
        members.setdefault(photo.group, []).append(photo.listed.path)
    return sorted(sorted(inside(root, paths)) for paths in members.values() if len(paths) > 1)


def assert_groups_are_whole(root, audited, splits):
    side_of = {s.path: split for split, samples in splits.items() for s in samples}
    for names in groups(root, audited):
        assert len({side_of[root / name] for name in names}) == 1, names


def given_splits(root, **counts):
    """Unlike photos in given splits, `train=20` of each of two classes."""
    for index, (split, count) in enumerate(counts.items()):
        write_dataset(root / split, {"on": count, "off": count}, start=1000 * index)
    return root
