"""Data sets for tests: photos copied and re-encoded, and what an audit says of them in names.

Also random weights with which a network tells pictures apart.
"""

import shutil
from xml.etree import ElementTree

import cv2
import numpy as np
from conftest import write_dataset

from mask_detector.architectures import ARCHITECTURES
from mask_detector.audit import audit_dataset
from mask_detector.training_data import gather


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
    return audit_dataset(root)


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
    side_of = {p.listed.path: split for split, photos in splits.items() for p in photos}
    for names in groups(root, audited):
        assert len({side_of[root / name] for name in names}) == 1, names


def given_splits(root, **counts):
    """Unlike photos in given splits, `train=20` of each of two classes."""
    for index, (split, count) in enumerate(counts.items()):
        write_dataset(root / split, {"on": count, "off": count}, start=1000 * index)
    return root


def voc(path, photo_name, boxes):
    """A PASCAL VOC annotation of `(class, xmin, ymin, xmax, ymax)`, counted from 1."""
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = photo_name
    for class_name, *edges in boxes:
        item = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(item, "name").text = class_name
        box = ElementTree.SubElement(item, "bndbox")
        for tag, edge in zip(("xmin", "ymin", "xmax", "ymax"), edges, strict=True):
            ElementTree.SubElement(box, tag).text = str(edge)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(path)


def settle(model):
    """Let BatchNorm layers note what flows through random weights.

    As Keras makes them, MobileNetV2's random weights let every signal fade: all pictures give
    the same answer, and a test of what reaches the top sees nothing.
    """
    import keras

    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    size = model.input_shape[1] or 32
    model(np.random.default_rng(1).uniform(0, 255, (16, size, size, 3)), training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return model


def untaught_backbone(architecture, folder):
    """A file of backbone weights that no photo has taught, but that tell pictures apart."""
    import keras

    keras.utils.set_random_seed(1)
    pixels = keras.Input((32, 32, 3))
    features = ARCHITECTURES[architecture].backbone(pixels, None, 1.0)
    path = folder / f"{architecture}.weights.h5"
    settle(keras.Model(pixels, features)).save_weights(path)
    return path


def portraits(root, count=20, start=0, names=("with_mask", "without_mask")):
    return write_dataset(root, dict.fromkeys(names, count), start=start)


def gathered(*roots, seed=0, class_names=None):
    return gather([audit(root) for root in roots], split_seed=seed, class_names=class_names)


PART_SIDE = 240


def part(seed):
    """A round machined part as no other: rings that all have, scratches and stains of its own."""
    random = np.random.default_rng(seed)
    photo = np.full((PART_SIDE, PART_SIDE), 150.0)
    centre = (PART_SIDE // 2, PART_SIDE // 2)
    for radius, grey in ((100, 200), (62, 40), (30, 190), (20, 120)):
        cv2.circle(photo, centre, radius, float(grey), -1, cv2.LINE_AA)
    for _ in range(40):
        ends = random.integers(0, PART_SIDE, (2, 2))
        ends[1] = ends[0] + random.integers(-18, 18, 2)
        cv2.line(photo, ends[0].tolist(), ends[1].tolist(), float(random.integers(60, 230)), 2)
    photo += cv2.GaussianBlur(random.normal(0, 40, photo.shape), (0, 0), 1.5)
    return cv2.merge([np.clip(photo, 0, 255).astype(np.uint8)] * 3)


def turned(photo, degrees, scale=1.0, shear=0.0):
    change = cv2.getRotationMatrix2D((PART_SIDE / 2, PART_SIDE / 2), degrees, scale)
    change = change @ np.array([[1, shear, -shear * PART_SIDE / 2], [0, 1, 0], [0, 0, 1]])
    return cv2.warpAffine(photo, change, (PART_SIDE, PART_SIDE), borderMode=cv2.BORDER_REPLICATE)
