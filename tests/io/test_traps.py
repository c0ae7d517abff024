"""Each trap that files set to those who read them: what is read, and the sentence that is shown.

Every test makes the trap in a file, opens it as a user does, and compares with what was put in.
"""

import pickle
import shutil
import zipfile
from dataclasses import replace

import h5py
import numpy as np
import pytest
import tifffile

from napari_ptycho.errors import FileError, NeedsPositions, PtychoError, ScanError
from napari_ptycho.io import (
    browse,
    hdf5,
    read_image,
    read_reconstruction,
    read_scan,
    write_reconstruction,
    write_scan,
)
from napari_ptycho.io.hdf5_frames import Hdf5Frames
from napari_ptycho.io.layout import Layout
from napari_ptycho.model import Reconstruction
from napari_ptycho.model.summary import summary

from .conftest import DETECTOR, H, N, W

DATA = f"{DETECTOR}/data"
SOURCE = "entry_1/instrument_1/source_1"
PLACES = "entry_1/data_1/translation"
MASK = f"{DETECTOR}/mask"


def told(scan):
    """All notes and warnings of a scan, as the window shows them."""
    warnings = [f"{row.name}: {row.warning}" for row in summary(scan) if row.warning]
    return "\n".join([*scan.notes, *warnings])


def translation(positions):
    return np.column_stack([positions[:, ::-1], np.zeros(len(positions))])


def filtered(path, name, counts):
    """Write frames with a filter that no program has (optional, so that writing works)."""
    with h5py.File(path, "a") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((1, H, W))
        properties.set_filter(32099, h5py.h5z.FLAG_OPTIONAL, (1,))
        space, kind = h5py.h5s.create_simple(counts.shape), h5py.h5t.NATIVE_INT32
        made = h5py.h5d.create(file.id, name.encode(), kind, space, properties)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, counts.astype(np.int32))


@pytest.fixture
def master(tmp_path, counts):
    """A DECTRIS master and three data files of four frames each; returns the master."""
    for number in range(3):
        with h5py.File(tmp_path / f"scan_data_{number + 1:06d}.h5", "w") as file:
            part = counts[4 * number : 4 * number + 4].astype(np.uint16)
            file.create_dataset("entry/data/data", data=part, chunks=(1, H, W), **hdf5.BITSHUFFLE)
    path = tmp_path / "scan_master.h5"
    with h5py.File(path, "w") as file:
        file["entry/definition"] = "NXmx"
        for number in range(1, 4):
            link = h5py.ExternalLink(f"scan_data_{number:06d}.h5", "/entry/data/data")
            file[f"entry/data/data_{number:06d}"] = link
        specific = file.create_group("entry/instrument/detector/detectorSpecific")
        specific["nimages"], specific["ntrigger"] = N, 1
        specific["photon_energy"] = 8000.0
        for name in ("detector_distance", "beam_center_x", "beam_center_y"):
            file[f"entry/instrument/detector/{name}"] = 0.0
    return path


RASTER = Layout(raster_rows=3, raster_columns=4, step_y=1.0, step_x=2.0, position_unit="um")


# filter missing


def test_a_filter_that_is_missing(cxi, counts):
    path = cxi({DATA: None}, link=False)
    filtered(path, DATA, counts)
    with pytest.raises(FileError, match=r"made.cxi: .*data' is compressed with filter 32099"):
        read_scan(path)


def test_a_filter_that_is_missing_in_the_browser(cxi, counts):
    path = cxi({DATA: None}, link=False)
    filtered(path, DATA, counts)
    node = next(node for node in browse.contents(path).nodes if node.path == DATA)
    assert "32099" in node.problem
    assert all(DATA not in choice.paths for choice in browse.contents(path).frames)


# external links


def test_all_data_files_are_there(master, counts):
    scan = read_scan(master, layout=RASTER)
    np.testing.assert_array_equal(scan.patterns, counts)
    assert "data files are there" not in told(scan)


def test_the_last_data_file_is_missing(master, counts, tmp_path):
    (tmp_path / "scan_data_000003.h5").unlink()
    scan = read_scan(master, layout=RASTER)
    np.testing.assert_array_equal(scan.patterns, counts[:8])
    assert "2 of 3 data files are there; the first that is not: scan_data_000003.h5" in told(scan)
    assert f"8 of {N} frames expected are there" in told(scan)


