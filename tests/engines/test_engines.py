"""What every engine must do."""

from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho.engines import ENGINES, EpieOptions, RpieOptions, reconstruct
from napari_ptycho.errors import JobError, OptionsError, ScanError
from napari_ptycho.job import run_to_end
from napari_ptycho.options import Options, describe

from .conftest import NEAR, phase_error

ITERATIVE = [name for name in ENGINES if name != "dip"]  # dip goes on from another engine's object


@pytest.mark.parametrize("name", ITERATIVE)
@pytest.mark.parametrize("modes", [1, 3], ids=["one mode", "three modes"])
@pytest.mark.parametrize("geometry", [None, NEAR], ids=["far", "near"])
@pytest.mark.parametrize("subpixel", [False, True], ids=["whole pixels", "sub-pixel"])
def test_the_truth_is_a_fixed_point(name, subpixel, geometry, modes, make):
    scan, truth = make(modes, fraction=0.5 * subpixel, geometry=geometry, noise=False, lines=5)
    options = ENGINES[name](epochs=2, modes=modes, subpixel=subpixel)
    result = run_to_end(reconstruct(scan, options, truth, "cpu"))
    assert result.errors[0] < 1e-6
    assert result.errors[-1] < (2e-3 if name == "adam" else 1e-5)  # Adam scales up the last bits
    assert phase_error(truth, result) < (0.05 if name == "adam" else 5e-3)


@pytest.mark.parametrize("name", ITERATIVE)
def test_the_phase_comes_back_from_a_flat_object(name, make):
    scan, truth = make(photons=1e6)
    result = run_to_end(reconstruct(scan, ENGINES[name](epochs=60), device="cpu"))
    assert phase_error(truth, result) < 0.05
    assert result.errors[-1] < 0.2 * result.errors[0]


@pytest.mark.parametrize("name", ITERATIVE)
def test_the_near_field_comes_back(name, make):
    scan, truth = make(geometry=NEAR, photons=1e7)
    result = run_to_end(reconstruct(scan, ENGINES[name](epochs=60), device="cpu"))
    assert phase_error(truth, result) < 0.05


@pytest.mark.parametrize("name", ITERATIVE)
def test_subpixel_shifts_of_all_modes_are_worth_their_price(name, make):
    scan, truth = make(modes=2, fraction=0.5, photons=1e8)
    whole, fine = (
        run_to_end(reconstruct(scan, ENGINES[name](epochs=60, modes=2, subpixel=subpixel)))
        for subpixel in (False, True)
    )
    assert fine.errors[-1] < 0.3 * whole.errors[-1]
    assert phase_error(truth, fine) < 0.95 * phase_error(truth, whole)


@pytest.mark.parametrize("name", ITERATIVE)
def test_mixed_states_explain_an_incoherent_beam_that_one_mode_cannot(name, make):
    scan, _ = make(modes=3, photons=1e6)
    ends = {
        modes: run_to_end(reconstruct(scan, ENGINES[name](epochs=40, modes=modes))).errors[-1]
        for modes in (1, 3)
    }
    assert ends[3] < 0.5 * ends[1]


@pytest.mark.parametrize("name", ITERATIVE)
def test_masked_pixels_may_hold_anything(name, make):
    """Dead rows: with them marked the object comes back, without it does not."""
    scan, truth = make()
    spoilt, valid = scan.patterns.copy(), np.ones(scan.frame_shape, bool)
    spoilt[:, 20, :] = 50_000
    valid[20, :] = False
    hidden = replace(scan, patterns=spoilt, valid=valid)
    seen = replace(scan, patterns=spoilt)
    errors = [
        phase_error(truth, run_to_end(reconstruct(one, ENGINES[name](epochs=60))))
        for one in (hidden, seen)
    ]
    assert errors[0] < 0.06 < errors[1]


def test_a_mask_that_changes_from_frame_to_frame_is_obeyed(make, rng):
    scan, truth = make()
    spoilt = scan.patterns.copy()
    valid = rng.uniform(size=spoilt.shape) > 0.05
    spoilt[~valid] = 60_000
    result = run_to_end(
        reconstruct(replace(scan, patterns=spoilt, valid=valid), RpieOptions(epochs=40))
    )
    assert phase_error(truth, result) < 0.06


def test_frames_of_unequal_exposure_fit_one_probe(make, rng):
    scan, truth = make()
    exposure = rng.uniform(0.2, 1, len(scan))
    dimmed = rng.binomial(scan.patterns.astype(np.int64), exposure[:, None, None])
    known = replace(scan, patterns=dimmed, exposure=exposure)
    unknown = replace(scan, patterns=dimmed)
    errors = [
        phase_error(truth, run_to_end(reconstruct(one, RpieOptions(epochs=40))))
        for one in (known, unknown)
    ]
    assert errors[0] < 0.06
    assert errors[0] < 0.5 * errors[1]


