"""What is written can be read again, by what others use."""

import csv
import json

import h5py
import numpy as np
import pytest
import tifffile
from matplotlib import image as pictures

from napari_ptycho import io
from napari_ptycho.assess.export import write_curves, write_map, write_table
from napari_ptycho.errors import FileError, OptionsError
from napari_ptycho.model import Curve


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.fixture
def image(rng):
    image = rng.standard_normal((40, 60))
    image[:10, :20] = np.nan
    return image


def write(path, image, **how):
    fields = {
        "pixel_m": (20e-9, 10e-9),
        "title": "difference: a - b",
        "unit": "rad",
        "limits": (-2.0, 2.0),
        "colormap": "RdBu_r",
        "about": {"kind": "absolute"},
    }
    write_map(path, image, **{**fields, **how})


def test_a_table(tmp_path):
    path = tmp_path / "table.csv"
    write_table(path, ["name", "rms (µm)"], [["a, b", 0.125], ["c", None], ["d", float("nan")]])
    assert rows_of(path) == [["name", "rms (µm)"], ["a, b", "0.125"], ["c", ""], ["d", ""]]


def test_a_row_that_does_not_fit(tmp_path):
    with pytest.raises(OptionsError, match="row 2 has 1 values; need 2"):
        write_table(tmp_path / "table.csv", ["a", "b"], [[1, 2], [3]])
    assert not list(tmp_path.iterdir())


def test_curves_share_an_x_and_keep_their_thresholds(tmp_path):
    path = tmp_path / "curves.csv"
    x = [0.0, 0.25, 0.5]
    first = Curve(x, [1, 0.5, 0.1], "c/px", "FRC", "raw", {"1/7": [1 / 7] * 3})
    second = Curve(x, [1, 0.7, 0.2], "c/px", "FRC", "DIP")
    third = Curve([0, 10], [3, 4], "nm", "", "")
    write_curves(path, [first, second, third])
    titles, *rows = rows_of(path)
    assert titles == [
        "raw: x (c/px)",
        "raw: y (FRC)",
        "raw: threshold 1/7",
        "DIP: y (FRC)",
        "curve 3: x (nm)",
        "curve 3: y",
    ]
    assert rows[1] == ["0.25", "0.5", "0.1428571429", "0.7", "10", "4"]
    assert rows[2][-2:] == ["", ""]


def test_no_curve_is_no_file(tmp_path):
    with pytest.raises(OptionsError, match="no curve to write"):
        write_curves(tmp_path / "none.csv", [])


def test_a_map_as_hdf5(tmp_path, image):
    write(tmp_path / "map.h5", image)
    with h5py.File(tmp_path / "map.h5") as file:
        data = file["map"]
        np.testing.assert_allclose(data[()], image, rtol=1e-6)
        assert data.attrs["unit"] == "rad"
        assert data.attrs["title"] == "difference: a - b"
        np.testing.assert_array_equal(data.attrs["pixel_size_m"], (20e-9, 10e-9))
        assert json.loads(data.attrs["about"]) == {"kind": "absolute"}
    write(tmp_path / "px.h5", image, pixel_m=None)
    with h5py.File(tmp_path / "px.h5") as file:
        assert "pixel_size_m" not in file["map"].attrs


def test_a_map_as_tiff(tmp_path, image):
    write(tmp_path / "map.tif", image)
    np.testing.assert_allclose(tifffile.imread(tmp_path / "map.tif"), image, rtol=1e-6)
    about = io.about_image(tmp_path / "map.tif")
    assert about["unit"] == "rad"
    assert about["pixel_size_m"] == [20e-9, 10e-9]
    assert about["kind"] == "absolute"


def test_a_map_as_a_picture_has_its_colours_and_both_bars(tmp_path):
    path = tmp_path / "map.png"
    write(path, np.full((50, 50), 2.0), pixel_m=(10e-9, 10e-9))
    picture = pictures.imread(path)[..., :3]
    end = np.array([103, 0, 31]) / 255  # of RdBu_r
    share = (np.abs(picture - end).max(axis=-1) < 0.01).mean()
    assert share > 0.4
    white = (picture > 0.99).all(axis=-1)
    # a bar of 100 nm: a fifth of the image
    longest = max(int(np.diff(np.flatnonzero(np.diff(row))).max(initial=0)) for row in white)
    image_px = int((np.abs(picture - end).max(axis=-1) < 0.01).any(axis=0).sum())
    assert longest == pytest.approx(image_px / 5, rel=0.1)


def test_what_cannot_be_written(tmp_path, image):
    with pytest.raises(FileError, match=r"map\.jpg: maps are written to \.png"):
        write(tmp_path / "map.jpg", image)
    with pytest.raises(OptionsError, match="no colormap is called 'mud'"):
        write(tmp_path / "map.png", image, colormap="mud")
    with pytest.raises(FileError, match="does not exist"):
        write(tmp_path / "none" / "map.png", image)
    assert not list(tmp_path.iterdir())