def test_a_data_file_in_the_middle_is_missing(master, tmp_path):
    (tmp_path / "scan_data_000002.h5").unlink()
    with pytest.raises(
        FileError, match=r"scan_data_000002.h5 .* is not there, but later files are"
    ):
        read_scan(master, layout=RASTER)


def test_no_data_file_is_there(master, tmp_path):
    alone = shutil.copy(master, tmp_path / "alone")
    for path in tmp_path.glob("scan_data*"):
        path.unlink()
    with pytest.raises(FileError, match=r"none of the 3 files with its frames is there; the first"):
        read_scan(alone, layout=RASTER)


def test_a_data_file_of_other_capitals_beside_a_moved_master(master, counts, tmp_path):
    other = tmp_path / "moved"
    other.mkdir()
    with h5py.File(master, "a") as file:
        for number in range(1, 4):
            name = f"entry/data/data_{number:06d}"
            del file[name]
            gone = f"/beamline/raw/scan_data_{number:06d}.h5"
            file[name] = h5py.ExternalLink(gone, "/entry/data/data")
    shutil.copy(master, other / "scan_master.h5")
    for path in tmp_path.glob("scan_data*"):
        shutil.copy(path, other / path.name.upper())
    scan = read_scan(other / "scan_master.h5", layout=RASTER)
    np.testing.assert_array_equal(scan.patterns, counts)


# virtual datasets


@pytest.fixture
def virtual(cxi, counts, tmp_path):
    """A CXI file whose frames are put together from two others."""
    path = cxi({DATA: None}, link=False)
    layout = h5py.VirtualLayout((N, H, W), "i4")
    for number in range(2):
        part = counts[6 * number : 6 * number + 6].astype(np.int32)
        with h5py.File(tmp_path / f"part{number}.h5", "w") as file:
            file["frames"] = part
        layout[6 * number : 6 * number + 6] = h5py.VirtualSource(
            f"part{number}.h5", "frames", part.shape
        )
    with h5py.File(path, "a") as file:
        file.create_virtual_dataset(DATA, layout)
    return path


def test_a_virtual_dataset_with_all_its_parts(virtual, counts):
    np.testing.assert_array_equal(read_scan(virtual).patterns, counts)


def test_a_virtual_dataset_with_a_missing_part_is_not_read_as_zeros(virtual, tmp_path):
    (tmp_path / "part1.h5").unlink()
    with pytest.raises(FileError, match=r"put together from .* 1 are missing \(part1.h5"):
        read_scan(virtual)


def test_a_virtual_dataset_with_a_part_that_lacks_its_frames(virtual, tmp_path):
    with h5py.File(tmp_path / "part1.h5", "w") as file:
        file["other"] = 1
    with pytest.raises(FileError, match=r"'frames' in part1.h5, which lacks it"):
        read_scan(virtual)


@pytest.mark.parametrize(
    "sources",
    [
        {DATA: (".", DATA)},
        {DATA: (".", "other"), "other": (".", DATA)},
        {DATA: ("made.cxi", DATA)},
        {DATA: (".", "linked")},
    ],
)
def test_a_virtual_dataset_that_is_made_of_itself(cxi, sources):
    path = cxi({DATA: None}, link=False)
    with h5py.File(path, "a") as file:
        file["linked"] = h5py.SoftLink(f"/{DATA}")
        for name, (other, part) in sources.items():
            layout = h5py.VirtualLayout((N, H, W), "i4")
            layout[:] = h5py.VirtualSource(other, part, (N, H, W))
            file.create_virtual_dataset(name, layout)
    with pytest.raises(FileError, match=r"is put together from itself; repair it"):
        read_scan(path)


def test_numbered_parts_of_which_the_first_is_the_whole(tmp_path):
    endless = h5py.h5s.UNLIMITED
    space = h5py.h5s.create_simple((4, 8, 8), (endless, 8, 8))
    space.select_hyperslab((0, 0, 0), (endless, 1, 1), (2, 1, 1), (2, 8, 8))
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_virtual(space, b".", b"part%b", h5py.h5s.create_simple((2, 8, 8)))
    with h5py.File(tmp_path / "made.h5", "w") as file:
        whole = h5py.h5s.create_simple((4, 8, 8), (endless, 8, 8))
        h5py.h5d.create(file.id, b"part0", h5py.h5t.NATIVE_UINT16, whole, properties)
    with pytest.raises(FileError, match="is put together from itself"):
        read_scan(tmp_path / "made.h5", layout=Layout(frames="part0"))


