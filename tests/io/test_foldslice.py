import h5py
import numpy as np
import pytest

from napari_ptycho.errors import FileError, NeedsPositions, ScanError
from napari_ptycho.io import read_reconstruction, read_scan
from napari_ptycho.io.layout import Layout

N, H, W = 12, 32, 24
WAVELENGTH, PIXEL = 1.4e-10, 12e-9
ANGLES = (WAVELENGTH / (H * PIXEL), WAVELENGTH / (W * PIXEL))


def store(path, parts):
    """Write datasets to an HDF5 file."""
    with h5py.File(path, "w") as file:
        for name, value in parts.items():
            file[name] = value
    return path


@pytest.fixture
def pair(tmp_path, counts, positions):
    """Write a pair of fold_slice, leave one out if wanted, and return both paths."""

    def write(para=None, also=(), names=("data_roi0_dp.hdf5", "data_roi0_para.hdf5")):
        usual = {
            "ppX": positions[np.newaxis, :, 1],
            "ppY": positions[:, :1],
            "dx": PIXEL,
            "lambda": WAVELENGTH,
            "angle": 12.5,
            "N_scan_x": 4,
            "N_scan_y": 3,
        }
        frames = {"dp": counts.astype(np.uint16), **dict(also)}
        return (
            store(tmp_path / names[0], frames),
            store(tmp_path / names[1], {**usual, **(para or {})}),
        )

    return write


@pytest.mark.parametrize("opened", [0, 1])
def test_either_of_a_pair_opens_both(pair, counts, positions, opened):
    scan = read_scan(pair()[opened])
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_allclose(scan.positions_m, -positions)
    assert scan.geometry.wavelength_m == pytest.approx(WAVELENGTH)
    assert scan.geometry.particle == "photon"
    assert scan.geometry.detector_pixel_rad == pytest.approx(ANGLES)
    assert scan.pixel_size_m == pytest.approx((PIXEL, PIXEL))
    assert scan.sources["patterns"] == "file: /dp"
    assert scan.sources["positions_m"] == "file: data_roi0_para.hdf5 /ppY, /ppX"
    assert scan.sources["detector_pixel_rad"] == "file: data_roi0_para.hdf5 /dx"
    assert scan.name == "data_roi0_dp"
    assert any("Positions are -ppY, -ppX, as PtychoShelves" in note for note in scan.notes)


@pytest.mark.parametrize("names", [("A_DP.h5", "a_para.h5"), ("x_dp.hdf5", "x_para.h5")])
def test_partners_are_found_by_name(pair, positions, names):
    for path in pair(names=names):
        np.testing.assert_allclose(read_scan(path).positions_m, -positions)


def test_both_in_one_file(tmp_path, counts, positions):
    path = store(
        tmp_path / "one.h5",
        {"dp": counts.astype(np.uint16), "ppX": positions[:, 1], "ppY": positions[:, 0]},
    )
    scan = read_scan(path)
    np.testing.assert_allclose(scan.positions_m, -positions)
    assert scan.sources["positions_m"] == "file: /ppY, /ppX"
    assert scan.geometry.energy_ev is None


def test_a_partner_that_is_not_there_is_named(pair):
    frames, places = pair()
    places.rename(places.with_name("elsewhere.hdf5"))
    with pytest.raises(NeedsPositions, match=r"no positions.*; data_roi0_para.hdf5 or .* is not b"):
        read_scan(frames)
    scan = read_scan(frames, layout=Layout(raster_rows=3, step_y=1.0))
    assert len(scan) == N
    frames, places = pair()
    frames.unlink()
    with pytest.raises(FileError, match=r"its frames, data_roi0_dp.hdf5 or .*, are not beside it"):
        read_scan(places)


def test_a_short_wavelength_is_that_of_electrons(pair):
    geometry = read_scan(pair(para={"lambda": 1.9687e-12})[0]).geometry
    assert geometry.particle == "electron"
    assert geometry.energy_ev == pytest.approx(300e3, rel=1e-3)
    assert geometry.wavelength_m == pytest.approx(1.9687e-12)


def test_positions_that_do_not_fit_are_told(pair, positions):
    with pytest.raises(ScanError, match="11 values of ppY but 12 of ppX; need as many"):
        read_scan(pair(para={"ppY": positions[1:, 0]})[0])
    short = {"ppY": positions[1:, 0], "ppX": positions[1:, 1]}
    assert any("12 patterns but 11 positions" in n for n in read_scan(pair(para=short)[0]).notes)