@pytest.mark.parametrize("name", ITERATIVE)
def test_the_probe_keeps_the_photons_of_a_frame(name, make):
    scan, _ = make(modes=2)
    result = run_to_end(reconstruct(scan, ENGINES[name](epochs=5, modes=2)))
    power = (np.abs(result.probe) ** 2).sum()
    assert power == pytest.approx(scan.patterns.sum(axis=(1, 2)).mean(), rel=1e-3)
    gram = result.probe.reshape(2, -1).conj() @ result.probe.reshape(2, -1).T
    assert abs(gram[0, 1]) < 1e-3 * abs(gram[0, 0])
    assert abs(gram[0, 0]) >= abs(gram[1, 1])


@pytest.mark.parametrize("name", ["dm", "raar", "lbfgs"])
def test_the_batch_is_only_a_matter_of_memory(name, make):
    scan, _ = make(lines=5)
    one, other = (
        run_to_end(reconstruct(scan, ENGINES[name](epochs=4, batch=batch), device="cpu"))
        for batch in (1, 16)
    )
    np.testing.assert_allclose(one.object, other.object, atol=5e-3)
    np.testing.assert_allclose(one.errors, other.errors, rtol=1e-3)


@pytest.mark.parametrize("name", list(ENGINES))
def test_same_seed_same_result(name, make):
    scan, _ = make(lines=4)
    options = ENGINES[name](epochs=2, seed=3)
    one, two = (run_to_end(reconstruct(scan, options, device="cpu")) for _ in range(2))
    np.testing.assert_array_equal(one.object, two.object)


@pytest.mark.parametrize("name", ["rpie", "epie", "mpie", "lsqml", "adam"])
def test_other_seed_other_order(name, make):
    scan, _ = make(lines=4)
    one, other = (
        run_to_end(reconstruct(scan, ENGINES[name](epochs=2, batch=4, seed=seed), device="cpu"))
        for seed in (0, 1)
    )
    assert np.abs(one.object - other.object).max() > 1e-4


def test_going_on_counts_epochs_from_the_very_start(make):
    scan, _ = make(lines=5)
    first = run_to_end(reconstruct(scan, RpieOptions(epochs=3)))
    *_, last = reconstruct(scan, EpieOptions(epochs=2), first)
    assert last.history["error"][:3] == first.errors
    assert len(last.result.errors) == 5
    assert last.done == last.total == 2
    runs = last.result.provenance["runs"]
    assert [run["engine"] for run in runs] == ["rPIE", "ePIE"]
    assert [run["first_epoch"] for run in runs] == [0, 3]
    assert last.result.errors[-1] < first.errors[0]


@pytest.mark.parametrize("name", list(ENGINES))
def test_stopping_keeps_what_was_reached(name, make):
    scan, _ = make(lines=5)
    job = reconstruct(scan, ENGINES[name](epochs=10_000))
    first = next(job)
    second = next(job)
    job.close()
    assert 0 < first.done <= second.done < 10_000
    assert np.isfinite(second.result.object).all()


CHANGES = {
    "epochs": 4,
    "modes": 2,
    "batch": 3,
    "probe_start": 1,
    "anneal": 1.0,
    "subpixel": True,
    "resolution": "half",
    "seed": 5,
    "positions": "gradient",
    "positions_affine": True,
    "positions_start": 2,
    "positions_reach_px": 0.05,
    "saturation": 300.0,
    "background": True,
    "variations": 1,
    "flux": True,
    "fly_points": 2,
    "fly_share": 0.5,
    "probe_centre": True,
    "probe_support": 0.5,
    "probe_cutoff": 0.5,
    "amplitude_limit": 0.5,
    "smoothness": 0.5,
    "total_variation": 0.1,
    "likelihood": "poisson",
    "denoiser": "dip",
    "batches": "compact",
    "period": 10,
    "history": 1,
    "overlaps": 1,
    "average": 1.0,
}
NEEDS = {
    "positions_affine": {"positions": "gradient", "positions_start": 0},
    "positions_start": {"positions": "gradient", "positions_start": 0},
    "positions_reach_px": {"positions": "gradient", "positions_start": 0},
    "fly_share": {"fly_points": 3},
    "positions": {"positions_start": 0},
    "friction": {"period": 5},
    "object_push": {"period": 5},
    "probe_push": {"period": 5},
    "seed": {"batch": 4},
    "denoiser": {"denoise_every": 2},
    "batches": {"batch": 4},
    "period": {"period": 5},
    "history": {"epochs": 5},
}
ONLY_MEMORY = {(engine, "batch") for engine in ("dm", "raar", "lbfgs")}
NO_ORDER = {(engine, "seed") for engine in ("dm", "raar", "lbfgs")}
"""Their seed only matters where variations are learnt or places are tried."""
PAIRS = [
    (e, p.name)
    for e, options in ENGINES.items()
    for p in describe(options)
    if e != "dip" and not p.name.startswith("denoise_")  # the loop's own: test_regularise
    if e == "rpie" or p.name != "denoiser"  # slow
]


