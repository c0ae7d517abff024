import subprocess
import sys
from dataclasses import replace

import dask.array as da
import numpy as np
import pytest

from napari_ptycho.engines import (
    AdamOptions,
    DmOptions,
    LbfgsOptions,
    LsqmlOptions,
    RaarOptions,
    RpieOptions,
    reconstruct,
    reconstruct_halves,
)
from napari_ptycho.engines.halves import FIXED
from napari_ptycho.errors import OptionsError, ScanError
from napari_ptycho.job import run_to_end
from napari_ptycho.options import Options
from napari_ptycho.physics import simulate
from napari_ptycho.physics.align import illuminated, illumination
from napari_ptycho.prepare import alternate, thin

from .conftest import phase_error
from .low_dose import low_dose

FEW = RpieOptions(epochs=2)


@pytest.fixture(scope="module")
def scene():
    """A scan, its truth as a result (so that nothing but noise tells halves and truth apart)."""
    scan, truth = low_dose(photons=1e4)
    return scan, replace(truth, name="truth")


@pytest.fixture(scope="module")
def halves(scene):
    scan, truth = scene
    return run_to_end(reconstruct_halves(scan, truth, device="cpu"))


def phases_off(truth, *images):
    """Return the phase errors of images in the lit area: no shift or ramp is taken off."""
    area = illuminated(truth, 0.3)
    return [np.angle(image * truth.object.conj())[area] for image in images]


def rms(values):
    return np.sqrt(np.mean(values**2))


@pytest.mark.parametrize("by", ["photons", "positions"])
def test_the_noise_of_the_halves_is_independent(by, scene):
    """Noise is what differs when the photons are counted anew; the rest is the engine's own."""
    _, truth = scene
    pairs = []
    for seed in range(8):
        scan = simulate(truth.object, truth.probe, truth.positions_px, photons=1e3, seed=seed)
        pair = run_to_end(reconstruct_halves(scan, truth, seed=seed, by=by, device="cpu"))
        pairs.append(phases_off(truth, *(half.object for half in pair)))
    noise = np.array(pairs) - np.mean(pairs, axis=0)
    a, b = noise[:, 0].ravel(), noise[:, 1].ravel()
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.05
    assert rms(a + b) / 2 == pytest.approx(rms(a) / np.sqrt(2), rel=0.05)
    offs = np.array(pairs)
    assert rms(offs.mean(axis=1)) < 0.98 * min(rms(offs[:, 0]), rms(offs[:, 1]))


def test_the_halves_lie_on_the_pixels_and_on_the_scale_of_the_result(scene, halves):
    _, truth = scene
    area = illuminated(truth, 0.3)
    for half in halves:
        assert half.object.shape == truth.object.shape
        np.testing.assert_array_equal(half.positions_px, truth.positions_px)
        ratio = (half.object / truth.object)[area].mean()
        assert abs(ratio - 1) < 0.01
        power = [(np.abs(one.probe) ** 2).sum() for one in (half, truth)]
        assert power[0] == pytest.approx(power[1] / 2, rel=0.02)
        shape = np.vdot(half.probe, truth.probe) / np.sqrt(power[0] * power[1])
        assert abs(shape) == pytest.approx(1, abs=1e-5)
        assert half.pixel_size_m == truth.pixel_size_m


def test_a_result_with_another_phase_and_scale_gives_halves_of_its_own(scene, halves):
    scan, truth = scene
    turned = replace(truth, object=truth.object * np.complex64(2j), probe=truth.probe / 2)
    for one, plain in zip(
        run_to_end(reconstruct_halves(scan, turned, device="cpu")), halves, strict=True
    ):
        area = illuminated(truth, 0.3)
        assert phase_error(plain, one) < 0.03
        ratio = (one.object / plain.object)[area].mean()
        assert ratio == pytest.approx(2j, abs=0.05)


