"""The orientation of frames is found: of simulated scans with turned frames, and of real ones."""

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest

from napari_ptycho.engines import RpieOptions, find_orientation, reconstruct
from napari_ptycho.engines.orientation import (
    OrientationOptions,
    first_probes,
    steps,
    subject,
)
from napari_ptycho.engines.ranking import OrientationRanking, relabelled
from napari_ptycho.errors import ScanError
from napari_ptycho.io import read_scan
from napari_ptycho.job import run_to_end
from napari_ptycho.model import Geometry
from napari_ptycho.physics.align import illuminated
from napari_ptycho.prepare import first_guess, orient
from napari_ptycho.prepare.orientation import CODES, classes, compose, inverse, turned

from .conftest import NEAR

FEW = OrientationOptions(patterns=81, first_epochs=2, epochs=5)


def misread(scan, code):
    """The scan as it would be read were its frames stored turned by this code."""
    near = scan.geometry.propagation == "near"
    frames = np.ascontiguousarray(turned(scan.patterns, code, near))
    return replace(scan, patterns=frames, valid=turned(scan.valid, code, near))


def found(scan, options=FEW):
    return run_to_end(find_orientation(scan, options, "cpu"))


@pytest.mark.parametrize("code", [0, 1, 5, 7])
def test_the_class_found_in_the_far_field_undoes_the_turn(code, make):
    scan, _ = make(photons=1e5)
    ranking = found(misread(scan, code))
    assert inverse(code) in ranking.classes[0]
    assert ranking.decided
    assert sorted(ranking.codes) == list(CODES)
    assert list(ranking.errors) == sorted(ranking.errors)
    assert ranking.sentence.startswith(f"Orientation {ranking.codes[0]} ")
    assert "joint sign of both axes cannot be known" in ranking.ambiguity


def test_a_scan_without_a_probe_is_decided_too(make):
    scan, _ = make(photons=1e5)
    ranking = found(replace(misread(scan, 6), probe=None), replace(FEW, first_epochs=4, epochs=12))
    assert inverse(6) in ranking.classes[0]
    assert ranking.decided


@pytest.mark.parametrize("code", [5])
def test_in_the_near_field_one_of_eight_is_found(code, make):
    scan, _ = make(geometry=NEAR)
    ranking = found(misread(scan, code))
    assert ranking.codes[0] == inverse(code) == 6
    assert ranking.classes == tuple((one,) for one in ranking.codes)
    assert ranking.decided
    assert ranking.ambiguity == "In the near field all eight orientations can be told apart."


def test_the_other_one_of_a_pair_has_the_error_and_the_conjugate_that_it_is_given(make):
    """What is not run is proved: flipped both ways, begun from the conjugate probe."""
    scan, _ = make(photons=1e5)
    options = RpieOptions(epochs=3)
    one = run_to_end(reconstruct(scan, options, first_guess(scan), "cpu"))
    other = replace(orient(scan, 3), probe=scan.probe.conj())
    two = run_to_end(reconstruct(other, options, first_guess(other), "cpu"))
    np.testing.assert_allclose(two.errors, one.errors, rtol=1e-3)
    np.testing.assert_allclose(two.object, one.object.conj(), atol=2e-3)


def test_a_flat_object_decides_nothing(make):
    scan, _ = make(photons=1e4)
    flat = np.broadcast_to(scan.patterns.mean(axis=0), scan.patterns.shape)
    noisy = np.random.default_rng(0).poisson(flat + turned(flat, 3)).astype(np.uint16)
    ranking = found(replace(scan, patterns=noisy))
    assert not ranking.decided
    assert ranking.sentence.startswith("The errors do not decide")


