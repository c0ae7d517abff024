import h5py
import numpy as np
import pytest
from scipy.constants import c, e, h

from napari_ptycho.errors import FileError, ScanError
from napari_ptycho.io import read_reconstruction, read_scan
from napari_ptycho.io.formats import ptypy

H, W, h_, w_ = 60, 52, 16, 20
PIXEL = (40e-9, 30e-9)
ENERGY_KEV, DISTANCE = 6.2, 3e-4
WAVELENGTH = h * c / (ENERGY_KEV * 1e3 * e)
CORNERS = np.array([[0.0, 1.0], [20.0, 30.0], [44.0, 32.0], [5.25, 7.5]])


def put(group, name, value, kind="array"):
    """Write a value as PtyPy does."""
    if kind == "None":
        value = np.array([np.nan])
    group[name] = value
    group[name].attrs["type"] = kind


@pytest.fixture
def waves(rng):
    """Object (1, H, W) and probe (2, h, w) as PtyPy has them."""
    return tuple(
        (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)
        for shape in ((1, H, W), (2, h_, w_))
    )


@pytest.fixture
def ptyr(tmp_path, waves):
    """Write a .ptyr and return its path; `also` writes more into the open file."""

    def write(also=None, name="S0G00", distance=DISTANCE, positions=True):
        path = tmp_path / "run.ptyr"
        centre = np.array([H, W]) // 2
        origin = -centre * PIXEL
        with h5py.File(path, "w") as file:
            file.attrs["h5rw_version"] = "0.1"
            put(file, "header/kind", "minimal", "string")
            put(file, "header/description", "Ptypy .h5 compatible storage format", "string")
            for kind, wave in zip(("obj", "probe"), waves, strict=True):
                storage = file.create_group(f"content/{kind}/{name}")
                storage.attrs["type"] = "param"
                put(storage, "data", wave)
                put(storage, "_psize", np.array(PIXEL))
                put(storage, "_energy", ENERGY_KEV, "scalar")
                for number, length in enumerate(wave.shape):
                    put(storage, f"shape/{number:05d}", length, "scalar")
            put(file, f"content/obj/{name}/_origin", origin)
            put(file, f"content/obj/{name}/_center", centre)
            if positions:
                middles = CORNERS + np.array([h_, w_]) // 2
                put(file, f"content/positions/{name}", middles * PIXEL + origin)
            for number in range(3):
                entry = file.create_group(f"content/runtime/iter_info/{number:05d}")
                put(entry, "iteration", number + 1, "scalar")
                put(entry, "error", np.array([0.0, 8.0 / (number + 1), 1.0]))
            data = file.create_group("content/pars/scans/MF/data")
            put(data, "energy", None, "None")
            if distance is not None:
                put(data, "distance", distance, "scalar")
            if also is not None:
                also(file)
        return path

    return write


def test_object_positions_and_errors(ptyr, waves):
    found = read_reconstruction(ptyr())
    np.testing.assert_array_equal(found.object, waves[0][0])
    np.testing.assert_allclose(found.positions_px, CORNERS, atol=1e-6)
    assert found.pixel_size_m == PIXEL
    assert found.errors == (8.0, 4.0, 8 / 3)
    assert found.geometry.energy_ev == pytest.approx(6200)
    assert found.geometry.distance_m == DISTANCE
    assert found.name == "run"
    assert found.provenance["format"] == "result of PtyPy"
    assert found.provenance["notes"] == ["The errors are those of PtyPy, in its own measure."]


