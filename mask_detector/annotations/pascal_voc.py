"""Read photos whose faces were boxed and labelled by hand, in PASCAL VOC's XML.

    photos = read_voc(Path("streets"))  # streets/images/a.jpg, streets/annotations/a.xml

The usual layouts are known: `images/` and `annotations/` side by side (or VOC's own `JPEGImages/`
and `Annotations/`), and XML files beside the photos. Source of the format:
http://host.robots.ox.ac.uk/pascal/VOC/voc2012/devkit_doc.pdf
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from mask_detector.annotations.photo_files import photos_by_stem
from mask_detector.errors import DatasetError
from mask_detector.types import FaceBox, LabelledBox, ListedPhoto

_ANNOTATION_FOLDERS = ("annotations", "Annotations")
_IMAGE_FOLDERS = ("images", "JPEGImages")
_NO_ANNOTATION = (  # what the parser and the reading of numbers raise
    ElementTree.ParseError, AttributeError, TypeError, ValueError, LookupError, OverflowError,
)  # fmt: skip


def is_annotated(root: Path) -> bool:
    """Whether a folder holds photos with boxes rather than one folder per class."""
    return _annotation_folder(root) is not None


def read_voc(root: Path) -> list[ListedPhoto]:
    """Read every annotation below `root`, in the order of their names.

    Coordinates are VOC's: the first pixel is 1, edges included.

    Raises:
        DatasetError: no annotations there, one that is no VOC annotation, or one whose photo is
            missing.
    """
    folder = _annotation_folder(root)
    if folder is None:
        raise DatasetError(
            f"no annotated photos at {root}: expected PASCAL VOC files such as "
            f"{root}/annotations/1.xml and {root}/images/1.jpg"
        )
    images = next((root / n for n in _IMAGE_FOLDERS if (root / n).is_dir()), folder)
    photo_of = photos_by_stem(images)
    return [_read(path, images, photo_of) for path in sorted(_annotations(folder))]


def _annotation_folder(root: Path) -> Path | None:
    for folder in (root / name for name in _ANNOTATION_FOLDERS):
        if folder.is_dir() and next(_annotations(folder), None):
            return folder
    return root if root.is_dir() and _lie_open_in(root) else None


def _lie_open_in(root: Path) -> bool:
    """Whether annotations lie in `root` itself, not just some tool's XML beside class folders."""
    stems = {path.stem for path in _annotations(root)}
    if not stems:
        return False
    children = [path for path in root.iterdir() if not path.name.startswith((".", "__"))]
    folders = {path.name for path in children if path.is_dir()}
    if not folders or folders.intersection(_IMAGE_FOLDERS):
        return True
    return any(p.stem in stems and p.suffix.lower() != ".xml" for p in children if p.is_file())


def _annotations(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob("*.xml") if not path.name.startswith("."))


def _read(path: Path, images: Path, photo_of: dict[str, Path]) -> ListedPhoto:
    try:
        annotation = ElementTree.parse(path).getroot()
        faces = tuple(_face(item) for item in annotation.iter("object"))
    except _NO_ANNOTATION as error:
        raise DatasetError(
            f"{path} is no PASCAL VOC annotation ({error}); expected <object> elements, each with "
            f"a <name> and a <bndbox> of xmin, ymin, xmax and ymax in pixels"
        ) from error
    name = Path(annotation.findtext("filename") or "")
    named = images / (name.name if name.is_absolute() else name)  # of another machine
    photo = named if named.is_file() else photo_of.get(path.stem)
    if photo is None:
        raise DatasetError(f"the photo of {path} is missing: expected it in {images}")
    return ListedPhoto(photo, faces=faces)


def _face(item: ElementTree.Element) -> LabelledBox:
    left, top, right, bottom = (
        round(float(item.find("bndbox").findtext(edge)))
        for edge in ("xmin", "ymin", "xmax", "ymax")
    )
    name = item.findtext("name").strip()
    if not name:
        raise ValueError("an object without a name")
    return LabelledBox(FaceBox(max(0, left - 1), max(0, top - 1), right, bottom, 1.0), name)
