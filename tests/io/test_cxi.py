import h5py
import numpy as np
import pytest

from napari_ptycho.errors import FileError, ScanError
from napari_ptycho.io import read_scan
from napari_ptycho.model import Geometry

JOULE = 1.602176634e-19
DETECTOR = "entry_1/instrument_1/detector_1"
ENERGY = "entry_1/instrument_1/source_1/energy"
WAVELENGTH = "entry_1/instrument_1/source_1/wavelength"
TRANSLATION = "entry_1/data_1/translation"
PLACES = (
    TRANSLATION,
    "entry_1/sample_1/geometry_1/translation",
    f"{DETECTOR}/translation",
)


def test_a_usual_file(cxi, counts, positions):
    scan = read_scan(cxi())
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_allclose(scan.positions_m, positions)
    assert scan.geometry.energy_ev == pytest.approx(8000)
    assert scan.geometry.distance_m == 1.5
    assert scan.geometry.detector_pixel_m == (55e-6, 75e-6)
    assert scan.geometry.propagation == "far"
    assert scan.valid.all()
    assert scan.sources["patterns"] == "file: /entry_1/data_1/data"
    assert scan.sources["distance_m"] == f"file: /{DETECTOR}/distance"
    assert scan.sources["propagation"] == "default"
    assert scan.sources["probe"] == "unknown"


def test_the_soft_link_may_be_missing_or_broken(cxi, counts):
    np.testing.assert_array_equal(read_scan(cxi(link=False)).patterns, counts)
    path = cxi(link=False)
    with h5py.File(path, "a") as file:
        file["entry_1/data_1/data"] = h5py.SoftLink("/nowhere")
    np.testing.assert_array_equal(read_scan(path).patterns, counts)


def test_frames_behind_broken_links_only_are_named(cxi):
    path = cxi({f"{DETECTOR}/data": None}, link=False)
    with h5py.File(path, "a") as file:
        file["entry_1/data_1/data"] = h5py.ExternalLink("gone.h5", "/data")
    with pytest.raises(FileError, match=r"gone.h5 \(/data\), which is not there"):
        read_scan(path)
    with h5py.File(path, "a") as file:
        del file["entry_1/data_1/data"]
        file["entry_1/data_1/data"] = h5py.SoftLink("/nowhere")
    with pytest.raises(FileError, match="is a link to '/nowhere', which is not in the file"):
        read_scan(path)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("layout", ["(N,3)", "(3,N)", "(N,2)", "(2,N)"])
def test_every_place_and_layout_of_the_translation(cxi, positions, place, layout):
    stored = np.column_stack([positions[:, ::-1], np.ones(len(positions))])
    stored = stored[:, :2] if "2" in layout else stored
    stored = stored.T if layout.endswith("N)") else stored
    scan = read_scan(cxi({TRANSLATION: None, place: stored}))
    np.testing.assert_allclose(scan.positions_m, positions)
    assert scan.sources["positions_m"] == f"file: /{place}"


def test_three_frames_are_not_mistaken_for_three_axes(cxi, counts, positions):
    stored = np.column_stack([positions[:3, ::-1], np.zeros(3)])
    scan = read_scan(cxi({f"{DETECTOR}/data": counts[:3], TRANSLATION: stored}))
    np.testing.assert_allclose(scan.positions_m, positions[:3])


def test_a_unit_of_the_translation_counts(cxi, positions):
    stored = np.column_stack([positions[:, ::-1], np.zeros(len(positions))]) * 1e6
    scan = read_scan(cxi({TRANSLATION: stored}, units={TRANSLATION: "um"}))
    np.testing.assert_allclose(scan.positions_m, positions)