def test_they_say_what_they_are(scene, halves):
    scan, _ = scene
    for half, name in zip(halves, "AB", strict=True):
        assert half.name == f"truth · half {name}"
        made = half.provenance
        assert made["half"] == {
            "half": name,
            "of": "truth",
            "scan": scan.name,
            "by": "photons",
            "fraction": 0.5,
            "seed": 0,
        }
        assert made["scan"] == f"simulated · half {name}"
        assert made["start"] == "flat object; probe and positions of 'truth'"
        assert "split at random (seed 0)" in made["scan_notes"][-1]
        assert len(half.errors) == 30
    checksums = [half.provenance["scan_checksum"] for half in halves]
    assert checksums[0] != checksums[1]


def test_the_object_of_the_result_is_never_seen(scene):
    scan, truth = scene
    spoilt = replace(truth, object=truth.object * np.exp(1j * np.arange(truth.object.shape[1])))
    one, other = (run_to_end(reconstruct_halves(scan, of, FEW)) for of in (truth, spoilt))
    for plain, half in zip(one, other, strict=True):
        factor = half.object / plain.object
        np.testing.assert_allclose(factor, factor[0, 0], rtol=1e-4)


def test_the_updates_go_over_both_halves(scene):
    scan, truth = scene
    updates = list(reconstruct_halves(scan, truth, (FEW, DmOptions(epochs=1)), device="cpu"))
    assert {update.total for update in updates} == {6}
    done = [update.done for update in updates]
    assert done == sorted(done)
    assert done[-1] == 6
    first, last = updates[0], updates[-1]
    assert list(first.history) == ["error A"]
    assert np.ptp(np.abs(first.result[1].object)) == 0
    assert first.result[1].name == "truth · half B"
    assert [len(curve) for curve in last.history.values()] == [3, 3]
    assert last.history["error B"] == last.result[1].errors


def test_a_job_can_be_stopped(scene):
    scan, truth = scene
    job = reconstruct_halves(scan, truth, RpieOptions(epochs=10_000), device="cpu")
    update = next(job)
    job.close()
    assert update.done < 10_000
    assert np.isfinite(update.result[0].object).all()


def test_every_other_position(scene):
    scan, truth = scene
    a, b = run_to_end(reconstruct_halves(scan, truth, by="positions", device="cpu"))
    assert len(a.positions_px) + len(b.positions_px) == len(scan)
    where = {tuple(place) for half in (a, b) for place in half.positions_px}
    assert where == {tuple(place) for place in truth.positions_px}
    assert a.object.shape == b.object.shape == truth.object.shape
    for half in (a, b):
        assert phase_error(truth, replace(half, positions_px=truth.positions_px, extras={})) < 0.15
    assert a.provenance["half"]["by"] == "positions"
    assert a.provenance["half"]["fraction"] == pytest.approx(41 / 81)


@pytest.mark.parametrize(
    "options",
    [
        LsqmlOptions(epochs=30),
        LbfgsOptions(epochs=30),
        AdamOptions(epochs=60),
        (RaarOptions(epochs=20), RpieOptions(epochs=20)),
    ],
    ids=lambda options: getattr(options, "title", "chain"),
)
def test_any_engine_makes_halves(options, scene):
    scan, truth = scene
    for half in run_to_end(reconstruct_halves(scan, truth, options, device="cpu")):
        assert phase_error(truth, half) < 0.15


def test_seeds_and_orders_differ(scene):
    scan, truth = scene
    one, same, other = (
        run_to_end(reconstruct_halves(scan, truth, FEW, seed, "cpu")) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one[0].object, same[0].object)
    assert np.abs(one[0].object - other[0].object).max() > 0.01
    seeds = [half.provenance["runs"][0]["options"]["seed"] for half in one]
    assert seeds == [0, 1]