def test_a_virtual_dataset_of_too_many_levels(cxi):
    path = cxi({DATA: None, "level0": np.ones((N, H, W), np.int32)}, link=False)
    with h5py.File(path, "a") as file:
        for level in range(30):
            layout = h5py.VirtualLayout((N, H, W), "i4")
            layout[:] = h5py.VirtualSource(".", f"level{level}", (N, H, W))
            file.create_virtual_dataset(f"level{level + 1}" if level < 29 else DATA, layout)
    with pytest.raises(FileError, match=r"is put together from itself"):
        read_scan(path)


# links and groups inside the file


def test_a_soft_link_to_nowhere_is_passed_by_where_the_frames_are_elsewhere(cxi, counts):
    path = cxi(link=False)
    with h5py.File(path, "a") as file:
        file["entry_1/data_1/data"] = h5py.SoftLink("/gone")
    np.testing.assert_array_equal(read_scan(path).patterns, counts)


def test_a_soft_link_to_nowhere(cxi):
    path = cxi({DATA: None}, link=False)
    with h5py.File(path, "a") as file:
        file["entry_1/data_1/data"] = h5py.SoftLink("/gone")
    with pytest.raises(FileError, match=r"is a link to '/gone', which is not in the file"):
        read_scan(path)


def test_a_group_where_the_frames_should_be(cxi, counts):
    path = cxi({DATA: None, f"{DATA}/data": counts.astype(np.int32)})
    np.testing.assert_array_equal(read_scan(path).patterns, counts)


# files that are not whole, or not what their name says


def test_a_file_that_is_still_being_written(cxi, tmp_path):
    whole = cxi().read_bytes()
    cut = tmp_path / "cut.cxi"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError, match=r"cut.cxi: the file is incomplete, .* kB of .* kB"):
        read_scan(cut)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "Git LFS pointer"),
        (b"/annex/objects/SHA256E-s12--00.h5\n", "git-annex pointer"),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>", "a web page"),
        (pickle.dumps({"data": 1}, 4), "a Python pickle, which is never opened"),
    ],
)
@pytest.mark.parametrize("name", ["scan.h5", "scan.npz", "scan.tif", "scan.mib", "scan.mat"])
def test_something_else_under_the_name_of_a_scan(tmp_path, content, words, name):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FileError, match=words):
        read_scan(path)


# positions


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_positions_that_are_no_numbers(cxi, counts, positions, value):
    stored = translation(positions)
    stored[[3, 7], 0] = value
    scan = read_scan(cxi({PLACES: stored}))
    kept = [number for number in range(N) if number not in (3, 7)]
    np.testing.assert_array_equal(scan.patterns, counts[kept])
    np.testing.assert_allclose(scan.positions_m, positions[kept])
    assert "2 patterns have no finite position and were dropped: 3, 7." in told(scan)


def test_three_frames_too_many(cxi, counts, positions):
    scan = read_scan(cxi({PLACES: translation(positions[:-3])}))
    np.testing.assert_array_equal(scan.patterns, counts[:-3])
    np.testing.assert_allclose(scan.positions_m, positions[:-3])
    assert "12 patterns but 9 positions: only the first 9 of both are used" in told(scan)


def test_three_positions_too_many(cxi, counts, positions):
    more = np.concatenate([positions, positions[:3]])
    scan = read_scan(cxi({PLACES: translation(more)}))
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_allclose(scan.positions_m, positions)
    assert "12 patterns but 15 positions: only the first 12 of both are used" in told(scan)


def test_several_samples_of_the_encoder_for_each_frame(cxi, positions):
    jitter = np.array([-1e-8, 0, 1e-8])[:, np.newaxis]
    samples = (positions[:, np.newaxis] + jitter).reshape(-1, 2)
    scan = read_scan(cxi({PLACES: translation(samples)}))
    np.testing.assert_allclose(scan.positions_m, positions, atol=1e-15)
    assert "36 positions for 12 frames: the mean of each 3 that follow one another" in told(scan)


def test_several_frames_for_each_position_are_told_not_guessed(cxi, positions):
    scan = read_scan(cxi({PLACES: translation(positions[:4])}))
    assert len(scan) == 4
    assert "there are exactly 3 frames for each position" in told(scan)