@pytest.mark.parametrize(
    ("parts", "units", "sentence"),
    [
        ({TRANSLATION: None}, {}, "no positions; a CXI scan must have one of"),
        ({TRANSLATION: np.ones((12, 5))}, {}, "need (12, 3)"),
        ({}, {TRANSLATION: "furlong"}, "need a length such as m"),
        ({f"{DETECTOR}/data": np.ones((4, 4))}, {}, "has shape (4, 4); need (N, H, W)"),
        ({f"{DETECTOR}/data": 5}, {}, "has shape (); need (N, H, W)"),
        ({f"{DETECTOR}/data": np.ones((0, 4, 4))}, {}, "patterns have shape (0, 4, 4)"),
        ({f"{DETECTOR}/mask": "text"}, {}, "need numbers"),
        ({f"{DETECTOR}/mask": np.zeros((3, 3))}, {}, "need one of the two to fit"),
        ({f"{DETECTOR}/mask": np.ones((32, 24))}, {}, "is the mask inverted"),
        ({TRANSLATION: np.full((12, 3), np.nan)}, {}, "none of 12 positions"),
    ],
)
def test_what_makes_no_scan_is_refused_in_a_sentence(cxi, parts, units, sentence):
    with pytest.raises(ScanError) as caught:
        read_scan(cxi(parts, units=units))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("stored", "unit", "ev"),
    [
        (8000 * JOULE, None, 8000),
        (8.0, None, 8000),
        (8000.0, None, 8000),
        (8000 * JOULE * 1e10, None, 8000),
        (8.0, "keV", 8000),
        (8000.0, "eV", 8000),
        (8000 * JOULE, "J", 8000),
        (6.0, "GeV", None),
        (6e9, None, None),
        (6e9 * JOULE, None, None),
        (0.0, None, None),
        (np.nan, None, None),
        (8.0, "bananas", None),
    ],
)
def test_the_energy_in_whatever_unit(cxi, stored, unit, ev):
    scan = read_scan(cxi({ENERGY: stored}, units={ENERGY: unit} if unit else None))
    assert scan.geometry.energy_ev == (None if ev is None else pytest.approx(ev))
    assert scan.sources["energy_ev"] == ("unknown" if ev is None else f"file: /{ENERGY}")
    if stored != 8000 * JOULE or unit is not None:
        assert any(ENERGY in note for note in scan.notes)


def test_the_wavelength_wins(cxi):
    scan = read_scan(cxi({WAVELENGTH: 1e-10}))
    assert scan.geometry.wavelength_m == pytest.approx(1e-10)
    assert scan.sources["energy_ev"] == f"file: /{WAVELENGTH}"
    assert any("the wavelength is used" in note for note in scan.notes)


@pytest.mark.parametrize("wavelength", [0.0, np.nan, 5.0])
def test_a_senseless_wavelength_does_not_win(cxi, wavelength):
    scan = read_scan(cxi({WAVELENGTH: wavelength}))
    assert scan.geometry.energy_ev == pytest.approx(8000)
    assert any("wavelength" in note for note in scan.notes)


def test_no_metadata_is_unknown_not_invented(cxi):
    zero = [f"{DETECTOR}/{name}" for name in ("distance", "x_pixel_size", "y_pixel_size")]
    scan = read_scan(cxi({ENERGY: None, **dict.fromkeys(zero, 0.0)}))
    assert scan.geometry == Geometry()
    assert {scan.sources[name] for name in ("energy_ev", "distance_m", "detector_pixel_m")} == {
        "unknown"
    }


@pytest.mark.parametrize("lost", ["x", "y"])
def test_one_pixel_size_stands_for_both(cxi, lost):
    scan = read_scan(cxi({f"{DETECTOR}/{lost}_pixel_size": None}))
    kept = 55e-6 if lost == "x" else 75e-6
    assert scan.geometry.detector_pixel_m == (kept, kept)
    assert any("pixels are square" in note for note in scan.notes)


def test_geometry_from_vectors(cxi):
    parts = {f"{DETECTOR}/{name}": None for name in ("distance", "x_pixel_size", "y_pixel_size")}
    parts[f"{DETECTOR}/basis_vectors"] = np.array([[0, -50e-6, 0], [-60e-6, 0, 0]])
    parts[f"{DETECTOR}/corner_position"] = np.array([1e-3, 1e-3, 2.5])
    scan = read_scan(cxi(parts))
    assert scan.geometry.detector_pixel_m == pytest.approx((50e-6, 60e-6))
    assert scan.geometry.distance_m == 2.5


@pytest.mark.parametrize("transposed", [False, True])
def test_unusual_basis_vectors_turn_the_positions(cxi, positions, transposed):
    basis = np.array([[55e-6, 0, 0], [0, -55e-6, 0]])  # rows go with +x, columns with -y
    scan = read_scan(cxi({f"{DETECTOR}/basis_vectors": basis.T if transposed else basis}))
    np.testing.assert_allclose(scan.positions_m, np.stack([-positions[:, 1], positions[:, 0]], 1))
    assert any("projected" in note for note in scan.notes)


def test_a_negative_distance_is_a_direction(cxi):
    scan = read_scan(cxi({f"{DETECTOR}/distance": -1.5}))
    assert scan.geometry.distance_m == 1.5
    assert any("negative" in note for note in scan.notes)


def test_a_float32_is_the_decimal_that_was_meant(cxi):
    assert read_scan(cxi({f"{DETECTOR}/distance": np.float32(1.12)})).geometry.distance_m == 1.12


