"""Arrays as each program writes them, key by key."""

import h5py
import numpy as np
import pytest

from napari_ptycho.errors import FileError, NeedsPositions, ScanError
from napari_ptycho.io import read_scan
from napari_ptycho.io.layout import Layout


@pytest.fixture
def steps():
    """A raster of 3 x 4 whose steps are given."""
    return Layout(raster_rows=3, raster_columns=4, step_y=20, step_x=10, position_unit="px")


def test_ptychonn_has_counts_on_a_raster_and_names_it(npz, counts):
    stored = counts.reshape(3, 4, *counts.shape[1:]).astype(np.uint16)
    path = npz(arr_0=stored)
    with pytest.raises(NeedsPositions) as caught:
        read_scan(path)
    assert "an array of shape (3, 4, 32, 24) (uint16) but no positions" in str(caught.value)
    assert "the steps of a raster of 3 x 4" in str(caught.value)


def test_ptychonn_opens_with_the_steps_alone(npz, counts):
    stored = counts.reshape(3, 4, *counts.shape[1:]).astype(np.uint16)
    scan = read_scan(npz(arr_0=stored), layout=Layout(step_y=20, step_x=10, position_unit="px"))
    np.testing.assert_array_equal(scan.patterns, counts)
    places = [(20 * row, 10 * column) for row in range(3) for column in range(4)]
    np.testing.assert_array_equal(scan.positions_px, places)
    assert scan.sources["patterns"] == "file: arr_0"
    assert scan.sources["positions_px"] == "user"


def test_frames_in_a_row_open_with_a_raster(npz, counts, steps):
    scan = read_scan(npz(arr_0=counts), layout=steps)
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_array_equal(scan.positions_px[[1, 4]], [(0, 10), (20, 0)])


def test_frames_in_a_row_name_the_rasters_that_fit(npz, counts):
    with pytest.raises(NeedsPositions, match=r"rows x columns that fit: 3 x 4, 4 x 3, 2 x 6$"):
        read_scan(npz(arr_0=counts))


def test_pppc_has_metres_and_counts_gone_over_the_top(npz, counts, positions):
    counts[:, 16, 12] = 40_000 + np.arange(len(counts))
    counts[:, 16, 13] = 30_000
    scan = read_scan(
        npz(
            reciprocal=counts.astype(np.uint16).view(np.int16),
            position=positions,
            real=np.ones((len(counts), 8, 8), complex),
        )
    )
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_array_equal(scan.positions_m, positions)
    assert any("65536 was added" in note for note in scan.notes)
    assert any("object" in note for note in scan.notes)


@pytest.fixture
def pppc(tmp_path, counts, positions):
    """Two scans of 5 and 7 frames in one file."""
    path = tmp_path / "made.h5"
    with h5py.File(path, "w") as file:
        file["data/reciprocal"] = counts.astype(np.uint16)
        file["data/real"] = np.ones((12, 8, 8), complex)
        file["data/positions/a_long_name_of_scan_9"] = positions[:5]
        file["data/positions/scan10"] = positions[5:]
        file["data/probes/scan10"] = np.full((32, 24), 1j)
        file["metadata/source_files"] = np.array([b"a_long_name_of_scan_9", b"scan10"], "S10")
    return path


@pytest.mark.parametrize(("index", "kept"), [(0, slice(0, 5)), (1, slice(5, 12))])
def test_pppc_in_hdf5_gives_one_scan_of_several(pppc, counts, positions, index, kept):
    scan = read_scan(pppc, layout=Layout(extra_index=index))
    np.testing.assert_array_equal(scan.patterns, counts[kept])
    np.testing.assert_array_equal(scan.positions_m, positions[kept])
    assert (scan.probe is None) == (index == 0)
    assert any("holds 2 scans (a_long_name_of_scan_9, scan10)" in note for note in scan.notes)


def test_pppc_in_hdf5_says_what_does_not_fit(pppc):
    with pytest.raises(ScanError, match="holds 2 scans; there is no scan 2"):
        read_scan(pppc, layout=Layout(extra_index=2))
    with h5py.File(pppc, "a") as file:
        del file["data/positions/a_long_name_of_scan_9"]
        file["data/positions/a_long_name_of_scan_9"] = np.zeros((4, 2))
    with pytest.raises(ScanError, match="12 frames but 11 positions"):
        read_scan(pppc)


