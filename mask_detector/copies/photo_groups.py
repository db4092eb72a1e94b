"""Which photos belong together, by what links two of them.

links = [*near_duplicates(fingerprints).tolist(), *name_pairs(photos, people, sources)]
groups = components(len(photos), links)  # a number for each photo
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mask_detector.photo_names import cut_from
from mask_detector.types import ListedPhoto


def name_pairs(
    photos: list[ListedPhoto], people: list[str | None], sources: list[str | None]
) -> Iterable[tuple[int, int]]:
    """Link photos whose names say that they show one person or come from one photo."""
    stems_with_copies = set(filter(None, sources))
    first_with: dict[tuple[str, ...], int] = {}
    for index, (listed, person, source) in enumerate(zip(photos, people, sources, strict=True)):
        stem = listed.path.stem if source is None else source
        keys = []
        if stem == "":  # augmented, but nothing says from what: all such stay together
            keys.append(("augmented",))
        elif stem in stems_with_copies:
            keys.append(("stem", listed.class_name, stem))
        if original := cut_from(listed.path):  # faces of one photo share its light and its camera
            keys.append(("photo", original))
        if person:
            keys.append(("person", person))
        for key in keys:
            yield first_with.setdefault(key, index), index


def components(count: int, pairs: list) -> np.ndarray:
    """Number the connected components of `count` photos linked by pairs of indices."""
    links = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(links), bool), (links[:, 0], links[:, 1])), (count, count))
    return connected_components(graph, directed=False)[1]


def clusters(components: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """The components of more than one photo, as indices."""
    members: dict[int, list[int]] = defaultdict(list)
    for index, component in enumerate(components.tolist()):
        members[component].append(index)
    return tuple(tuple(indices) for indices in members.values() if len(indices) > 1)