def test_images_are_the_lit_object_the_right_way_round(make):
    """Positions are fixed: the object found is the true one, or its conjugate."""
    scan, truth = make(photons=1e6)
    ranking = found(misread(scan, 1), replace(FEW, epochs=15))
    images = dict(zip(ranking.codes, ranking.images, strict=True))
    np.testing.assert_array_equal(images[1], images[2].conj())
    rows, columns = np.nonzero(illuminated(truth))
    lit = truth.object[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    spectra = [np.fft.fft2(np.angle(one), s=(96, 96)) for one in (images[1], lit)]
    spectra = [np.where(np.arange(96 * 96).reshape(96, 96) == 0, 0, one) for one in spectra]
    match = np.abs(np.fft.ifft2(spectra[0] * spectra[1].conj()).real)
    power = np.sqrt(np.prod([(np.abs(one) ** 2).sum() for one in spectra])) / 96**2
    assert match.max() / power > 0.8
    flipped = np.fft.fft2(np.angle(lit[:, ::-1]), s=(96, 96))
    assert np.abs(np.fft.ifft2(spectra[0] * flipped.conj()).real).max() / power < 0.5


def test_the_patch_is_connected_amid_the_scan_and_in_memory(make):
    scan, _ = make()
    lazy = replace(scan, patterns=da.from_array(scan.patterns, chunks=(20, 32, 32)))
    part = subject(lazy, 20)
    assert not part.is_lazy
    assert len(part) == 20
    middle = np.median(scan.in_pixels(), axis=0)
    distance = np.linalg.norm(scan.in_pixels() - middle, axis=1)
    inside = np.linalg.norm(part.in_pixels() - middle, axis=1)
    assert inside.max() == np.sort(distance)[19]


def test_large_frames_are_cut_to_where_the_counts_are(make):
    scan, _ = make(photons=1e4)
    frames = np.zeros((81, 300, 300), np.uint16)
    frames[:, 134:166, 134:166] = scan.patterns
    large = replace(scan, patterns=frames, valid=None, probe=None)
    part = subject(large, 81)
    assert part.frame_shape == (128, 128)
    np.testing.assert_array_equal(part.patterns[:, 48:80, 48:80], scan.patterns)
    np.testing.assert_allclose(part.in_pixels(), scan.positions_px * 128 / 300)


def test_progress_runs_to_the_total_and_a_stop_keeps_what_was_ranked(make):
    scan, _ = make()
    done, ranked = [], []
    job = find_orientation(scan, replace(FEW, patterns=20), "cpu")
    for update in job:
        done.append(update.done / update.total)
        ranked.append(len(update.result.codes))
        if ranked[-1] == 4:
            break
    job.close()
    assert done == sorted(done)
    assert 0.4 < done[-1] < 0.8
    assert set(ranked) == {0, 2, 4}
    assert len(update.result.classes) == 2
    last = list(find_orientation(scan, replace(FEW, patterns=9, first_epochs=1, epochs=1), "cpu"))[
        -1
    ]
    assert last.done == last.total
    assert sorted(last.history) == [
        "orientation 0",
        "orientation 1",
        "orientation 4",
        "orientation 5",
    ]


@pytest.mark.parametrize("near", [False, True])
@pytest.mark.parametrize("probe", [False, True])
def test_the_steps_are_known_before(near, probe, make):
    scan, _ = make(geometry=NEAR if near else None)
    scan = scan if probe else replace(scan, probe=None)
    wide = replace(scan, patterns=scan.patterns[:, :, 4:], valid=None, probe=None)
    if probe:
        wide = replace(wide, probe=scan.probe[:, :, 4:])
    for one in (scan, wide):
        probes = [first_probes(one, code) for code, *_ in classes("near" if near else "far")]
        assert steps(one, FEW) == sum(
            FEW.first_epochs * len(p) + FEW.epochs - FEW.first_epochs for p in probes
        )


def test_after_a_turn_the_ranking_is_of_the_turned_scan():
    images = tuple(np.full((2, 2), code, np.complex64) for code in (5, 6, 0, 3))
    ranking = OrientationRanking((5, 6, 0, 3), (1.0, 1.0, 2.0, 2.0), images, ((5, 6), (0, 3)), 9)
    new = relabelled(ranking, 5)
    assert new.codes[0] == 0
    for old, now in zip(ranking.codes, new.codes, strict=True):
        assert compose(5, now) == old
    assert new.classes == ((0, 3), (6, 5))
    assert new.errors == ranking.errors


def test_first_probes_of_the_file_come_turned_and_not_and_conjugate(make):
    scan, _ = make()
    assert len(first_probes(scan, 0)) == 2
    four = first_probes(scan, 5)
    np.testing.assert_array_equal(four[0], orient(scan, 5).probe)
    np.testing.assert_array_equal(four[1], four[0].conj())
    np.testing.assert_array_equal(four[2], scan.probe)


def test_what_is_missing_is_told(make):
    scan, _ = make()
    few = replace(scan, patterns=scan.patterns[:4], positions_px=scan.positions_px[:4])
    with pytest.raises(ScanError, match=r"4 patterns; .* needs at least 9: take"):
        found(few)
    unknown = replace(
        scan, positions_px=None, positions_m=scan.positions_px * 1e-8, geometry=Geometry()
    )
    with pytest.raises(ScanError, match="object pixel size is unknown"):
        found(unknown)
    with pytest.raises(ScanError, match=r"hold no counts; look .* by more patterns"):
        found(replace(scan, patterns=np.zeros_like(scan.patterns)))
    nothing = OrientationRanking((), (), (), (), 0)
    assert (nothing.margin, nothing.decided, nothing.sentence) == (
        None,
        False,
        "Nothing to compare yet.",
    )
    assert nothing.ambiguity == ""


@pytest.mark.real
def test_the_measured_star_with_turned_frames(real_data):
    star = read_scan(real_data / "tike_siemens" / "siemens-star-small.npz.bz2")
    for scan, code in ((star, 1), (replace(star, probe=None), 4)):
        ranking = found(misread(scan, code), OrientationOptions(epochs=4))
        assert inverse(code) in ranking.classes[0]
        assert ranking.margin > 0.3


@pytest.mark.real
def test_the_measured_near_field_has_one_orientation(real_data):
    file = next((real_data / "p25_nearfield").glob("*.cxi"))
    scan = read_scan(file, {"propagation": "near", "focus_to_sample_m": 3.65e-3})
    for code in (0, 5):
        ranking = found(
            misread(scan, code), OrientationOptions(patterns=60, first_epochs=2, epochs=2)
        )
        assert ranking.codes[0] == inverse(code)
        assert ranking.margin > 0.4
