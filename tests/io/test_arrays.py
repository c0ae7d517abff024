import bz2
import gzip

import numpy as np
import pytest

from napari_ptycho.errors import FileError, PtychoError, ScanError
from napari_ptycho.io import read_scan


def test_tike(npz, counts, rng):
    corners = rng.uniform(0, 90, (1, len(counts), 2)).astype(np.float32)
    probe = rng.normal(size=(1, 1, 2, 3, *counts.shape[1:])).astype(np.complex64)
    stored = np.fft.ifftshift(counts, axes=(1, 2))[np.newaxis].astype(np.float32)
    scan = read_scan(npz(data=stored, scan=corners, probe=probe))
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_array_equal(scan.positions_px, corners[0])
    np.testing.assert_array_equal(scan.probe, probe[0, 0, 0])
    assert scan.pixel_size_m is None
    assert scan.sources["positions_px"] == "file: scan"
    assert scan.sources["energy_ev"] == "unknown"
    assert any("first set of modes" in note for note in scan.notes)


@pytest.mark.parametrize("name", ["positions_m", "positions"])
def test_generic_with_everything(npz, counts, positions, name):
    valid = np.ones(counts.shape[1:], np.uint8)
    valid[2, 3] = 0
    scan = read_scan(
        npz(
            patterns=counts,
            **{name: positions},
            energy_ev=8000,
            distance_m=[2.0],
            detector_pixel_m=75e-6,
            focus_to_sample_m=1e-3,
            propagation="near",
            valid=valid,
            exposure=np.arange(1, len(counts) + 1),
            probe=np.ones(counts.shape[1:]),
        )
    )
    np.testing.assert_array_equal(scan.positions_m, positions)
    np.testing.assert_array_equal(scan.valid, valid)
    assert scan.geometry.energy_ev == 8000
    assert scan.geometry.distance_m == 2
    assert scan.geometry.detector_pixel_m == (75e-6, 75e-6)
    assert scan.geometry.propagation == "near"
    assert scan.probe.shape == (1, *counts.shape[1:])
    assert scan.exposure[-1] == len(counts)
    assert scan.sources["distance_m"] == "file: distance_m"
    assert scan.sources["propagation"] == "file: propagation"


def test_positions_without_a_unit_are_pixels_when_large(npz, counts, positions):
    scan = read_scan(npz(patterns=counts, positions=positions * 1e8))
    assert scan.positions_m is None
    assert any("taken as object pixels" in note for note in scan.notes)


def test_ptynet_leaves_its_truth_alone(npz, counts):
    corners = np.arange(2 * len(counts)).reshape(-1, 2)
    scan = read_scan(npz(data=counts, positions_px=corners, object=np.ones((90, 90), complex)))
    np.testing.assert_array_equal(scan.positions_px, corners)
    assert any("object" in note for note in scan.notes)


@pytest.mark.parametrize("pack", [bz2.compress, gzip.compress], ids=["bz2", "gz"])
def test_packed_archives_open(npz, counts, positions, tmp_path, pack):
    packed = tmp_path / "made.packed"  # the ending is not looked at
    packed.write_bytes(pack(npz(patterns=counts, positions_m=positions).read_bytes()))
    np.testing.assert_array_equal(read_scan(packed).patterns, counts)


def test_a_raster_of_frames_is_flattened(npz, counts, positions):
    stored = counts.reshape(3, 4, *counts.shape[1:])
    scan = read_scan(npz(patterns=stored, positions_m=positions.reshape(3, 4, 2)))
    np.testing.assert_array_equal(scan.patterns, counts)
    np.testing.assert_array_equal(scan.positions_m, positions)


def test_two_rows_of_positions_are_turned(npz, counts, positions):
    scan = read_scan(npz(patterns=counts, positions_m=positions.T))
    np.testing.assert_array_equal(scan.positions_m, positions)
    assert any("row of y" in note for note in scan.notes)


def test_a_smaller_probe_is_padded_around_its_middle(npz, counts, positions):
    probe = np.zeros((16, 40), complex)
    probe[8, 20] = 1
    scan = read_scan(npz(patterns=counts, positions_m=positions, probe=probe))
    assert np.argwhere(scan.probe[0]).tolist() == [[16, 12]]
    assert any("padded or cropped" in note for note in scan.notes)


def test_frames_without_a_finite_position_are_dropped(npz, counts, positions):
    positions[[2, 5]] = np.nan
    exposure = np.arange(1, len(counts) + 1)
    scan = read_scan(npz(patterns=counts, positions_m=positions, exposure=exposure))
    kept = np.delete(np.arange(len(counts)), [2, 5])
    np.testing.assert_array_equal(scan.patterns, counts[kept])
    np.testing.assert_array_equal(scan.exposure, exposure[kept])
    assert any("2 patterns have no finite position" in note for note in scan.notes)