def test_several_rows_for_each_trigger(npz, counts, positions, tmp_path):
    path = tmp_path / "triggers.csv"
    rows = ["trigger,y_m,x_m"]
    for number, (y, x) in enumerate(positions):
        rows += [f"{number},{y - 1e-8:.12g},{x:.12g}", f"{number},{y + 1e-8:.12g},{x:.12g}"]
    path.write_text("\n".join(rows))
    np.save(tmp_path / "frames.npy", counts.astype(np.uint16))
    scan = read_scan(tmp_path / "frames.npy", positions=path)
    np.testing.assert_allclose(scan.positions_m, positions, atol=1e-13)
    assert "24 samples of 12 frames" in told(scan)


def test_an_encoder_that_was_off(cxi, positions):
    stored = np.stack([positions[:, 0], np.zeros(N)], axis=1)
    scan = read_scan(cxi({PLACES: translation(stored)}))
    assert f"x is 0 at all {N} positions: was the encoder or interferometer off?" in told(scan)


def test_a_readback_of_zeros_falls_back_to_the_set_values(tmp_path, counts):
    path = tmp_path / "i14.nxs"
    with h5py.File(path, "w") as file:
        file["entry/diamond_scan/scan_shape"] = [3, 4]
        file["entry/merlin_addetector/data"] = counts.reshape(3, 4, H, W).astype(np.uint16)
        for axis, length in (("Y", 3), ("X", 4)):
            file[f"entry/merlin_addetector/Sample{axis}_value_set"] = np.arange(length) * 1e-3
            file[f"entry/instrument/Sample{axis}/value"] = np.zeros((3, 4))
    scan = read_scan(path)
    expected = np.stack(np.divmod(np.arange(N), 4), axis=1) * 1e-6
    np.testing.assert_allclose(scan.positions_m, expected)
    assert "was the encoder off?" in told(scan)


def test_frames_without_positions_ask_for_them(tmp_path, counts):
    np.save(tmp_path / "frames.npy", counts.astype(np.uint16))
    with pytest.raises(NeedsPositions, match=r"holds .*\(12, 32, 24\).* but no positions; give a"):
        read_scan(tmp_path / "frames.npy")


# units


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (8000 * 1.602176634e-19, ""),
        (8.0, "was taken as keV: 8000 eV"),
        (8000.0, "was taken as eV: 8000 eV"),
        (8000 * 1.602176634e-9, "was taken as joules, 1e10 times too large: 8000 eV"),
    ],
)
def test_an_energy_in_another_unit(cxi, value, words):
    scan = read_scan(cxi({f"{SOURCE}/energy": value}))
    assert scan.geometry.energy_ev == pytest.approx(8000)
    assert words in told(scan)


def test_the_energy_of_the_machine_is_not_that_of_the_photons(cxi):
    scan = read_scan(cxi({f"{SOURCE}/energy": 6e9}))
    assert scan.geometry.energy_ev is None
    assert scan.sources["energy_ev"] == "unknown"
    assert "is no photon energy (the machine's?); not used" in told(scan)


def test_a_distance_in_millimetres_without_a_unit(cxi):
    scan = read_scan(cxi({f"{DETECTOR}/distance": 1500.0}))
    assert "distance: 1500 m? Here usual are 0.001 to 50 m; a unit slip by a factor" in told(scan)
    assert "0.001 is likely" in told(scan)


def test_positions_in_micrometres_where_metres_are_meant(cxi, positions):
    scan = read_scan(cxi({PLACES: translation(positions * 1e6)}))
    warning = next(row.warning for row in summary(scan) if row.name == "span")
    assert "a unit slip by a factor of 1e-06 is likely" in warning


def test_a_pixel_size_in_micrometres(cxi):
    parts = {f"{DETECTOR}/{axis}_pixel_size": 55.0 for axis in "xy"}
    warning = next(
        row.warning for row in summary(read_scan(cxi(parts))) if row.name == "detector pixel"
    )
    assert "a unit slip by a factor of 1e-06 is likely" in warning


def test_units_that_are_told_are_honoured(cxi, positions):
    scan = read_scan(
        cxi({f"{DETECTOR}/distance": 1500.0, PLACES: translation(positions * 1e6)}),
        geometry=None,
    )
    assert scan.geometry.distance_m == 1500
    told_units = {f"{DETECTOR}/distance": "mm", PLACES: "um"}
    path = cxi(
        {f"{DETECTOR}/distance": 1500.0, PLACES: translation(positions * 1e6)}, units=told_units
    )
    scan = read_scan(path)
    assert scan.geometry.distance_m == pytest.approx(1.5)
    np.testing.assert_allclose(scan.positions_m, positions)
    assert "slip" not in told(scan)