def known_of(truth, rng):
    """Return a result that knows all that a result can know."""
    n, shape = len(truth.positions_px), truth.probe.shape
    kinds = rng.normal(size=(1, *shape)) + 1j * rng.normal(size=(1, *shape))
    extras = {
        "frame_errors": rng.uniform(size=n),
        "position_moves_px": rng.normal(size=(n, 2)),
        "flux": 1 + 0.1 * rng.normal(size=n),
        "background": rng.uniform(1, 2, shape[1:]),
        "variations": (kinds / np.linalg.norm(kinds)).astype(np.complex64),
        "variation_weights": rng.normal(size=(n, 1)).astype(np.complex64),
    }
    return replace(truth, extras=extras)


@pytest.mark.parametrize("by", ["photons", "positions"])
def test_what_the_result_knows_is_passed_on_and_stays(by, scene, rng):
    """Long enough for engines to learn variations, which here belong to the fixed probe."""
    scan, truth = scene
    known = known_of(truth, rng)
    greedy = RpieOptions(
        epochs=8,
        positions="gradient",
        positions_start=0,
        background=True,
        flux=True,
        probe_centre=True,
        probe_support=0.5,
    )
    halves = run_to_end(reconstruct_halves(scan, known, greedy, by=by, device="cpu"))
    cut = [np.arange(len(scan))] * 2 if by == "photons" else frames_of(scan)
    share = 0.5 if by == "photons" else 1.0
    for half, frames in zip(halves, cut, strict=True):
        extras = half.extras
        np.testing.assert_allclose(extras["flux"], known.extras["flux"][frames])
        np.testing.assert_allclose(
            extras["position_moves_px"], known.extras["position_moves_px"][frames]
        )
        np.testing.assert_array_equal(half.positions_px, known.positions_px[frames])
        background = share * known.extras["background"]
        np.testing.assert_allclose(extras["background"], background, rtol=1e-5)
        varied, was = (
            np.einsum("nk,kmyx->nmyx", one["variation_weights"], one["variations"])
            for one in (extras, known.extras)
        )
        np.testing.assert_allclose(
            varied, np.sqrt(share) * was[frames], atol=1e-5 * np.abs(was).max()
        )
        made = half.provenance["runs"][0]["options"]
        assert {name: made[name] for name in FIXED} == FIXED
        assert made["subpixel"]


def frames_of(scan):
    numbered = replace(
        scan, patterns=scan.patterns * 0 + np.arange(len(scan), dtype="u2")[:, None, None]
    )
    return [half.patterns[:, 0, 0] for half in alternate(numbered)]


def test_halves_of_a_result_with_modes_have_its_modes(make):
    scan, truth = make(modes=3, lines=5)
    for half in run_to_end(reconstruct_halves(scan, truth, FEW, device="cpu")):
        assert half.probe.shape == truth.probe.shape


@pytest.mark.parametrize("by", ["photons", "positions"])
def test_the_default_takes_the_forward_model_of_the_last_run(by, scene):
    scan, truth = scene
    forward = {"positions": "annealing", "fly_points": 3, "fly_share": 0.5, "saturation": 9.0}
    runs = [{"options": {"epochs": 3}}, {"options": {**forward, "epochs": 5}}]
    result = replace(truth, provenance={"runs": runs})
    update = next(reconstruct_halves(scan, result, by=by, device="cpu"))
    assert update.total == 60
    made = update.result[0].provenance["runs"][0]["options"]
    assert (made["subpixel"], made["fly_points"]) == (True, 3)
    # Of every other position, the way to the next one is twice as long.
    assert made["fly_share"] == (0.5 if by == "photons" else 0.25)
    assert made["saturation"] == (0.0 if by == "photons" else 9.0)


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_halves_of_saturated_pixels_are_masked(lazy, scene):
    scan, truth = scene
    level = int(np.quantile(scan.patterns, 0.99))
    full = np.minimum(scan.patterns, level)
    frames = da.from_array(full, chunks=(10, 32, 32)) if lazy else full
    options = RpieOptions(epochs=30, saturation=level)
    halves = run_to_end(
        reconstruct_halves(replace(scan, patterns=frames), truth, options, device="cpu")
    )
    for half in halves:
        assert phase_error(truth, half) < 0.15
        assert any("were masked (saturated)" in note for note in half.provenance["scan_notes"])


