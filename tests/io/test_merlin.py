"""Frames of a Merlin detector, their headers written field by field."""

import numpy as np
import pytest

from napari_ptycho.errors import FileError, NeedsPositions
from napari_ptycho.io import read_scan
from napari_ptycho.io.layout import Layout

ROWS = Layout(raster_rows=3, raster_columns=4, step_y=20, step_x=10, position_unit="nm")
TYPES = {"U08": ">u1", "U16": ">u2", "U32": ">u4"}


def header(number, length, chips, shape, kind):
    height, width = shape
    text = (
        f"MQ1,{number:06d},{length:05d},{chips:02d},{width:04d},{height:04d},{kind},   1x1,01,"
        "2018-02-12 16:24:58.541580,0.001000,0,0,0,1.200000E+2,5.110000E+2,0.0E+0,3RX,175,511,"
    )
    return text.encode().ljust(length)


@pytest.fixture
def mib(tmp_path, counts):
    def write(kind="U16", length=384, chips=1, frames=counts):
        path = tmp_path / "made.mib"
        with path.open("wb") as file:
            for number, frame in enumerate(frames, 1):
                file.write(header(number, length, chips, frame.shape, kind))
                file.write(frame.astype(TYPES.get(kind, ">u2")).tobytes())
        return path

    return write


@pytest.mark.parametrize("lazily", [False, True])
@pytest.mark.parametrize("length", [384, 768, 1024])
@pytest.mark.parametrize("kind", TYPES)
def test_frames_with_a_header_each(mib, counts, kind, length, lazily):
    counts = np.minimum(counts, 200)
    path = mib(kind, length, frames=counts)
    scan = read_scan(path, layout=ROWS, lazy_above_bytes=0 if lazily else 2**30)
    assert scan.is_lazy == lazily
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_allclose(scan.positions_m[[1, 4]], [(0, 10e-9), (20e-9, 0)])
    assert scan.geometry.energy_ev is None
    assert scan.name == "made"


def test_large_counts_have_the_high_byte_first(mib, counts):
    counts = counts * 70
    np.testing.assert_array_equal(
        read_scan(mib("U32", frames=counts), layout=ROWS).patterns, counts
    )


def test_without_positions_the_rasters_are_named(mib):
    with pytest.raises(NeedsPositions, match=r"holds 12 frames .* rows x columns that fit: 3 x 4"):
        read_scan(mib())


@pytest.mark.parametrize("line", ["Frames per Trigger (Number):\t4", "ScanX:\t4"])
def test_the_table_beside_it_tells_the_line(mib, counts, line):
    path = mib()
    path.with_suffix(".hdr").write_text(
        f"HDR,\nFrames in Acquisition (Number):\t12\r\n{line}\r\nEnd\t"
    )
    with pytest.raises(NeedsPositions, match="the steps of a raster of 3 x 4"):
        read_scan(path)
    scan = read_scan(path, layout=Layout(step_y=1, position_unit="nm"))
    np.testing.assert_allclose(scan.positions_m[5], (1e-9, 1e-9))
    assert any("made.hdr: '" in note and "is 4" in note for note in scan.notes)


@pytest.mark.parametrize("columns", [1, 5])
def test_a_line_that_does_not_fit_is_not_used(mib, columns):
    path = mib()
    path.with_suffix(".hdr").write_text(f"HDR,\nFrames per Trigger (Number):\t{columns}\nEnd\t")
    with pytest.raises(NeedsPositions, match="that fit: 3 x 4"):
        read_scan(path)


def test_a_last_frame_cut_short_is_left_out(mib, counts):
    path = mib()
    path.write_bytes(path.read_bytes()[:-10])
    scan = read_scan(path, layout=ROWS)
    np.testing.assert_array_equal(scan.patterns, counts[:11])
    stride = 384 + 32 * 24 * 2
    assert f"The last frame is cut short ({stride - 10} of {stride} bytes)" in "".join(scan.notes)


def test_a_file_with_less_than_a_frame_is_incomplete(mib):
    path = mib()
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(FileError, match=r"made.mib: the file is incomplete, 500 bytes of 1.92 kB"):
        read_scan(path)


def test_packed_frames_are_refused(mib):
    with pytest.raises(FileError, match=r"its frames are R64; .* save them as U08, U16 or U32"):
        read_scan(mib("R64"), layout=ROWS)


def test_frames_out_of_step_are_damaged(mib):
    path = mib()
    content = path.read_bytes()
    path.write_bytes(content[:900] + content[910:] + bytes(10))
    with pytest.raises(FileError, match=r"no frame begins at byte"):
        read_scan(path, layout=ROWS)
    path.write_bytes(content[: 11 * 1920] + content[11 * 1920 :].replace(b"U16", b"U32", 1))
    with pytest.raises(FileError, match="its last frame is not like the first"):
        read_scan(path, layout=ROWS)


@pytest.mark.parametrize("shape", [(0, 24), (32, 0)])
def test_impossible_headers_are_refused(tmp_path, shape):
    (tmp_path / "x.mib").write_bytes(header(1, 384, 1, shape, "U16") + bytes(2000))
    with pytest.raises(FileError, match="the file is damaged"):
        read_scan(tmp_path / "x.mib", layout=ROWS)