def test_frames_of_ptychodus_alone_ask_for_positions(tmp_path, counts, positions):
    path = store(tmp_path / "diffraction.h5", {"dp": counts.astype(np.uint16)})
    with pytest.raises(NeedsPositions, match=r"diffraction.h5: holds 12 frames but no positions"):
        read_scan(path)
    with pytest.raises(FileError, match=r"holds a scan .pairs NAME_dp.*not a reconstruction"):
        read_reconstruction(path)
    np.savetxt(tmp_path / "places.txt", positions)
    assert len(read_scan(path, positions=tmp_path / "places.txt")) == N


def test_other_positions_of_the_person_are_used_instead(pair, positions, tmp_path):
    np.savetxt(tmp_path / "places.txt", 2 * positions)
    layout = Layout(position_unit="m", position_order="yx")
    scan = read_scan(pair()[0], positions=tmp_path / "places.txt", layout=layout)
    np.testing.assert_allclose(scan.positions_m, 2 * positions)
    assert not any("ppY" in note for note in scan.notes)


def test_broken_frames_are_named(pair):
    frames, places = pair()
    with h5py.File(frames, "w") as file:
        file["dp"] = h5py.ExternalLink("raw.h5", "/data")
    with pytest.raises(FileError, match=r"'dp' lies in another file, raw.h5"):
        read_scan(places)


@pytest.fixture
def product(tmp_path, counts, positions, rng):
    """Write a pair of Pty-Chi and return both paths; keywords replace datasets of the second."""

    def write(attributes=None, **parts):
        probe = (rng.normal(size=(1, 2, H, W)) + 1j).astype(np.complex64)
        usual = {
            "probe_position_x_m": positions[:, 1],
            "probe_position_y_m": positions[:, 0],
            "probe": probe,
            "object": np.ones((1, 500, 500), np.complex64),
        }
        frames = store(tmp_path / "run_dp.hdf5", {"dp": counts.astype(np.uint16)})
        places = store(tmp_path / "run_para.hdf5", {**usual, **parts})
        told = {"probe_energy_eV": 8000.0, "detector_object_distance_m": 2.0, **(attributes or {})}
        with h5py.File(places, "a") as file:
            file.attrs.update(told)
            for name in ("probe", "object"):
                file[name].attrs.update({"pixel_height_m": 15e-9, "pixel_width_m": 20e-9})
        return frames, places, usual["probe"][0]

    return write


@pytest.mark.parametrize("opened", [0, 1])
def test_a_pair_of_pty_chi(product, counts, positions, opened):
    files = product()
    scan = read_scan(files[opened])
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_allclose(scan.positions_m, positions)
    np.testing.assert_array_equal(scan.probe, files[2])
    assert scan.geometry.energy_ev == 8000
    assert scan.geometry.distance_m == 2
    assert scan.pixel_size_m == pytest.approx((15e-9, 20e-9))
    assert scan.sources["probe"] == "file: run_para.hdf5 /probe"
    assert scan.sources["energy_ev"] == "file: run_para.hdf5 /@probe_energy_eV"


def test_its_second_file_is_still_a_reconstruction(product):
    found = read_reconstruction(product()[1])
    assert found.object.shape == (500, 500)
    assert found.provenance["format"] == "Ptychodus product"


def test_positions_are_joined_with_the_frames_by_their_indexes(product, counts, positions):
    order = np.array([3, 1, 0, 2, 5, 4, 7, 99])
    scan = read_scan(
        product(
            probe_position_indexes=order,
            probe_position_y_m=positions[:8, 0],
            probe_position_x_m=positions[:8, 1],
        )[0]
    )
    np.testing.assert_array_equal(scan.patterns, counts[[0, 1, 2, 3, 4, 5, 7]])
    np.testing.assert_allclose(scan.positions_m, positions[[2, 1, 3, 0, 5, 4, 6]])
    assert "1 positions are of frames that the file does not have." in scan.notes


def test_a_near_field_product_has_no_angles(product):
    scan = read_scan(product(attributes={"far_field": False})[0])
    assert scan.geometry.propagation == "near"
    assert scan.geometry.detector_pixel_rad is None


def test_what_a_product_does_not_know_stays_unknown(product):
    unknown = {"probe_energy_eV": 0.0, "detector_object_distance_m": 0.0}
    scan = read_scan(product(attributes=unknown)[0])
    geometry = scan.geometry
    assert (geometry.energy_ev, geometry.distance_m, geometry.detector_pixel_rad) == (None,) * 3
    assert scan.sources["energy_ev"] == "unknown"
