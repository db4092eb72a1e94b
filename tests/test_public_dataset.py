"""Fetching the public photos: from a real git repository in a folder, served by real git."""

import os
import shutil
import subprocess

import pytest

from mask_detector.errors import AssetError
from mask_detector.public_dataset import MASK_PHOTOS, PublicDataset, fetch

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")

PHOTOS = {
    "with_mask/a.jpg": b"photo a",
    "with_mask/b ü.jpg": b"photo b",
    "without_mask/a.jpg": b"photo c",
    "without_mask/deep/d.jpg": b"photo d",
}


@pytest.fixture(autouse=True)
def own_git_settings(monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "tester")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "tester@example.org")


@pytest.fixture
def published(tmp_path):
    """A repository like the public one: photos, other files, and commits after the pinned one."""
    repository = tmp_path / "origin"

    def git(*arguments):
        command = ["git", "-C", str(repository), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    files = {f"dataset/{name}": content for name, content in PHOTOS.items()}
    files |= {"train.py": b"print()", "model/big.h5": b"0" * 1000, "dataset/notes.txt": b"hi"}
    for name, content in files.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_bytes(content)
    git("init", "--quiet")
    for name in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        git("config", name, "true")  # as GitHub has them
    git("add", ".")
    git("commit", "--quiet", "-m", "photos")
    pinned = git("rev-parse", "HEAD")
    (repository / "dataset/with_mask/a.jpg").write_bytes(b"changed later")
    git("commit", "--quiet", "-am", "another photo")
    return PublicDataset(url=repository.as_uri(), commit=pinned, folder="dataset")


def files_below(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_class_folders_arrive_as_pinned_and_nothing_else_is_left(published, tmp_path):
    target = tmp_path / "new" / "dataset"
    fetch(published, target)
    assert files_below(target) == PHOTOS
    assert {path.name for path in target.iterdir()} == {"with_mask", "without_mask"}


def test_what_lies_beside_stays(published, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    fetch(published, tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"
    assert {"with_mask", "without_mask", "README.md", "origin"} == {
        path.name for path in tmp_path.iterdir()
    }


def test_what_an_interrupted_fetch_left_does_no_harm(published, tmp_path):
    target = tmp_path / "dataset"
    (target / ".fetch" / ".git").mkdir(parents=True)
    (target / ".fetch" / ".git" / "config").write_text("half writ")
    fetch(published, target)
    assert files_below(target) == PHOTOS


@pytest.mark.parametrize(
    "change",
    [
        {"commit": "0123456789" * 4},
        {"url": "file:///no/such/repository"},
        {"url": "http://127.0.0.1:1/nobody/there"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_cannot_be_fetched_says_so_and_leaves_nothing(published, tmp_path, change):
    target = tmp_path / "dataset"
    dataset = PublicDataset(**{**vars(published), **change})
    with pytest.raises(AssetError, match=r"could not be fetched.*put your own photos into"):
        fetch(dataset, target)
    assert not target.exists()
    target.mkdir()  # and one that was there stays
    with pytest.raises(AssetError):
        fetch(dataset, target)
    assert list(target.iterdir()) == []


@pytest.mark.parametrize("name", ["with_mask", "without_mask"])
def test_a_class_folder_that_is_there_is_kept_and_nothing_is_added(published, tmp_path, name):
    target = tmp_path / "dataset"
    (target / name).mkdir(parents=True)
    (target / name / "mine.jpg").write_bytes(b"my photo")
    with pytest.raises(AssetError, match=f"{name} is there already"):
        fetch(published, target)
    assert files_below(target) == {f"{name}/mine.jpg": b"my photo"}
    assert [path.name for path in target.iterdir()] == [name]


def test_a_target_that_is_a_file_is_refused(published, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(AssetError):
        fetch(published, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_without_git_the_cure_is_named(published, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AssetError, match="needs git; install it"):
        fetch(published, tmp_path / "dataset")


def test_the_public_set_is_pinned_to_a_commit():
    assert len(MASK_PHOTOS.commit) == 40 and int(MASK_PHOTOS.commit, 16)
    assert MASK_PHOTOS.url.startswith("https://")