def test_patches_for_training_have_no_positions(tmp_path, counts):
    with h5py.File(tmp_path / "patches.h5", "w") as file:
        file["data/reciprocal"] = counts.astype(np.uint16)
        file["data/real_phase"] = np.zeros((12, 8, 8))
        file["metadata/psize_nm"] = [8.0]
    with pytest.raises(NeedsPositions, match=r"patches.h5: holds 12 frames but no positions"):
        read_scan(tmp_path / "patches.h5")


@pytest.mark.parametrize("index", [0, 2])
def test_ptynet_has_several_objects(npz, counts, steps, index):
    objects = np.stack([counts + 1, counts * 2, counts * 3]).astype(np.float32)
    layout = Layout(**{**vars(steps), "extra_index": index})
    scan = read_scan(npz(diff=objects), layout=layout)
    np.testing.assert_array_equal(scan.patterns, objects[index])
    assert any(f"place {index} of 3 on its first axis is read" in note for note in scan.notes)


def test_an_object_that_is_not_there_is_said(npz, counts, steps):
    layout = Layout(**{**vars(steps), "extra_index": 3})
    with pytest.raises(ScanError, match=r"it has no place 3 on the first of its axes \(2, 12\)"):
        read_scan(npz(diff=np.stack([counts, counts])), layout=layout)


@pytest.mark.parametrize("axis", [0, 1])
def test_an_energy_axis_is_named_by_the_person(npz, counts, positions, axis):
    stored = np.stack([counts * 3, counts], axis=axis)
    which = ("first", "second")[axis]
    scan = read_scan(
        npz(patterns=stored, positions_m=positions),
        layout=Layout(extra_axis=which, extra_index=1),
    )
    np.testing.assert_array_equal(scan.patterns, counts)
    assert any(f"place 1 of 2 on its {which} axis" in note for note in scan.notes)


def pinn(counts, **more):
    """The raw arrays of PtychoPINN, normalised amplitudes whose squares are not whole."""
    n = len(counts)
    return {
        "xcoords": np.arange(n) * 3.0,
        "ycoords": np.arange(n) ** 2.0,
        "xcoords_start": np.arange(n) * 3.0,
        "ycoords_start": np.arange(n) ** 2.0,
        "probeGuess": np.full((32, 24), 2 - 1j),
        "objectGuess": np.ones((99, 99), complex),
        "scan_index": np.zeros(n, int),
        **more,
    }


@pytest.mark.parametrize("name", ["diff3d", "diffraction"])
def test_ptychopinn_has_amplitudes_that_no_test_would_show(npz, counts, name):
    amplitudes = np.sqrt(counts * 0.37).astype(np.float32)
    scan = read_scan(npz(**pinn(counts, **{name: amplitudes})))
    np.testing.assert_allclose(scan.patterns, np.square(amplitudes, dtype=np.float64), rtol=1e-5)
    places = np.stack([np.arange(12) ** 2.0, np.arange(12) * 3.0], axis=1)
    np.testing.assert_array_equal(scan.positions_px, places)
    assert scan.sources["positions_px"] == "file: ycoords, xcoords"
    np.testing.assert_array_equal(scan.probe, np.full((1, 32, 24), 2 - 1j))
    assert any("object" in note for note in scan.notes)


def test_ptychopinn_has_counts_where_they_are_whole(npz, counts):
    scan = read_scan(npz(**pinn(counts, diff3d=counts.astype(np.uint16))))
    np.testing.assert_array_equal(scan.patterns, counts)


def test_a_person_can_say_that_they_are_intensities(npz, counts):
    stored = (counts * 0.37).astype(np.float32)
    path = npz(**pinn(counts, diff3d=stored))
    scan = read_scan(path, layout=Layout(values="intensity"))
    np.testing.assert_allclose(scan.patterns, stored, rtol=1e-6)


@pytest.mark.parametrize("index", [0, 1])
def test_ptychopinn_keeps_several_scans_apart(npz, counts, index):
    arrays = pinn(counts, diff3d=counts.astype(np.uint16), scan_index=[7, 8] * 6)
    scan = read_scan(npz(**arrays), layout=Layout(extra_index=index))
    np.testing.assert_array_equal(scan.patterns, counts[index::2])
    np.testing.assert_array_equal(scan.positions_px[:, 1], np.arange(12)[index::2] * 3)
    assert any(f"holds 2 scans; number {index} of them" in note for note in scan.notes)