@pytest.mark.parametrize(("engine", "name"), PAIRS, ids=[f"{e} {name}" for e, name in PAIRS])
def test_every_option_changes_the_result(engine, name, make):
    if (engine, name) in ONLY_MEMORY:
        pytest.skip("a matter of memory only: test_the_batch_is_only_a_matter_of_memory")
    scan, _ = make(fraction=0.4, lines=4)
    shifted = scan.positions_px + np.random.default_rng(0).normal(size=scan.positions_px.shape)
    scan = replace(scan, positions_px=shifted, patterns=scan.patterns + 50)
    late = {"background", "variations"} & {name}
    common = {"epochs": 8 if late else 3, **NEEDS.get(name, {})}
    if (engine, name) in NO_ORDER:
        common.update(positions="annealing", positions_start=0)
    plain = ENGINES[engine](**common)
    if name == "anneal" or hasattr(plain, "anneal"):
        plain = replace(plain, anneal=0.0)
    changed = replace(plain, **{name: CHANGES.get(name, 0.4)})
    assert getattr(plain, name) != getattr(changed, name)
    start = None
    if name == "probe_centre":
        from napari_ptycho.prepare import first_guess

        start = first_guess(scan)
        start = replace(start, probe=np.roll(start.probe, 4, axis=-1))
    one, two = (
        run_to_end(reconstruct(scan, options, start, device="cpu")) for options in (plain, changed)
    )
    same = (
        one.probe.shape == two.probe.shape
        and one.object.shape == two.object.shape
        and np.allclose(one.object, two.object, atol=1e-6)
        and np.allclose(one.probe, two.probe, rtol=1e-4)
    )
    assert not same


def test_a_hook_sees_every_epoch_and_may_change_the_object(make):
    scan, _ = make(lines=4)
    seen = []

    def clip(state):
        seen.append(state.done)
        state.object.imag.zero_()

    result = run_to_end(reconstruct(scan, RpieOptions(epochs=3), device="cpu", hook=clip))
    assert len(seen) == 3
    assert np.abs(result.object.imag).max() < 1e-6 < np.abs(result.object.real).max()


def test_the_provenance_tells_how_it_came_about(make):
    scan, _ = make(lines=4)
    options = RpieOptions(epochs=1, seed=7)
    made = run_to_end(reconstruct(scan, options, device="cpu")).provenance
    assert made["scan"] == scan.name
    assert made["scan_checksum"].startswith("blake2b-128 ")
    assert made["start"] == "flat object, probe from file"
    assert RpieOptions.from_dict(made["runs"][0]["options"]) == options
    other = run_to_end(reconstruct(make(lines=4, seed=2)[0], options)).provenance
    assert other["scan_checksum"] != made["scan_checksum"]


def test_a_start_that_a_network_made_stays_in_the_provenance(make):
    scan, truth = make(lines=4)
    guess = {"start": "flat object, probe from file", "predicted": {"network": "ptynet-s"}}
    start = replace(truth, provenance=guess, name="guess")
    one = run_to_end(reconstruct(scan, RpieOptions(epochs=1), start, device="cpu"))
    assert one.provenance["start"] == (
        "'guess', predicted by ptynet-s; before: flat object, probe from file"
    )
    assert "predicted" not in one.provenance  # the engine has gone on from it
    again = run_to_end(reconstruct(scan, RpieOptions(epochs=1), one, device="cpu")).provenance
    for made in (one.provenance, again):
        assert made["start_from"] == {"predicted": {"network": "ptynet-s"}}
        assert made["start"].startswith("'guess', predicted")
    smooth = replace(one, provenance={**one.provenance, "denoised": [{"rule": "holdout"}]})
    last = run_to_end(reconstruct(scan, RpieOptions(epochs=1), smooth, device="cpu")).provenance
    assert last["start"].startswith(f"'{one.name}', denoised; before: 'guess', predicted")
    assert last["start_from"]["denoised"] == [{"rule": "holdout"}]


def test_bad_input_gets_a_sentence(make):
    scan, truth = make(lines=4)
    with pytest.raises(ScanError, match="start from a reconstruction of the same scan"):
        next(reconstruct(make(lines=5)[0], RpieOptions(), truth))
    with pytest.raises(ScanError, match="the valid pixels hold no counts"):
        next(
            reconstruct(replace(scan, patterns=np.zeros_like(scan.patterns)), RpieOptions(), truth)
        )
    with pytest.raises(OptionsError, match="not the options of an engine"):
        next(reconstruct(scan, [Options()]))
    with pytest.raises(OptionsError, match="needs at least one engine"):
        next(reconstruct(scan, ()))
    with pytest.raises(JobError, match="'cuda' was asked for but is not on this machine"):
        next(reconstruct(scan, RpieOptions(), truth, "cuda"))
    with pytest.raises(JobError, match="a hook works on one device only"):
        next(reconstruct(scan, RpieOptions(), device="cpu,cpu", hook=print))
    with pytest.raises(JobError, match="no device is called 'toaster'"):
        next(reconstruct(scan, RpieOptions(), truth, "toaster"))