@pytest.mark.parametrize(("frames", "places"), [(9, 12), (12, 9)])
def test_frames_and_positions_are_cut_to_the_shorter(npz, counts, positions, frames, places):
    scan = read_scan(npz(patterns=counts[:frames], positions_m=positions[:places]))
    np.testing.assert_array_equal(scan.patterns, counts[:9])
    np.testing.assert_array_equal(scan.positions_m, positions[:9])
    assert any(f"{frames} patterns but {places} positions" in note for note in scan.notes)


def test_numbers_that_say_nothing_stay_unknown(npz, counts, positions):
    scan = read_scan(npz(patterns=counts, positions_m=positions, energy_ev=0, distance_m=np.nan))
    assert scan.geometry.energy_ev is None
    assert scan.geometry.distance_m is None
    assert sum("left unknown" in note for note in scan.notes) == 2


def test_a_mask_per_frame_goes_with_its_frames(npz, counts, positions):
    valid = np.ones(counts.shape, bool)
    valid[4, 1, 2] = False
    positions[0] = np.nan
    scan = read_scan(npz(patterns=counts, positions_m=positions, valid=valid))
    np.testing.assert_array_equal(scan.valid, valid[1:])


REFUSED = {
    "Ptychodus diffraction": lambda c, p: {"patterns": c, "indexes": p, "bad_pixels": c[0] > 5},
    "no positions": lambda c, p: {"arr_0": c},
    "one angle, energy": lambda c, p: {"data": np.stack([c, c]), "scan": p},
    "need (N, H, W)": lambda c, p: {"data": c[0], "scan": p},
    "need real counts": lambda c, p: {"data": c * 1j, "scan": p},
    "is <U1; need numbers": lambda c, p: {"data": c, "scan": p.astype("U1")},
    "need (12, 2)": lambda c, p: {"data": c, "scan": np.ones((len(c), 3))},
    "none of 12 positions": lambda c, p: {"data": c, "scan": p * np.nan},
    "need one of the two to fit": lambda c, p: {"data": c, "scan": p, "valid": np.ones((3, 3))},
    "shape (5, 32, 24) but the frames have (12, 32, 24)": lambda c, p: {
        "data": c,
        "scan": p,
        "valid": np.ones((5, *c.shape[1:])),
    },
    "exposure has shape (5,)": lambda c, p: {"data": c, "scan": p, "exposure": np.ones(5)},
    "propagation is 'sideways'": lambda c, p: {"data": c, "scan": p, "propagation": "sideways"},
    "need (M, h, w)": lambda c, p: {"data": c, "scan": p, "probe": np.ones(9)},
    "mask inverted": lambda c, p: {"data": c, "scan": p, "valid": np.zeros(c.shape[1:])},
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_makes_no_scan_is_refused_in_a_sentence(npz, counts, positions, sentence):
    path = npz(**REFUSED[sentence](counts, positions))
    with pytest.raises(ScanError) as caught:
        read_scan(path)
    assert sentence in str(caught.value)


def test_a_bare_array_lacks_positions(tmp_path, counts):
    np.save(tmp_path / "bare.npy", counts)
    with pytest.raises(ScanError, match=r"bare.npy: holds an array of shape \(12, 32, 24\)"):
        read_scan(tmp_path / "bare.npy")


def test_a_pickled_array_is_never_opened(npz, counts):
    path = npz(patterns=counts, positions=np.array([{}, None], dtype=object))
    with pytest.raises(FileError, match="is pickled"):
        read_scan(path)


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["npz", "npy", "bz2", "gz"])
def test_a_file_cut_short_is_one_sentence(npz, counts, positions, tmp_path, kind, at):
    whole = npz(patterns=counts, positions_m=positions)
    if kind == "npy":
        np.save(tmp_path / "bare.npy", counts)
        whole = tmp_path / "bare.npy"
    packed = {"bz2": bz2.compress, "gz": gzip.compress}.get(kind, bytes)(whole.read_bytes())
    cut = tmp_path / "cut"
    cut.write_bytes(packed[: int(at * len(packed))])
    with pytest.raises(PtychoError, match="cut"):
        read_scan(cut)


def test_any_damaged_byte_gives_a_scan_or_a_sentence(npz, counts, positions, tmp_path, rng):
    whole = bytearray(npz(patterns=counts[:2, :8, :8], positions_m=positions[:2]).read_bytes())
    sentences = []
    for place in range(0, len(whole), 7):
        broken = whole.copy()
        broken[place] ^= 255
        (tmp_path / "broken").write_bytes(broken)
        try:
            read_scan(tmp_path / "broken")
        except PtychoError as error:
            sentences.append(str(error))
    assert len(sentences) > 10
    assert not any("\n" in sentence for sentence in sentences)


def test_codes_are_a_source_of_the_mask(npz, counts, positions):
    counts[:, 2, 3] = -1
    scan = read_scan(npz(patterns=counts, positions_m=positions))
    assert np.argwhere(~scan.valid).tolist() == [[2, 3]]
    assert scan.sources["valid"] == "file: codes among the counts"
