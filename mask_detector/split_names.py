"""Folder names that say which part of a data set lies below: train, val or test."""

from __future__ import annotations

from pathlib import Path

_NAMES = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


def split_named(name: str) -> str | None:
    """`train`, `val` or `test` where a folder's name means one of them, else None."""
    return _NAMES.get(name.lower())


def visible_folders(parent: Path) -> list[Path]:
    """The folders in a folder, in order; hidden ones and `__MACOSX` hold no photos."""
    return sorted(c for c in parent.iterdir() if c.is_dir() and not c.name.startswith((".", "__")))


def split_folders(root: Path) -> list[tuple[Path, str]]:
    """The folders right below `root` that are named after a split, and which one it is."""
    if not root.is_dir():
        return []
    named = [(folder, split_named(folder.name)) for folder in visible_folders(root)]
    return [(folder, split) for folder, split in named if split]