def test_a_distance_that_is_called_millimetres_but_is_in_metres(tmp_path, counts, positions):
    path = tmp_path / "isn.h5"
    with h5py.File(tmp_path / "line.h5", "w") as file:
        file["entry/data/data"] = counts.astype(np.uint16)
    with h5py.File(path, "w") as file:
        file["PTYCHO/line"] = h5py.ExternalLink("line.h5", "/entry/data/data")
        file["configs/det_dist_mm"] = 0.95
    np.save(tmp_path / "places.npy", positions)
    scan = read_scan(path, positions=tmp_path / "places.npy")
    assert scan.geometry.distance_m == 0.95
    assert "/configs/det_dist = 0.95 was taken as m." in told(scan)


def test_a_distance_against_the_beam(cxi):
    scan = read_scan(cxi({f"{DETECTOR}/distance": -1.5}))
    assert scan.geometry.distance_m == 1.5
    assert "The distance in the file is negative (-1.5 m); its size is used." in told(scan)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_values_that_say_nothing_stay_unknown(cxi, value):
    names = [f"{DETECTOR}/distance", f"{SOURCE}/energy"]
    names += [f"{DETECTOR}/{axis}_pixel_size" for axis in "xy"]
    scan = read_scan(cxi(dict.fromkeys(names, value)))
    geometry = scan.geometry
    assert (geometry.distance_m, geometry.energy_ev, geometry.detector_pixel_m) == (None,) * 3
    assert scan.pixel_size_m is None
    assert scan.sources["distance_m"] == "unknown"
    assert told(scan).count("says nothing (zero, not a number, or no known unit)") == 4


def test_a_detector_that_writes_zeros_for_what_it_does_not_know(master):
    scan = read_scan(master, layout=RASTER)
    assert scan.geometry.distance_m is None
    assert scan.sources["distance_m"] == "unknown"
    assert "beam centre" not in told(scan)


# pixels that do not count


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("u2", 65535),
        ("u4", 2**32 - 1),
        ("u2", 4095),
        ("i4", -1),
        ("i4", -2),
        ("f4", np.nan),
        ("f4", -1.0),
        ("u1", 255),
    ],
)
def test_dead_pixels_and_gaps_are_masked_not_clipped(cxi, counts, kind, code):
    stored = np.minimum(counts, 200).astype(kind)
    stored[:, 5, 6:9] = code
    scan = read_scan(cxi({DATA: stored}))
    expected = np.ones((H, W), bool)
    expected[5, 6:9] = False
    np.testing.assert_array_equal(scan.valid, expected)
    lit = np.minimum(counts, 200) * expected
    np.testing.assert_array_equal(scan.patterns * scan.valid, lit)
    assert f"3 of {H * W} pixels hold dead-pixel codes" in told(scan)


def test_pixels_that_are_dead_in_some_frames(cxi, counts):
    stored = counts.astype(np.int32)
    stored[4, 5, 6] = -1
    scan = read_scan(cxi({DATA: stored}))
    assert scan.valid.shape == (N, H, W)
    assert (~scan.valid).sum() == 1
    assert not scan.valid[4, 5, 6]
    assert "not the same in all frames; they were masked frame by frame" in told(scan)


def test_counts_that_went_over_the_top_of_int16(npz, counts, positions):
    large = counts * 60
    path = npz(patterns=large.astype(np.uint16).view(np.int16), positions_m=positions)
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.patterns, large)
    assert "stored as negative int16; 65536 was added to them" in told(scan)


# masks


def test_the_bits_of_a_cxi_mask(cxi):
    mask = np.zeros((H, W), np.uint32)
    mask[2, 3], mask[4, 5] = 0x1, 0x1000  # bad; merely "has signal"
    scan = read_scan(cxi({MASK: mask}))
    assert not scan.valid[2, 3]
    assert scan.valid[4, 5]
    assert (~scan.valid).sum() == 1
    assert "The file's own mask marks 0.130% of the pixels as bad." in told(scan)


