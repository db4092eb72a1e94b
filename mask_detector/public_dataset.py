"""Fetch the public set of mask photos by the address and the commit it was looked at in.

Git names a commit by a hash over every byte of every file in it, so a set that was changed can't
pass for the pinned one. Only the photos are fetched, without the repository's history.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mask_detector.errors import AssetError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublicDataset:
    """A folder of a git repository at one commit."""

    url: str
    commit: str
    folder: str


# About 3,700 photos in with_mask and without_mask; no licence is given: for your own training only.
MASK_PHOTOS = PublicDataset(
    url="https://github.com/saisukesh04/Face-Mask-Detection",
    commit="f71a5be8b90be33c8fda3aad3ce5b1c4256a7456",
    folder="dataset",
)


def fetch(dataset: PublicDataset, target: Path) -> None:
    """Put the set's class folders below `target`.

    Raises:
        AssetError: no git, no network, another content than pinned, or folders that are there
            already.
    """
    was_there = target.exists()
    work = target / ".fetch"
    _remove(work)
    try:
        work.mkdir(parents=True)
    except OSError as error:
        raise AssetError(f"{target} can't be written ({error}); choose another --output") from error
    try:
        _git(work, "init", "--quiet")
        _git(work, "config", "extensions.partialClone", "origin")
        _git(work, "remote", "add", "origin", dataset.url)
        _git(work, "sparse-checkout", "set", dataset.folder)
        commit = dataset.commit
        logger.info("fetching %s at commit %s", dataset.url, commit[:12])
        _git(work, "fetch", "--progress", "--depth=1", "--filter=blob:none", "origin", commit)
        _git(work, "checkout", "--progress", "--detach", commit)
        folders = [path for path in (work / dataset.folder).iterdir() if path.is_dir()]
        for place in [target / folder.name for folder in folders]:
            if place.exists():  # looked for before the first is moved: all arrive or none
                raise AssetError(
                    f"{place} is there already; move it away or choose another --output"
                )
        for folder in folders:
            folder.rename(target / folder.name)
    finally:
        _remove(work)
        if not was_there and not any(target.iterdir()):
            target.rmdir()


def _remove(folder: Path) -> None:
    """Delete a clone; git's objects may not be written to, which Windows minds."""
    if folder.is_dir():
        for path in folder.rglob("*"):
            with contextlib.suppress(OSError):
                path.chmod(0o700 if path.is_dir() else 0o600)
    shutil.rmtree(folder, ignore_errors=True)


def _git(folder: Path, *arguments: str) -> None:
    """Run git; with `--progress` its bar goes to the terminal."""
    stderr = None if "--progress" in arguments else subprocess.PIPE
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, stderr=stderr, text=True, check=False)
    except FileNotFoundError as error:
        raise AssetError("fetching the public photos needs git; install it first") from error
    if done.returncode:
        reason = (done.stderr or "see above").strip().splitlines()[-1]
        raise AssetError(
            f"the public photos could not be fetched (git {arguments[0]}: {reason}); without a "
            f"network put your own photos into with_mask and without_mask of the folder"
        )
