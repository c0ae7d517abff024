"""The honest route: what halves agree on, and what a network invented."""

from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho.assess.frc_options import FrcOptions
from napari_ptycho.assess.plane import Plane, plane_of
from napari_ptycho.assess.two_halves import PART, HonestOptions, honest, honest_images
from napari_ptycho.denoise import DenoiseOptions
from napari_ptycho.engines import RpieOptions, reconstruct
from napari_ptycho.engines.denoising import any_halves
from napari_ptycho.errors import OptionsError, PtychoError
from napari_ptycho.job import run_to_end
from napari_ptycho.phantoms import noisy
from napari_ptycho.samples import SampleOptions, open_sample

TINY = DenoiseOptions.of("arch1-bilinear", iterations=3, inputs=2, stop="second-copy")
NEAR = FrcOptions(threshold="1/7")


@pytest.fixture(scope="module")
def scene():
    """A small scan, its reconstruction, and two halves."""
    scan = open_sample("siemens-star", SampleOptions(lines=6, columns=6, step_nm=200.0))
    found = run_to_end(reconstruct(scan, RpieOptions(epochs=3), device="cpu"))
    return scan, found, run_to_end(any_halves(scan, found, device="cpu"))


def test_the_same_seed_invents_alike_and_different_seeds_do_not():
    """Section 4.4: two noisy copies, Arch 1, 170 iterations."""
    a, b = (Plane(noisy("fibres", seed=seed)[0], name=f"half {seed}") for seed in (0, 1))
    options = DenoiseOptions.of("arch1", rate=1e-2, iterations=170, stop="none")
    found = run_to_end(honest_images(a, b, NEAR, options, "cpu"))
    edge = {c.label: c.y[c.x > 0.48].mean() for c in found.curves()}
    assert edge["denoised, same seed"] > 0.3
    assert edge["denoised, different seeds"] < 0.15
    np.testing.assert_allclose(
        found.invention.y, found.same.curve.y - found.different.curve.y, atol=1e-12
    )
    place = found.different.crossing().first
    assert 0.25 < place < 0.4
    assert found.same.crossing().first is None
    assert found.invented == pytest.approx(found.invention.y[found.invention.x > place].mean())
    assert found.invented > 0.2
    said = " ".join(found.sentences())
    assert "Denoised, same seed: no crossing" in said
    assert f"{found.invented:.2f} on average" in said


def test_all_parts_of_a_scan_count_and_each_result_is_kept(scene):
    scan, found, _ = scene
    updates = list(honest(scan, found, HonestOptions(), NEAR, TINY, "cpu"))
    done = [update.done for update in updates]
    assert done == sorted(done)
    assert {update.total for update in updates} == {4 * PART}
    assert done[-1] == 4 * PART
    assert updates[0].result.raw is None
    assert updates[0].result.doing.startswith("making half reconstructions")
    assert any(update.result.doing.startswith("denoising half B, same") for update in updates)
    last = updates[-1].result
    assert [curve.label for curve in last.curves()] == [
        "raw halves",
        "denoised, different seeds",
        "denoised, same seed",
        "invention spectrum",
    ]
    assert [half.provenance["half"]["half"] for half in last.halves] == ["A", "B"]
    assert len(last.sentences()) == 4
    assert [plane.processed for plane in last.denoised] == ["denoised (arch1-bilinear)"] * 3
    assert not any("invented alike" in text for text in last.different.warnings)


def test_halves_with_one_seed_begin_alike(scene):
    pair = [plane_of(half) for half in scene[2]]
    same = run_to_end(honest_images(pair[0], pair[0], NEAR, TINY, "cpu"))
    np.testing.assert_array_equal(same.denoised[0].data, same.denoised[2].data)
    assert not np.array_equal(same.denoised[0].data, same.denoised[1].data)


def test_given_halves_and_no_network_is_one_step(scene):
    scan, found, halves = scene
    updates = list(honest(scan, found, halves=halves, device="cpu"))
    assert len(updates) == 1
    result = updates[0].result
    assert result.halves is halves
    assert result.different is None
    assert result.honest is result.raw
    assert result.invented is None
    assert result.sentences()[0].startswith("Raw halves: ")
    assert updates[0].done == updates[0].total


def test_halves_that_are_made_otherwise_than_the_image_are_told(scene):
    scan, found, halves = scene
    runs = [{"engine": "rPIE", "options": {"total_variation": 0.02}}]
    smooth = replace(found, provenance={**found.provenance, "runs": runs}, name="smooth")
    [update] = honest(scan, smooth, halves=halves, device="cpu")
    assert "'smooth' was regularised (total_variation), its halves are not" in update.notes[0]
    [plain] = honest(scan, found, halves=halves, device="cpu")
    assert not any("regularised" in note for note in plain.notes)


def test_it_can_be_closed_on_the_way_and_keeps_what_there_is(scene):
    scan, found, halves = scene
    job = honest(scan, found, None, NEAR, TINY, "cpu", halves)
    for update in job:
        if update.result.different is not None:
            break
    job.close()
    assert update.result.same is None
    assert update.result.invention is None
    assert len(update.result.curves()) == 2


def test_channel_and_way_of_halving_are_obeyed(scene):
    scan, found, halves = scene
    shown = {
        channel: run_to_end(honest(scan, found, HonestOptions(channel=channel), halves=halves))
        for channel in ("phase", "amplitude", "complex")
    }
    curves = [one.raw.curve.y for one in shown.values()]
    assert not np.allclose(curves[0], curves[1])
    assert not np.allclose(curves[0], curves[2])
    for by, n in (("photons", len(scan)), ("positions", len(scan) / 2)):
        first = next(honest(scan, found, HonestOptions(by=by), device="cpu"))
        assert first.result.halves[0].provenance["half"]["by"] == by
        assert len(first.result.halves[0].positions_px) == n
    seeds = [next(honest(scan, found, HonestOptions(seed=s), device="cpu")) for s in (0, 1)]
    assert [u.result.halves[0].provenance["half"]["seed"] for u in seeds] == [0, 1]


def test_failures_reach_the_user(scene):
    scan, found, _ = scene
    with pytest.raises(PtychoError, match="need a reconstruction of this scan"):
        next(honest(scan, replace(found, provenance={"scan": "other"}), device="cpu"))
    image = Plane(noisy("star", 64)[0])
    with pytest.raises(OptionsError, match="need two of one shape"):
        next(honest_images(image, image.cut(slice(0, 32), slice(0, 32))))
