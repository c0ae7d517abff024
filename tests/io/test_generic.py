"""HDF5 files read by a layout: what it names is what the scan holds."""

import h5py
import numpy as np
import pytest

from napari_ptycho.errors import FileError, NeedsPositions, OptionsError, ScanError
from napari_ptycho.io import draft, read_scan
from napari_ptycho.io.layout import Layout
from napari_ptycho.prepare.detector import DetectorOptions

N, H, W = 12, 32, 24


def said(**values):
    return Layout(**{"frames": "f", "positions": "p", "position_unit": "m", **values})


def has(notes, *parts):
    return any(all(part in note for part in parts) for note in notes)


def test_frames_and_positions_by_their_paths(made, counts, positions):
    scan = read_scan(made(), layout=said(frames="/f"))
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_allclose(scan.positions_m, positions)
    assert scan.sources["patterns"] == "file: /f"
    assert scan.sources["positions_m"] == "file: /p"
    assert scan.sources["energy_ev"] == "unknown"
    assert scan.geometry.pixel_size_m((H, W)) is None
    assert scan.valid.all()


def test_what_is_not_there_is_said(made):
    path = made({"text": "words", "flat": np.ones((H, W))})
    with pytest.raises(
        ScanError, match=r"made\.h5: no dataset 'q', which a file of this layout must"
    ):
        read_scan(path, layout=said(frames="q"))
    with pytest.raises(ScanError, match=r"'flat' has shape \(32, 24\); need one axis or more for"):
        read_scan(path, layout=said(frames="flat"))
    with pytest.raises(ScanError, match=r"'text' has shape \(\); need one axis or more"):
        read_scan(path, layout=said(frames="text"))
    with pytest.raises(NeedsPositions, match="holds 12 frames but no positions"):
        read_scan(path, layout=Layout(frames="f"))
    with pytest.raises(ScanError, match="holds no 'nowhere'"):
        read_scan(path, layout=said(positions="nowhere"))


def test_broken_links_are_named(made):
    path = made()
    with h5py.File(path, "a") as file:
        file["gone"] = h5py.ExternalLink("gone.h5", "/data")
    with pytest.raises(FileError, match=r"gone\.h5"):
        read_scan(path, layout=said(frames="gone"))
    with pytest.raises(FileError, match=r"gone\.h5"):
        read_scan(path, layout=said(mask="gone"))


def test_frames_of_a_raster_are_taken_row_by_row(made, counts):
    parts = {
        "g": counts.reshape(3, 4, H, W),
        "y": np.arange(3) * 2e-6,
        "x": np.arange(4) * 3e-6,
    }
    layout = said(frames="g", positions="", positions_y="y", positions_x="x")
    scan = read_scan(made(parts), layout=layout)
    np.testing.assert_array_equal(scan.patterns, counts)
    expected = [(2e-6 * row, 3e-6 * column) for row in range(3) for column in range(4)]
    np.testing.assert_allclose(scan.positions_m, expected)
    assert scan.sources["positions_m"] == "file: /y, /x"
    assert has(scan.notes, "'g' holds 3 x 4 frames; they are taken row by row.")


def test_frames_in_the_first_axes(made, counts, positions, rng):
    dark = rng.integers(0, 2, (H, W)).astype(bool)
    parts = {"g": counts.transpose(1, 2, 0), "m": dark}
    layout = said(frames="g", frame_axes="first", mask="m", mask_means="1 bad")
    scan = read_scan(made(parts), layout=layout)
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_allclose(scan.positions_m, positions)
    np.testing.assert_array_equal(scan.valid, ~dark)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_place_on_an_extra_axis(made, counts, axis):
    stack = np.stack([counts, counts + 1, counts + 2], axis=axis)
    which = "first" if axis == 0 else "second"
    parts = {"g": stack, "e": [7000.0, 8000.0, 9000.0]}
    path = made(parts, {"e": "eV"})
    layout = said(frames="g", extra_axis=which, extra_index=2, energy="e")
    scan = read_scan(path, layout=layout)
    np.testing.assert_array_equal(scan.patterns, counts + 2)
    assert scan.geometry.energy_ev == 9000
    with pytest.raises(ScanError, match="has 3 places; there is none of number 3"):
        read_scan(path, layout=said(frames="g", extra_axis=which, extra_index=3))
    with pytest.raises(ScanError, match="it has no extra axis"):
        read_scan(path, layout=said(extra_axis="second"))


@pytest.mark.parametrize("shape", ["(N,2)", "(2,N)", "(N,3)", "(3,N)"])
@pytest.mark.parametrize("order", ["yx", "xy"])
def test_one_dataset_of_positions(made, positions, shape, order):
    stored = positions if order == "yx" else positions[:, ::-1]
    if "3" in shape:
        stored = np.column_stack([stored, np.full(N, 5.0)])
    stored = stored.T if shape.endswith("N)") else stored
    scan = read_scan(made({"q": stored}), layout=said(positions="q", position_order=order))
    np.testing.assert_allclose(scan.positions_m, positions)


