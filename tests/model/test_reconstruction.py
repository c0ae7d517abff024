import numpy as np
import pytest

from napari_ptycho.errors import ScanError
from napari_ptycho.model import Reconstruction

PARTS = {
    "object": np.ones((20, 30), complex),
    "probe": np.ones((2, 8, 6), complex),
    "positions_px": np.array([[0.0, 0.0], [12.4, 24.3]]),
}


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"object": np.ones((1, 20, 30))}, "object has shape (1, 20, 30); need (H, W)"),
        ({"object": np.ones((0, 30))}, "object has shape (0, 30)"),
        ({"probe": np.ones((8, 6))}, "probe has shape (8, 6); need (M, h, w)"),
        ({"probe": np.ones((0, 8, 6))}, "probe has shape (0, 8, 6)"),
        ({"positions_px": np.ones(2)}, "positions_px has shape (2,); need (N, 2)"),
        ({"positions_px": np.ones((0, 2))}, "there is no position"),
        ({"positions_px": np.array([[0, -1]])}, "every window must lie inside it"),
        ({"positions_px": np.array([[13, 0]])}, "windows span [13  0] to [21  6]"),
        ({"object": np.full((20, 30), np.nan)}, "object holds 600 values that are not finite"),
        ({"probe": np.full((1, 8, 6), np.inf)}, "probe holds 48 values"),
        ({"positions_px": np.array([[0, np.nan]])}, "positions_px holds 1 values"),
    ],
)
def test_each_refusal_is_a_sentence(parts, sentence):
    with pytest.raises(ScanError) as caught:
        Reconstruction(**{**PARTS, **parts}, name="star")
    assert str(caught.value).startswith("star: ")
    assert sentence in str(caught.value)


def test_types_are_fixed_and_arrays_frozen():
    one = Reconstruction(**PARTS, errors=np.array([0.5, 0.25]))
    assert one.object.dtype == one.probe.dtype == np.complex64
    assert one.positions_px.dtype == np.float64
    assert one.errors == (0.5, 0.25)
    assert one.n_modes == 2
    with pytest.raises(ValueError, match="read-only"):
        one.object[0, 0] = 0
