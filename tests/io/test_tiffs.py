"""Frames in TIFF: stacks, and folders with one file per frame."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile

from napari_ptycho.errors import FileError, NeedsPositions, ScanError
from napari_ptycho.io import read_reconstruction, read_scan
from napari_ptycho.io.formats.tiffs import Pages
from napari_ptycho.io.layout import Layout

ROWS = Layout(raster_rows=3, raster_columns=4, step_y=20, step_x=10, position_unit="px")
EPICS = [(65000, "d", 1, 1.5, True), (65010, "s", 0, "ColorMode:0", True)]
WAYS = {
    "plain": {},
    "big-endian": {"byteorder": ">"},
    "bigtiff": {"bigtiff": True},
    "packed": {"compression": "zlib"},
    "tiles": {"tile": (16, 16)},
    "strips": {"rowsperstrip": 5, "compression": "zlib"},
    "imagej": {"imagej": True},
    "ome": {"ome": True, "metadata": {"axes": "TYX"}},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("lazily", [False, True])
def test_a_stack(tmp_path, counts, way, lazily):
    path = tmp_path / "stack.tif"
    usual = {"metadata": None} if way not in ("imagej", "ome") else {}
    tifffile.imwrite(path, counts.astype(np.uint16), **{**usual, **WAYS[way]})
    scan = read_scan(path, layout=ROWS, lazy_above_bytes=0 if lazily else 2**30)
    assert scan.is_lazy == lazily
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_array_equal(scan.positions_px[[1, 4]], [(0, 10), (20, 0)])
    if lazily:
        np.testing.assert_array_equal(scan.patterns[7].compute(), counts[7])


def test_packed_pages_are_read_by_many_at_once_and_after_pickling(tmp_path, rng):
    frames = rng.integers(0, 999, (60, 64, 64), np.uint16)
    tifffile.imwrite(tmp_path / "stack.tif", frames, compression="zlib", metadata=None)
    with tifffile.TiffFile(tmp_path / "stack.tif") as file:
        pages = Pages(tmp_path / "stack.tif", 60, file.pages.first)
    with ThreadPoolExecutor(8) as pool:
        for number, frame in enumerate(pool.map(pages.__getitem__, list(range(60)) * 5)):
            np.testing.assert_array_equal(frame, frames[number % 60])
    again = pickle.loads(pickle.dumps(pages))
    pages.close()
    np.testing.assert_array_equal(again[3:7], frames[3:7])
    again.close()


def test_a_stack_without_positions_names_the_rasters(tmp_path, counts):
    tifffile.imwrite(tmp_path / "stack.tif", counts.astype(np.uint16))
    with pytest.raises(NeedsPositions, match=r"stack.tif: holds 12 TIFF images .* fit: 3 x 4"):
        read_scan(tmp_path / "stack.tif")


def test_one_image_is_no_scan(tmp_path, counts):
    tifffile.imwrite(tmp_path / "one.tif", counts[0].astype(np.uint16))
    with pytest.raises(ScanError, match=r"one.tif: holds one image, .* open the folder"):
        read_scan(tmp_path / "one.tif")
    with pytest.raises(FileError, match="not a reconstruction"):
        read_reconstruction(tmp_path / "one.tif")


def test_colours_are_no_counts(tmp_path):
    tifffile.imwrite(tmp_path / "rgb.tif", np.ones((4, 16, 16, 3), np.uint8), photometric="rgb")
    with pytest.raises(ScanError, match=r"shape \(16, 16, 3\); need \(H, W\)"):
        read_scan(tmp_path / "rgb.tif", layout=ROWS)


@pytest.fixture
def series(tmp_path, counts):
    """A folder with a file per frame, their numbers without zeros in front, tags of EPICS."""
    folder = tmp_path / "run7"
    folder.mkdir()
    for number, frame in enumerate(counts):
        name = f"scan_12_frame{number + 95}_v2.tif"
        tifffile.imwrite(folder / name, frame.astype(np.uint16), extratags=EPICS)
    return folder


@pytest.mark.parametrize("lazily", [False, True])
def test_a_folder_is_read_by_the_number_that_changes(series, counts, lazily):
    (series / "notes.md").write_text("not a frame")
    scan = read_scan(series, layout=ROWS, lazy_above_bytes=0 if lazily else 2**30)
    np.testing.assert_array_equal(scan.patterns, counts)
    assert scan.name == "run7"
    order = "12 files were read in the order scan_12_frame95_v2.tif ... scan_12_frame106_v2.tif."
    assert order in scan.notes


def test_other_images_in_the_folder_are_left_out_and_named(series, counts):
    tifffile.imwrite(series / "dark.tif", counts[0].astype(np.uint16))
    scan = read_scan(series, layout=ROWS)
    assert len(scan) == 12
    assert any("1 other TIFF files (dark.tif, ...)" in note for note in scan.notes)


def test_a_table_of_positions_in_the_folder_is_used(series, counts, positions):
    (series / "Positions_m.csv").write_text(
        "y_m,x_m\n" + "\n".join(f"{y},{x}" for y, x in positions.tolist())
    )
    scan = read_scan(series)
    np.testing.assert_allclose(scan.positions_m, positions)
    assert any("read from Positions_m.csv" in note for note in scan.notes)
    assert "positions_px" in read_scan(series, layout=ROWS).sources
    (series / "positions.txt").write_text("two are one too many")
    with pytest.raises(NeedsPositions, match="run7: holds 12 TIFF images"):
        read_scan(series)


def test_a_frame_of_another_shape_is_named(series, counts):
    tifffile.imwrite(series / "scan_12_frame99_v2.tif", counts[0, 1:].astype(np.uint16))
    sentence = (
        r"scan_12_frame99_v2.tif: page 0 is uint16 of shape \(31, 24\), but the first frame is "
        r"uint16 of shape \(32, 24\)"
    )
    with pytest.raises(FileError, match=sentence):
        read_scan(series, layout=ROWS)


@pytest.mark.parametrize("content", [b"", b"II*\x00\x08\x00\x00\x00" + bytes(90), b"<html>" * 9])
def test_a_broken_file_of_a_series_is_named(series, content):
    (series / "scan_12_frame100_v2.tif").write_bytes(content)
    with pytest.raises(FileError, match=r"scan_12_frame100_v2.tif: "):
        read_scan(series, layout=ROWS)


def test_a_folder_of_stacks_is_one_scan(tmp_path, counts):
    for line in range(3):
        part = counts[4 * line : 4 * line + 4].astype(np.uint16)
        name = tmp_path / f"line_{line}.tif"
        tifffile.imwrite(name, part, metadata=None, photometric="minisblack")
    np.testing.assert_array_equal(read_scan(tmp_path, layout=ROWS).patterns, counts)
    other = np.ones((4, 8, 8), np.uint16)
    tifffile.imwrite(tmp_path / "line_1.tif", other, photometric="minisblack")
    with pytest.raises(FileError, match=r"line_1.tif: frames are uint16 of shape \(8, 8\), but"):
        read_scan(tmp_path, layout=ROWS)


def test_a_folder_with_one_image_is_no_scan(tmp_path, counts):
    tifffile.imwrite(tmp_path / "one.tif", counts[0].astype(np.uint16))
    with pytest.raises(FileError, match="is a folder; give the file inside it"):
        read_scan(tmp_path)


def test_pages_of_different_shapes_are_refused(tmp_path, counts):
    path = tmp_path / "mixed.tif"
    with tifffile.TiffWriter(path) as file:
        for frame in (counts[0], counts[1], counts[2, 1:]):
            file.write(frame.astype(np.uint16), metadata=None, contiguous=False)
    with pytest.raises(FileError, match=r"not alike: \(32, 24\) and \(31, 24\)"):
        read_scan(path, layout=ROWS)


@pytest.mark.parametrize("way", ["plain", "packed"])
@pytest.mark.parametrize("at", [0.2, 0.6, 0.98])
def test_a_stack_cut_short_is_a_sentence(tmp_path, counts, way, at):
    tifffile.imwrite(tmp_path / "whole.tif", counts.astype(np.uint16), metadata=None, **WAYS[way])
    whole = (tmp_path / "whole.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: int(at * len(whole))])
    with pytest.raises(FileError, match=r"cut.tif: "):
        read_scan(tmp_path / "cut.tif", layout=ROWS)


@pytest.mark.real
def test_an_image_of_a_microscope_is_no_scan_but_its_folder_may_be(real_data):
    images = sorted((real_data / "frc").glob("*.tif"))
    with pytest.raises(ScanError, match="holds one image"):
        read_scan(images[0])
