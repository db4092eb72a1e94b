"""Cameras, streams, films and photos: opened, read ahead, lost and found again."""
