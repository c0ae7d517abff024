import numpy as np
import pytest
from matplotlib.image import imread

from napari_ptycho.assess.figure import scale_bar
from napari_ptycho.assess.picture import (
    in_colour,
    numbers,
    told_of_positions,
    write_picture,
    write_thumbnail,
)
from napari_ptycho.errors import FileError
from napari_ptycho.model import Reconstruction, Scan


@pytest.mark.parametrize(
    ("width", "pixel", "length", "label"),
    [
        (500, None, 100, "100 px"),
        (400, 10e-9, 50, "500 nm"),
        (512, 25e-9, 80, "2 µm"),
        (200, 1e-9, 20, "20 nm"),
        (256, 20e-9, 50, "1 µm"),
    ],
)
def test_the_scale_bar_is_a_round_length(width, pixel, length, label):
    assert scale_bar(width, pixel) == (pytest.approx(length), label)


def test_hue_is_phase_and_brightness_amplitude():
    wave = np.array([[1, 0.5j, 0, -1]], np.complex64)
    colour = in_colour(wave)
    assert colour.shape == (1, 4, 3)
    np.testing.assert_allclose(colour[0, 0], [1, 0.25, 0.25], atol=1e-6)
    np.testing.assert_allclose(colour[0, 2], 0, atol=1e-12)
    assert colour.min() >= 0
    assert colour.max() <= 1


def result(**fields):
    probe = np.ones((2, 8, 8), np.complex64)
    corners = np.array([[2.0, 2.0], [4.0, 6.0]])
    return Reconstruction(np.ones((16, 20), np.complex64), probe, corners, name="star", **fields)


def test_the_numbers_say_what_is_known():
    assert numbers(result()).split("   ·   ") == [
        "star",
        "2 patterns",
        "2 probe modes",
        "pixel size unknown",
    ]
    told = numbers(result(errors=(0.5, 0.25), pixel_size_m=(1e-8, 1e-8)))
    assert "2 epochs   ·   error 0.2500   ·   pixel 10 nm" in told


def test_a_dark_scan_without_errors_can_be_drawn(tmp_path):
    scan = Scan(np.zeros((2, 8, 8), np.uint16), positions_px=np.array([[0.0, 0], [2, 4]]))
    write_picture(result(), scan, tmp_path / "out.png")
    assert (tmp_path / "out.png").stat().st_size > 10_000
    with pytest.raises(FileError, match="does not exist"):
        write_picture(result(), scan, tmp_path / "no" / "out.png")


def test_positions_are_coloured_by_shift_or_else_by_error(tmp_path):
    errors = {"frame_errors": np.array([0.1, 0.3])}
    moves = {**errors, "position_moves_px": np.array([[3.0, 4.0], [0.0, 1.0]])}
    assert told_of_positions(result()) is None
    title, values = told_of_positions(result(extras=errors))
    assert (title, values.tolist()) == ("error of each frame", [0.1, 0.3])
    title, values = told_of_positions(result(extras=moves))
    assert (title, values.tolist()) == ("positions moved by 3 px (median)", [5, 1])
    scan = Scan(np.ones((2, 8, 8), np.uint16), positions_px=np.array([[0.0, 0], [2, 4]]))
    sizes = set()
    for extras in ({}, errors, moves):
        write_picture(result(extras=extras), scan, tmp_path / "out.png")
        sizes.add((tmp_path / "out.png").stat().st_size)
    assert len(sizes) == 3


def test_errors_that_are_all_zero_can_be_drawn(tmp_path):
    scan = Scan(np.ones((2, 8, 8), np.uint16), positions_px=np.array([[0.0, 0], [2, 4]]))
    zero = result(errors=(0.5,), extras={"frame_errors": np.zeros(2)})
    write_picture(zero, scan, tmp_path / "out.png")
    assert (tmp_path / "out.png").exists()


def test_a_thumbnail_shows_the_phase_in_few_pixels(tmp_path):
    image = np.ones((600, 400), np.complex64)
    image[90:210, 60:180] = np.exp(0.5j)
    tall = Reconstruction(image, np.ones((1, 600, 400), np.complex64), np.zeros((1, 2)))
    write_thumbnail(tall, tmp_path / "small.png")
    shown = imread(tmp_path / "small.png")[..., 0]
    assert shown.shape == (200, 134)
    assert shown[35:65, 25:55].min() > 0.5 > shown[100:].max()
    write_thumbnail(result(), tmp_path / "flat.png")
    assert imread(tmp_path / "flat.png").shape[:2] == (10, 12)