def test_mask_zero_is_good_and_so_is_has_signal(cxi):
    mask = np.zeros((32, 24), np.uint32)
    mask[1, 1], mask[2, 2], mask[3, 3] = 0x1000, 1, 0x1001
    scan = read_scan(cxi({f"{DETECTOR}/mask": mask}))
    assert np.argwhere(~scan.valid).tolist() == [[2, 2], [3, 3]]
    assert scan.sources["valid"] == f"file: /{DETECTOR}/mask"


@pytest.mark.parametrize("leading", [(1,), (12,)])
def test_a_mask_may_have_a_frame_axis(cxi, leading):
    mask = np.zeros((*leading, 32, 24), np.uint8)
    mask[-1, 2, 2] = 1
    scan = read_scan(cxi({f"{DETECTOR}/mask": mask}))
    assert (~scan.valid).sum() == 1
    assert scan.valid.ndim == (2 if leading == (1,) else 3)


def test_negative_counts_are_masked(cxi, counts):
    stored = counts.astype(np.int32)
    stored[:, 1, 1], stored[4, 9, 9] = -3, -1
    scan = read_scan(cxi({f"{DETECTOR}/data": stored}))
    np.testing.assert_array_equal(scan.valid, stored >= 0)
    np.testing.assert_array_equal(scan.patterns, np.maximum(stored, 0))


def test_nan_positions_drop_their_frames(cxi, counts, positions):
    stored = np.column_stack([positions[:, ::-1], np.zeros(12)])
    stored[7] = np.nan
    path = cxi({TRANSLATION: stored})
    for lazy_above_bytes in (0, 2**30):
        scan = read_scan(path, lazy_above_bytes=lazy_above_bytes)
        np.testing.assert_array_equal(np.asarray(scan.patterns), np.delete(counts, 7, axis=0))
        assert any("dropped: 7." in note for note in scan.notes)


def test_too_many_frames_are_cut(cxi, counts, positions):
    stored = np.column_stack([positions[:9, ::-1], np.zeros(9)])
    scan = read_scan(cxi({TRANSLATION: stored}))
    np.testing.assert_array_equal(scan.patterns, counts[:9])
    assert any("12 patterns but 9 positions" in note for note in scan.notes)


def test_more_entries_darks_and_probes_are_mentioned(cxi, counts):
    scan = read_scan(
        cxi(
            {
                "entry_2/data_1/data": counts,
                f"{DETECTOR}/data_dark": counts[0],
                "entry_1/instrument_1/source_1/illumination": np.ones((32, 24), complex),
            }
        )
    )
    assert scan.probe is None
    for word in ("entry_2", "dark frame", "a probe, which was not read"):
        assert any(word in note for note in scan.notes)


@pytest.mark.parametrize("as_model", [False, True])
def test_the_user_has_the_last_word_on_the_geometry(cxi, counts, as_model):
    told = {"propagation": "near", "focus_to_sample_m": 3e-3, "energy_ev": 9000}
    shifted = np.fft.ifftshift(counts, axes=(1, 2))
    scan = read_scan(
        cxi({f"{DETECTOR}/data": shifted}), geometry=Geometry(**told) if as_model else told
    )
    assert scan.geometry.energy_ev == 9000
    assert scan.geometry.distance_m == 1.5
    assert scan.geometry.focus_to_sample_m == 3e-3
    assert {scan.sources[name] for name in told} == {"user"}
    np.testing.assert_array_equal(scan.patterns, shifted)  # an image, not a diffraction pattern


def test_a_group_without_frames_is_refused(cxi):
    path = cxi({f"{DETECTOR}/data": None}, link=False)
    with h5py.File(path, "a") as file:
        file.create_group("entry_1/data_1/data")
    with pytest.raises(ScanError, match=r"no dataset 'entry_1/data_1/data', which a CXI scan"):
        read_scan(path)


def test_no_mask_means_all_is_measured(cxi):
    scan = read_scan(cxi({f"{DETECTOR}/mask": None}))
    assert scan.valid.all()
    assert scan.sources["valid"] == "default"


@pytest.mark.parametrize(("told", "pair"), [(5e-5, (5e-5, 5e-5)), ([4e-5, 5e-5], (4e-5, 5e-5))])
def test_the_user_gives_one_pixel_size_or_two(cxi, told, pair):
    scan = read_scan(cxi(), {"detector_pixel_m": told})
    assert scan.geometry.detector_pixel_m == pair
    assert scan.sources["detector_pixel_m"] == "user"
