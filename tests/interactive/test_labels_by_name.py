"""Labels from outside that number the session's structures differently."""

from __future__ import annotations

import numpy as np
import pytest

from ivos.errors import InputError
from tests.interactive.scenes import SHAPE, session_on


def test_labels_find_the_structures_of_their_names() -> None:
    session = session_on()
    names = {structure.id: structure.name for structure in session.structures}
    free = max(names) + 1
    session.add(free, "spleen")
    session.add(free + 1, "liver")
    array = np.zeros(SHAPE, np.uint8)
    array[2, 1:4, 1:4], array[3, 1:3, 1:3], array[4, 5, 5] = 1, 2, 3
    session.load_labels(session.labels.with_array(array, {1: "Liver", 2: "spleen", 3: "aorta"}))
    found = {structure.name: structure.id for structure in session.structures}
    assert (session.labels.array == free + 1).sum() == 9
    assert (session.labels.array == free).sum() == 4
    assert (session.labels.array == found["aorta"]).sum() == 1
    assert found["liver"] == free + 1
    before = session.labels.array.copy()
    with pytest.raises(InputError, match=r"label .* is 'kidney' in labels to load and 'spleen'.*; rename one of them"):
        session.load_labels(session.labels.with_array(np.where(array == 2, np.uint8(free), 0), {free: "kidney"}))
    np.testing.assert_array_equal(session.labels.array, before)
