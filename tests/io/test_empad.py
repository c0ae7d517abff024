"""Frames of an EMPAD: 130 x 128 float32, the last two rows without meaning."""

import numpy as np
import pytest

from napari_ptycho.errors import FileError, NeedsPositions
from napari_ptycho.io import read_scan
from napari_ptycho.io.layout import Layout

STEPS = Layout(step_y=3, step_x=3, position_unit="A")


@pytest.fixture
def raw(tmp_path, rng):
    """Write 9 frames and return path and frames."""
    y, x = np.ogrid[:128, :128]
    mean = 500 * np.exp(-((y - 64) ** 2 + (x - 64) ** 2) / 400) + 0.1
    frames = rng.poisson(mean, (9, 128, 128)).astype("<f4") * np.float32(1.25)
    stored = np.full((9, 130, 128), 7777, "<f4")
    stored[:, :128] = frames
    path = tmp_path / "scan_x3_y3.raw"
    path.write_bytes(stored.tobytes())
    return path, frames


@pytest.mark.parametrize("lazily", [False, True])
def test_a_square_scan(raw, lazily):
    path, frames = raw
    scan = read_scan(path, layout=STEPS, lazy_above_bytes=0 if lazily else 2**30)
    np.testing.assert_array_equal(scan.patterns, frames)
    np.testing.assert_allclose(scan.positions_m[5], (3e-10, 6e-10))
    assert scan.geometry.particle == "electron"
    assert any("EMPAD" in note for note in scan.notes)


def test_its_raster_is_named(raw):
    with pytest.raises(NeedsPositions, match=r"9 frames of an EMPAD .* raster of 3 x 3"):
        read_scan(raw[0])


def test_negative_readings_are_masked_not_refused(raw):
    path, _ = raw
    stored = np.fromfile(path, "<f4").reshape(9, 130, 128)
    stored[:, 3, 4] = -0.5
    path.write_bytes(stored.tobytes())
    scan = read_scan(path, layout=STEPS)
    assert np.argwhere(~scan.valid).tolist() == [[3, 4]]


@pytest.mark.parametrize(
    "content",
    [
        bytes(130 * 128 * 4),
        b"text that has the size".ljust(130 * 128 * 4),
        np.full((130, 128), np.nan, "<f4").tobytes(),
        np.full((130, 128), 1e20, "<f4").tobytes(),
        np.ones((130, 128), "<f4").tobytes() + b"1",
    ],
    ids=["zeros", "text", "nan", "huge", "size"],
)
def test_what_cannot_be_frames_is_not_taken_for_them(tmp_path, content):
    (tmp_path / "x.raw").write_bytes(content)
    with pytest.raises(FileError, match=r"x.raw: this is "):
        read_scan(tmp_path / "x.raw")


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"\0\0\0\x03\0\0\0\x20", r"\(DM3\) file; open it in HyperSpy"),
        (b"\0\0\0\x04\0\0\0\0", r"\(DM4\) file; open it in HyperSpy"),
        (b"II\x97\x01", r"TIA \(.ser\) file; open it in HyperSpy"),
    ],
)
def test_formats_of_microscopes_that_are_not_read_say_how_to_convert(tmp_path, head, what):
    (tmp_path / "x.dm").write_bytes(head.ljust(130 * 128 * 4, b"\x01"))
    with pytest.raises(FileError, match=what):
        read_scan(tmp_path / "x.dm")
