"""The axis of a stack of slices."""

from __future__ import annotations

import numpy as np
import pytest

from ivos.errors import InputError
from ivos.types import Axis


def test_an_axis_is_a_number_a_plane_and_its_own_text() -> None:
    assert [f"{axis}" for axis in Axis] == [axis.plane for axis in Axis] == ["axial", "coronal", "sagittal"]
    assert np.zeros((4, 5, 6)).shape[Axis.CORONAL] == 5
    assert Axis.parse("sagittal") is Axis.parse(Axis.SAGITTAL) is Axis.SAGITTAL


@pytest.mark.parametrize("name", ["", "Axial", "z", "0"])
def test_another_name_is_refused_with_the_choices(name: str) -> None:
    with pytest.raises(InputError, match=f"axis '{name}': choose one of axial, coronal, sagittal"):
        Axis.parse(name)