def test_a_mask_the_wrong_way_round(cxi):
    mask = np.ones((H, W), np.uint32)
    mask[0, :3] = 0
    scan = read_scan(cxi({MASK: mask}))
    assert "pixels as bad; is the mask inverted?" in told(scan)
    assert "valid pixels: More than half is masked; is the mask inverted?" in told(scan)


def test_a_mask_that_leaves_nothing(cxi):
    with pytest.raises(ScanError, match=r"no valid pixel is left; is the mask inverted"):
        read_scan(cxi({MASK: np.ones((H, W), np.uint32)}))


# what the numbers are


def test_amplitudes_are_squared(cxi, counts):
    scan = read_scan(cxi({DATA: np.sqrt(counts).astype(np.float32)}))
    np.testing.assert_array_equal(scan.patterns, counts)
    assert "amplitudes (their squares are whole numbers); they were squared" in told(scan)


def test_counts_are_not_squared(cxi, counts):
    scan = read_scan(cxi({DATA: counts.astype(np.float32)}))
    np.testing.assert_array_equal(scan.patterns, counts)
    assert "squared" not in told(scan)


def test_what_is_neither_is_told(cxi, counts):
    scan = read_scan(cxi({DATA: (counts * 0.37).astype(np.float32)}))
    np.testing.assert_allclose(scan.patterns, counts * 0.37, rtol=1e-6)
    assert "they are taken as intensities, not amplitudes" in told(scan)


def test_zero_frequency_at_the_corner(cxi, counts):
    scan = read_scan(cxi({DATA: np.fft.ifftshift(counts, axes=(1, 2)).astype(np.int32)}))
    np.testing.assert_array_equal(scan.patterns, counts)
    assert "Zero frequency was at the corner and was moved to the middle" in told(scan)


def test_frames_that_do_not_tell_where_zero_frequency_is(cxi):
    scan = read_scan(cxi({DATA: np.full((N, H, W), 7, np.int32)}))
    assert "Zero frequency is taken to be in the middle; the frames do not tell" in told(scan)


# axes


def test_translations_with_their_axes_exchanged(cxi, positions):
    path = cxi({PLACES: translation(positions).T})
    np.testing.assert_allclose(read_scan(path).positions_m, positions)


def test_two_rows_of_positions(npz, counts, positions):
    path = npz(patterns=counts.astype(np.uint16), positions_m=positions.T)
    scan = read_scan(path)
    np.testing.assert_allclose(scan.positions_m, positions)
    assert "were taken as a row of y, a row of x" in told(scan)


def test_frames_with_their_number_last(npz, counts, positions):
    path = npz(
        diffraction=np.moveaxis(counts, 0, 2).astype(np.uint16),
        xcoords_start=positions[:, 1],
        ycoords_start=positions[:, 0],
        probeGuess=np.ones((H, W), complex),
        objectGuess=np.ones((99, 99), complex),
    )
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_allclose(scan.positions_m, positions)


def test_a_cube_of_four_axes_of_which_none_fits_asks(npz, counts, positions):
    stack = np.stack([counts, counts]).astype(np.uint16)
    with pytest.raises(ScanError, match=r"one angle, energy or channel at a time; say which axis"):
        read_scan(npz(patterns=stack, positions_m=positions))


def test_the_energy_of_a_spectrum_is_chosen(npz, counts, positions):
    stack = np.stack([counts, 2 * counts]).astype(np.uint16)
    path = npz(patterns=stack, positions_m=positions)
    scan = read_scan(path, layout=Layout(extra_axis="first", extra_index=1))
    np.testing.assert_array_equal(scan.patterns, 2 * counts)
    assert "place 1 of 2 on its first axis is read" in told(scan)


# probes, dark frames