@pytest.mark.parametrize(
    ("unit", "factor"), [("mm", 1e-3), ("um", 1e-6), ("nm", 1e-9), ("A", 1e-10)]
)
def test_units_of_positions(made, positions, unit, factor):
    stored = positions / factor
    told = read_scan(made({"q": stored}), layout=said(positions="q", position_unit=unit))
    np.testing.assert_allclose(told.positions_m, positions)
    attribute = {"A": "angstrom"}.get(unit, unit)
    path = made({"q": stored}, {"q": attribute})
    found = read_scan(path, layout=said(positions="q", position_unit="auto"))
    np.testing.assert_allclose(found.positions_m, positions)


def test_positions_in_pixels_turned_and_scaled(made):
    pixels = np.arange(2 * N).reshape(N, 2) ** 1.5
    layout = said(positions="q", position_unit="px", flip_y=True, position_scale=2.0)
    scan = read_scan(made({"q": pixels}), layout=layout)
    assert scan.positions_m is None
    np.testing.assert_allclose(scan.positions_px, pixels * [-2, 2])


def test_a_second_file_wins_over_positions_of_the_layout(made, tmp_path, positions):
    np.save(tmp_path / "p.npy", positions * 3)
    layout = Layout(frames="f", position_unit="m")
    scan = read_scan(made(), layout=layout, positions=tmp_path / "p.npy")
    np.testing.assert_allclose(scan.positions_m, positions * 3)


def test_first_last_every(made, counts, positions):
    scan = read_scan(made(), layout=said(first=2, last=11, every=3))
    np.testing.assert_array_equal(scan.patterns, counts[2:11:3])
    np.testing.assert_allclose(scan.positions_m, positions[2:11:3])


def test_frames_are_turned_then_cut(made, counts):
    lone = counts.copy()
    lone[:, 3, 5] = 999
    detector = DetectorOptions(size=16)
    scan = read_scan(made({"g": lone}), layout=said(frames="g", orientation=4), detector=detector)
    transposed = lone.transpose(0, 2, 1)
    np.testing.assert_array_equal(scan.patterns, transposed[:, 4:20, 8:24])


def test_the_layout_corrects_files_of_known_formats_too(cxi, counts, positions):
    path = cxi()
    dark = np.ones((H, W))
    with h5py.File(path, "a") as file:
        file["d"] = dark
        file["p"] = positions * 2
        file["z"] = 3.0
    layout = Layout(dark="d", positions="p", position_unit="m", distance="z")
    scan = read_scan(path, layout=layout)
    good = counts >= 1
    np.testing.assert_array_equal(scan.valid, good)
    np.testing.assert_array_equal(scan.patterns[good], counts[good] - 1)
    np.testing.assert_allclose(scan.positions_m, positions * 2)
    assert scan.geometry.distance_m == 3
    assert scan.sources["distance_m"] == "file: /z"


def test_paths_need_an_hdf5_file(npz, counts, positions):
    path = npz(data=counts, positions_m=positions)
    with pytest.raises(
        OptionsError, match=r"layout\.mask is a path in an HDF5 file, but made\.npz is"
    ):
        read_scan(path, layout=Layout(mask="m"))


def test_frames_behind_an_external_link_stay_lazy(made, tmp_path, counts):
    made()
    with h5py.File(tmp_path / "master.h5", "w") as file:
        file["all"] = h5py.ExternalLink("made.h5", "/")
    layout = said(frames="all/f", positions="all/p")
    scan = read_scan(tmp_path / "master.h5", layout=layout, lazy_above_bytes=0)
    assert scan.is_lazy
    np.testing.assert_array_equal(scan.patterns.compute(), counts)
    assert scan.sources["patterns"] == "file: /all/f"


def test_a_small_file_that_claims_much_is_not_unpacked(made, monkeypatch):
    monkeypatch.setattr(draft, "SMALL_BYTES", 2**16)
    path = made()
    with h5py.File(path, "a") as file:
        file.create_dataset("empty", (N, 800, 800), np.uint8, chunks=(1, 800, 800))
        file.create_dataset("mask", (600, 1024, 1024), np.uint8, chunks=(1, 1024, 1024))
    scan = read_scan(path, layout=said(frames="empty"))
    assert scan.is_lazy
    assert scan.patterns.shape == (N, 800, 800)
    with pytest.raises(ScanError, match=r"'mask' has 629 MB; need no more than 537 MB"):
        read_scan(path, layout=said(frames="empty", mask="mask"))
