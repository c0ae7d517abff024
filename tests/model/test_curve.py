import numpy as np
import pytest

from napari_ptycho.errors import ScanError
from napari_ptycho.model import Curve


def test_a_curve_holds_floats():
    curve = Curve([0, 1], [2, 3], "px", "", "error", {"1/7": [0.14, 0.14]})
    assert curve.x.dtype == curve.y.dtype == curve.thresholds["1/7"].dtype == np.float64


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (([0, 1], [2, 3, 4]), "y"),
        (([[0, 1]], [[2, 3]]), "y"),
        (([0, 1], [2, 3], "", "", "frc", {"1/7": [1]}), "1/7"),
    ],
)
def test_lengths_must_agree(values, name):
    with pytest.raises(ScanError, match=f"{name} has shape .* need one value per x"):
        Curve(*values)