def test_the_probe_fits_a_plain_fourier_transform(ptyr, waves):
    found = read_reconstruction(ptyr())
    window = waves[0][0, 20 : 20 + h_, 30 : 30 + w_]
    y, x = np.ogrid[-h_ // 2 : h_ // 2, -w_ // 2 : w_ // 2]
    squares = (y * PIXEL[0]) ** 2 + (x * PIXEL[1]) ** 2
    curved = np.exp(1j * np.pi * squares / (WAVELENGTH * DISTANCE))
    assert np.abs(np.angle(curved)).max() > 1
    of_ptypy = np.abs(np.fft.fft2(waves[1] * window * curved))
    np.testing.assert_allclose(np.abs(np.fft.fft2(found.probe * window)), of_ptypy, rtol=1e-4)
    np.testing.assert_allclose(found.probe, waves[1] * curved, rtol=1e-5)


def test_curvature_is_strong_where_the_window_is_wide():
    factor = ptypy.curvature((4, 6), (2e-6, 1e-6), 1e-10, 0.5)
    assert factor[2, 3] == 1
    assert factor[0, 3] == pytest.approx(np.exp(1j * np.pi * 16e-12 / 5e-11))
    assert factor[2, 5] == pytest.approx(np.exp(1j * np.pi * 4e-12 / 5e-11))
    np.testing.assert_allclose(np.abs(factor), 1)


@pytest.mark.parametrize("missing", ["distance", "energy"])
def test_without_energy_or_distance_the_probe_stays_and_that_is_told(ptyr, waves, missing):
    def also(file):
        if missing == "energy":
            del file["content/probe/S0G00/_energy"], file["content/obj/S0G00/_energy"]

    found = read_reconstruction(ptyr(also, distance=None if missing == "distance" else DISTANCE))
    np.testing.assert_array_equal(found.probe, waves[1])
    assert any("lacks the curvature" in note for note in found.provenance["notes"])


def test_the_near_field_has_no_curvature(ptyr, waves):
    found = read_reconstruction(
        ptyr(lambda file: put(file, "content/pars/scans/MF/propagation", "nearfield", "string"))
    )
    np.testing.assert_array_equal(found.probe, waves[1])
    assert found.geometry.propagation == "near"


@pytest.mark.parametrize(("rebin", "used"), [(1, True), (2, True), (1.3, False)])
def test_a_distance_that_makes_another_pixel_is_not_used(ptyr, waves, rebin, used):
    def also(file):
        detector = WAVELENGTH * DISTANCE / (h_ * PIXEL[0]) / rebin
        put(file, "content/pars/scans/MF/data/psize", detector, "scalar")

    found = read_reconstruction(ptyr(also))
    assert found.geometry.distance_m == (DISTANCE if used else None)
    told = any("0.0003 m among the parameters does not fit" in n for n in found.provenance["notes"])
    assert told is not used


def test_the_origin_follows_from_the_centre(ptyr):
    def also(file):
        del file["content/obj/S0G00/_origin"]

    np.testing.assert_allclose(read_reconstruction(ptyr(also)).positions_px, CORNERS, atol=1e-6)


def test_lists_and_tuples_may_be_groups(ptyr):
    def also(file):
        for name, values in (("_psize", PIXEL), ("_origin", -np.array([H, W]) // 2 * PIXEL)):
            del file[f"content/obj/S0G00/{name}"]
            for number, value in enumerate(values):
                put(file, f"content/obj/S0G00/{name}/{number:05d}", value, "scalar")

    found = read_reconstruction(ptyr(also))
    assert found.pixel_size_m == PIXEL
    np.testing.assert_allclose(found.positions_px, CORNERS, atol=1e-6)


def test_without_positions_windows_cover_the_object(ptyr):
    found = read_reconstruction(ptyr(positions=False))
    covered = np.zeros((H, W), bool)
    for row, column in found.positions_px.astype(int):
        covered[row : row + h_, column : column + w_] = True
    assert covered.all()
    assert any("has no positions: windows side by side" in n for n in found.provenance["notes"])


def test_one_of_several_storages_is_read_and_told(ptyr, waves):
    def also(file):
        file.copy("content/obj/S0G00", "content/obj/S1G00")
        file.copy("content/probe/S0G00", "content/probe/S1G00")

    notes = read_reconstruction(ptyr(also)).provenance["notes"]
    assert "The file has 2 objects (S0G00, S1G00); S0G00 is read." in notes
    assert "The file has 2 probes (S0G00, S1G00); S0G00 is read." in notes


def test_the_first_of_several_layers_is_read_and_told(ptyr, waves):
    def also(file):
        del file["content/obj/S0G00/data"]
        put(file, "content/obj/S0G00/data", np.concatenate([waves[0], 2 * waves[0]]))

    found = read_reconstruction(ptyr(also))
    np.testing.assert_array_equal(found.object, waves[0][0])
    assert "The object has 2 modes; the first is shown." in found.provenance["notes"]


def test_windows_outside_the_object_are_refused(ptyr):
    def also(file):
        file["content/positions/S0G00"][0] = [1e-3, 0]

    with pytest.raises(ScanError, match="every window must lie inside it"):
        read_reconstruction(ptyr(also))


def test_pickles_and_wrong_positions_are_refused(ptyr):
    def wrong(file):
        del file["content/positions/S0G00"]
        put(file, "content/positions/S0G00", np.zeros((4, 3)))

    with pytest.raises(ScanError, match=r"has shape \(4, 3\); need \(N, 2\) numbers"):
        read_reconstruction(ptyr(wrong))

    def pickled(file):
        file["content/positions/S0G00"].attrs["type"] = "pickle"

    with pytest.raises(ScanError, match="is stored as a pickle, which is never opened"):
        read_reconstruction(ptyr(pickled))


@pytest.mark.parametrize("text", ["[]", '{"geometry": [], "provenance": {}}', "{}"])
def test_what_looks_like_ours_but_is_not_is_refused(ptyr, text):
    def also(file):
        put(file, "content/pars/napari_ptycho", text, "string")

    with pytest.raises(ScanError, match="is not what napari-ptycho writes"):
        read_reconstruction(ptyr(also))


def test_it_is_no_scan(ptyr):
    with pytest.raises(FileError, match=r"holds a reconstruction .results of PtyPy"):
        read_scan(ptyr())