def test_slac_has_its_frames_on_the_last_axis_and_metres(npz, counts, positions):
    scan = read_scan(
        npz(
            diffraction=np.moveaxis(counts, 0, -1).astype(np.float32),
            ycoords_start=positions[:, 0],
            xcoords_start=positions[:, 1],
            probeGuess=np.ones((32, 24), complex),
            objectGuess=np.ones((99, 99), complex),
        )
    )
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_array_equal(scan.positions_m, positions)
    assert any("its first two axes are the frame" in note for note in scan.notes)


@pytest.fixture
def ptychodus(npz, counts):
    """Diffraction of Ptychodus: frames 3, 4, ... 14, one bad pixel, an old NumPy's stray array."""
    bad = np.zeros((32, 24), bool)
    bad[5, 6] = True
    return npz(
        patterns=counts, indexes=np.arange(3, 15), bad_pixels=bad, allow_pickle=np.array(False)
    )


@pytest.fixture
def product(tmp_path, rng):
    """A product whose positions are in another order, and lack frame 8; and what they are."""
    order = rng.permutation(np.delete(np.arange(16), 8))
    y, x = rng.normal(size=(2, 16)) * 1e-6
    arrays = {
        "probe_position_indexes": order,
        "probe_position_y_m": y[order],
        "probe_position_x_m": x[order],
    }
    with h5py.File(tmp_path / "product.h5", "w") as file:
        for name, values in arrays.items():
            file[name] = values
    np.savez(tmp_path / "product.npz", **arrays)
    return tmp_path, np.stack([y, x], axis=1)


@pytest.mark.parametrize("ending", ["h5", "npz"])
def test_ptychodus_frames_find_their_positions_by_number(ptychodus, product, counts, ending):
    folder, places = product
    scan = read_scan(ptychodus, positions=folder / f"product.{ending}")
    kept = np.delete(np.arange(12), 8 - 3)
    np.testing.assert_array_equal(scan.patterns, counts[kept])
    np.testing.assert_array_equal(scan.positions_m, places[kept + 3])
    assert np.argwhere(~scan.valid).tolist() == [[5, 6]]
    assert scan.sources["valid"] == "file: bad_pixels"
    assert any("paired by their numbers" in note for note in scan.notes)
    assert any("1 patterns have no finite position" in note for note in scan.notes)


def test_ptychodus_frames_that_no_position_names_are_refused(npz, counts, product):
    path = npz(patterns=counts, indexes=np.arange(100, 112))
    with pytest.raises(ScanError, match=r"none of its frame numbers is in product\.h5"):
        read_scan(path, positions=product[0] / "product.h5")


def test_ptychodus_frames_alone_say_so(ptychodus):
    with pytest.raises(NeedsPositions, match=r"Ptychodus diffraction data, .* but no positions"):
        read_scan(ptychodus)


def test_an_unknown_name_is_taken_if_it_can_only_be_that(npz, counts, steps):
    scan = read_scan(npz(my_scan=counts, temperature=np.ones(12)), layout=steps)
    np.testing.assert_array_equal(scan.patterns, counts)
    with pytest.raises(FileError, match="no known layout"):
        read_scan(npz(one=counts, other=counts), layout=steps)


def test_a_person_can_name_frames_and_positions(npz, counts, positions):
    path = npz(
        data=counts * 2, other=counts, rows=positions[:, 0] * 1e9, cols=positions[:, 1] * 1e9
    )
    layout = Layout(frames="other", positions_y="rows", positions_x="cols", position_unit="nm")
    scan = read_scan(path, layout=layout)
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_allclose(scan.positions_m, positions, rtol=1e-12)
    np.savetxt(path.with_suffix(".csv"), positions, header="rows,cols", delimiter=",", comments="")
    second = Layout(positions_y="rows", positions_x="cols", position_unit="m")
    scan = read_scan(path, layout=second, positions=path.with_suffix(".csv"))
    np.testing.assert_allclose(scan.positions_m, positions)
    with pytest.raises(ScanError, match="no array 'lines'; it has data, other, rows, cols"):
        read_scan(path, layout=Layout(positions_y="lines", positions_x="cols"))