def test_a_probe_of_another_size(npz, counts, positions):
    probe = np.zeros((8, 8), np.complex64)
    probe[4, 4] = 1
    scan = read_scan(npz(patterns=counts, positions_m=positions, probe=probe))
    assert scan.probe.shape == (1, H, W)
    assert np.argwhere(scan.probe[0]).tolist() == [[H // 2, W // 2]]
    assert "The probe of 8 x 8 pixels was padded or cropped around its middle" in told(scan)


def test_frames_without_beam(cxi, counts):
    stored = counts.astype(np.int32)
    stored[[2, 9]] = 0
    scan = read_scan(cxi({DATA: stored}))
    assert len(scan) == N - 2
    assert "2 frames hold no count at all and were left out: 2, 9." in told(scan)


def test_no_frame_with_a_count(cxi):
    scan = read_scan(cxi({DATA: np.zeros((N, H, W), np.int32)}))
    assert f"There is no count in any of {N} frames: was the shutter closed?" in told(scan)
    assert "counts per pattern: No counts at all" in told(scan)


def test_frames_with_hardly_any_beam(cxi, counts):
    monitor = np.full(N, 1000.0)
    monitor[5] = 40
    scan = read_scan(cxi({"entry_1/data_1/monitor": monitor}))
    np.testing.assert_array_equal(scan.patterns, np.delete(counts, 5, 0))
    assert "1 frames with a monitor below a tenth of its median (1000) were left out: 5." in told(
        scan
    )


# size and chunks


def test_a_badly_chunked_file_says_what_it_costs(cxi, counts):
    path = cxi({DATA: None})
    with h5py.File(path, "a") as file:
        file.create_dataset(DATA, data=counts.astype(np.int32), chunks=(6, 8, 8), compression=1)
    scan = read_scan(path, lazy_above_bytes=0)
    assert "keeps 6 frames in one chunk (6, 8, 8): showing one frame decompresses 6" in told(scan)
    np.testing.assert_array_equal(scan.patterns, counts)


def test_a_badly_chunked_file_is_read_in_blocks(cxi, counts, monkeypatch):
    path = cxi({DATA: None})
    with h5py.File(path, "a") as file:
        file.create_dataset(DATA, data=counts.astype(np.int32), chunks=(5, 8, 8), compression=1)
    scan = read_scan(path, lazy_above_bytes=0)
    read, usual = [], Hdf5Frames.read

    def counted(frames, start, stop):
        read.append((start, stop))
        return usual(frames, start, stop)

    monkeypatch.setattr(Hdf5Frames, "read", counted)
    for number in (0, 1, 4, 5, 11, 10):
        np.testing.assert_array_equal(scan.patterns[number], counts[number])
    assert read == [(5, 10), (10, 12)]  # the first chunk was at hand since the file was opened
    np.testing.assert_array_equal(scan.patterns[3:7], counts[3:7])


def test_chunks_that_fill_the_memory(cxi):
    path = cxi({DATA: None})
    with h5py.File(path, "a") as file:
        file.create_dataset(DATA, (4, 2**15, 2**15), "u2", chunks=(1, 2**15, 2**15))
    with pytest.raises(FileError, match=r"has chunks of 2.15 GB, of which every frame needs"):
        read_scan(path)


def test_positions_that_claim_more_than_the_file_can_hold(cxi):
    path = cxi({PLACES: None})
    with h5py.File(path, "a") as file:
        file.create_dataset(PLACES, (10**9, 3), "f8", chunks=(1000, 3))
    with pytest.raises(FileError, match=r"claims to have 24 GB, but the file holds 0 bytes of it"):
        read_scan(path)


def test_frames_that_lie_in_a_device(cxi):
    path = cxi({DATA: None})
    with h5py.File(path, "a") as file:
        file.create_dataset(DATA, (N, H, W), "u2", external=[("/dev/zero", 0, 10**6)])
    with pytest.raises(FileError, match=r"lies in the raw file /dev/zero, which is not there"):
        read_scan(path)


def test_pages_that_go_in_a_circle(tmp_path, counts):
    path = tmp_path / "circle.tif"
    tifffile.imwrite(path, counts.astype(np.uint16), photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path) as file:
        first, last = file.pages[0].offset, file.pages[-1]
        at = last.offset + 2 + 12 * len(last.tags)
    content = bytearray(path.read_bytes())
    content[at : at + 4] = first.to_bytes(4, "little")
    path.write_bytes(content)
    sentence = r"circle.tif: page 12 is followed by one that came before; the file is damaged"
    with pytest.raises(FileError, match=sentence):
        read_scan(path)
    with pytest.raises(FileError, match=sentence):
        read_image(path)


def test_a_scan_larger_than_the_memory_stays_on_disk(cxi, tmp_path):
    path = cxi({DATA: None, PLACES: translation(np.indices((200, 500)).reshape(2, -1).T * 1e-7)})
    with h5py.File(path, "a") as file:
        shape, chunks = (100_000, 512, 512), (1, 512, 512)
        frames = file.create_dataset(DATA, shape, "u2", chunks=chunks, compression=1)
        frames[70_000, 256, 256] = 9
        del file[MASK]
    assert path.stat().st_size < 10**7  # of 52 GB
    scan = read_scan(path)
    assert scan.is_lazy
    assert scan.patterns[70_000].compute().sum() == 9


# rasters


@pytest.mark.parametrize("snake", [False, True])
def test_a_raster_with_or_without_a_snake(master, snake):
    scan = read_scan(master, layout=replace(RASTER, snake=snake))
    there, back = [0.0, 2.0, 4.0, 6.0], [6.0, 4.0, 2.0, 0.0]
    columns = there + (back if snake else there) + there
    np.testing.assert_allclose(scan.positions_m[:, 1], np.array(columns) * 1e-6)
    np.testing.assert_allclose(scan.positions_m[:, 0], np.repeat([0, 1e-6, 2e-6], 4))


def test_an_offset_of_the_positions_does_not_matter(cxi, positions):
    scan = read_scan(cxi({PLACES: translation(positions + np.array([0.02, -0.01]))}))
    np.testing.assert_allclose(np.ptp(scan.positions_m, axis=0), np.ptp(positions, axis=0))
    assert "slip" not in told(scan)


# code in files


class _Trap:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_pickles_in_archives_are_refused(tmp_path, counts):
    canary = tmp_path / "canary"
    path = tmp_path / "scan.npz"
    trap = np.array([_Trap(canary)], object)
    np.savez(path, patterns=counts, positions_px=trap)
    with pytest.raises(FileError, match=r"'positions_px' is pickled; pickles can run code"):
        read_scan(path)
    np.save(tmp_path / "scan.npy", trap, allow_pickle=True)
    with pytest.raises(FileError, match="is pickled; pickles can run code"):
        read_scan(tmp_path / "scan.npy")
    assert not canary.exists()


def test_a_pickle_beside_the_frames_is_not_looked_at(tmp_path, counts, positions):
    canary, path = tmp_path / "canary", tmp_path / "scan.npz"
    np.savez(path, patterns=counts, positions_m=positions)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("metadata.pkl", pickle.dumps(_Trap(canary)))
    assert len(read_scan(path)) == N
    assert not canary.exists()


@pytest.mark.parametrize("kind", ["pickle", "record_array"])
def test_pickles_in_ptyd_are_not_opened(tmp_path, counts, positions, kind):
    canary, path = tmp_path / "canary", tmp_path / "scan.ptyd"
    with h5py.File(path, "w") as file:
        file.attrs["h5rw_version"] = "0.1"
        file["meta/num_frames"], file["meta/energy"] = N, 8.0
        file["chunks/0/data"], file["chunks/0/positions"] = counts.astype("f4"), positions
        file["chunks/0/indices"] = np.arange(N)
        for name in ("info/recipe", "meta/label"):
            file[name] = np.frombuffer(pickle.dumps(_Trap(canary), 0), np.uint8)
            file[name].attrs["type"] = kind
    scan = read_scan(path)
    np.testing.assert_allclose(scan.positions_m, positions)
    assert not canary.exists()


# our own files, changed by somebody


@pytest.mark.parametrize("name", ["geometry", "sources", "notes"])
def test_our_scan_with_something_else_in_its_json(scan, tmp_path, name):
    path = tmp_path / "scan.h5"
    write_scan(scan, path)
    with h5py.File(path, "a") as file:
        del file[name]
        file[name] = "7"
    with pytest.raises(FileError, match=f"scan.h5: '{name}' is no (dict|list); damaged"):
        read_scan(path)


@pytest.mark.parametrize("content", ["[1]", "{}", '{"provenance": []}'])
def test_our_result_with_something_else_in_its_json(tmp_path, content):
    path = tmp_path / "result.h5"
    probe = np.ones((1, 8, 8), complex)
    write_reconstruction(Reconstruction(np.ones((20, 20), complex), probe, [[2.0, 3.0]]), path)
    with h5py.File(path, "a") as file:
        del file["napari_ptycho"]
        file["napari_ptycho"] = content
    with pytest.raises(ScanError, match="does not hold what this program writes; damaged"):
        read_reconstruction(path)


# more than one thing wrong


def test_one_image_is_no_scan(tmp_path):
    tifffile.imwrite(tmp_path / "one.tif", np.ones((8, 8), np.uint16))
    with pytest.raises(PtychoError, match=r"holds one image, not a scan"):
        read_scan(tmp_path / "one.tif")