def test_unequal_exposures_of_the_halves_do_not_matter(scene):
    scan, truth = scene
    board = frames_of(scan)
    exposure = np.ones(len(scan))
    exposure[board[0]] = 0.25
    dimmed = np.random.default_rng(0).binomial(scan.patterns, exposure[:, None, None])
    dim = replace(scan, patterns=dimmed, exposure=exposure)
    for half, share in zip(
        run_to_end(reconstruct_halves(dim, truth, by="positions", device="cpu")),
        (0.25, 1.0),
        strict=True,
    ):
        power = [(np.abs(one.probe) ** 2).sum() for one in (half, truth)]
        assert power[0] / power[1] == pytest.approx(share, rel=0.05)


def test_notes_of_both_halves_are_told(scene):
    scan, truth = scene
    options = RpieOptions(epochs=1, resolution="half")
    cut = replace(scan, patterns=np.fft.ifftshift(scan.patterns, axes=(1, 2)))  # dark in the middle
    *_, last = reconstruct_halves(cut, truth, options, device="cpu")
    told = [note for note in last.notes if "runs at full resolution" in note]
    assert [note[:7] for note in told] == ["half A:", "half B:"]


def test_a_result_of_another_scan_is_refused(scene):
    scan, truth = scene
    other, _ = low_dose(lines=8)
    with pytest.raises(ScanError, match=r"64 patterns of \(32, 32\) but 'truth' has 81 positions"):
        next(reconstruct_halves(other, truth))
    stranger = replace(truth, provenance={"scan": "chip"})
    with pytest.raises(ScanError, match="'truth' was made from the scan 'chip', not from 'simul"):
        next(reconstruct_halves(scan, stranger))


def test_bad_input_gets_a_sentence(scene):
    scan, truth = scene
    with pytest.raises(OptionsError, match="by is 'lines'; it must be one of photons, positions"):
        next(reconstruct_halves(scan, truth, by="lines"))
    with pytest.raises(OptionsError, match="seed is -1"):
        next(reconstruct_halves(scan, truth, seed=-1))
    with pytest.raises(OptionsError, match="not the options of an engine"):
        next(reconstruct_halves(scan, truth, [Options()]))
    with pytest.raises(OptionsError, match="needs at least one engine"):
        next(reconstruct_halves(scan, truth, ()))
    gain = replace(scan, patterns=scan.patterns * 3)
    with pytest.raises(ScanError, match="all counts are multiples of 3"):
        next(reconstruct_halves(gain, truth))


def test_no_factor_is_invented_for_a_dark_object(scene):
    scan, truth = scene
    dark = replace(truth, object=np.zeros_like(truth.object))
    pair = run_to_end(reconstruct_halves(scan, dark, FEW, device="cpu"))
    assert np.isfinite(pair[0].object).all()


def test_a_half_is_what_thinning_makes(scene):
    """The same by hand: thin, a flat start, the probe held."""
    scan, truth = scene
    pair = run_to_end(reconstruct_halves(scan, truth, FEW, device="cpu"))
    level = np.sqrt(np.average(np.abs(truth.object) ** 2, weights=illumination(truth)))
    start = replace(
        truth,
        object=np.full_like(truth.object, level),
        probe=truth.probe * np.float32(np.sqrt(0.5)),
    )
    options = replace(FEW, probe_start=10)
    alone = run_to_end(reconstruct(thin(scan)[0], options, start, "cpu"))
    factor = pair[0].object / alone.object
    np.testing.assert_allclose(factor, factor[0, 0], rtol=1e-4)


def test_the_name_alone_imports_no_torch():
    use = "from napari_ptycho.engines import reconstruct_halves"
    code = f"import sys; {use}; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_engines_has_nothing_else():
    import napari_ptycho.engines

    with pytest.raises(AttributeError, match="has no attribute 'reconstruct_thirds'"):
        _ = napari_ptycho.engines.reconstruct_thirds
