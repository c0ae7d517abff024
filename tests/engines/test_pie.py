from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_ptycho.engines import ENGINES, EpieOptions, RpieOptions, pie, reconstruct
from napari_ptycho.errors import JobError, OptionsError, ScanError
from napari_ptycho.job import run_to_end
from napari_ptycho.options import Options, describe
from napari_ptycho.physics import kernels
from napari_ptycho.physics.align import align, illuminated
from napari_ptycho.prepare import first_guess

from .conftest import NEAR


def phase_error(truth, result):
    """Root mean square phase error in rad over the illuminated area, aligned."""
    area = illuminated(truth)
    found = align(truth.object.astype(complex), result.object.astype(complex), area)
    return np.sqrt((np.angle(found.image * truth.object.conj())[area] ** 2).mean())


def textbook(scan, start, options, order):
    """Return object and probe after one batch per entry of `order`, in plain numpy."""
    image, probe = start.object.astype(complex), start.probe.astype(complex)
    corners = np.rint(start.positions_px).astype(int)
    amplitude = np.fft.ifftshift(np.sqrt(scan.patterns), axes=(1, 2))
    valid = np.fft.ifftshift(scan.valid)
    alpha, beta = getattr(options, "object_alpha", 1), getattr(options, "probe_alpha", 1)
    h, w = scan.frame_shape
    for ids in order:
        up, down = np.zeros_like(image), np.zeros(image.shape)
        probe_up, probe_down = np.zeros_like(probe), np.zeros((h, w))
        for j in ids:
            here = (
                slice(corners[j, 0], corners[j, 0] + h),
                slice(corners[j, 1], corners[j, 1] + w),
            )
            over, back = shifted(probe, start.positions_px[j] - corners[j], options.subpixel)
            wave = np.fft.fft2(over * image[here], norm="ortho")
            modulus = np.sqrt((np.abs(wave) ** 2).sum(axis=0))
            projected = np.where(valid, wave * amplitude[j] / modulus, wave)
            change = np.fft.ifft2(projected - wave, norm="ortho")
            up[here] += (over.conj() * change).sum(axis=0)
            down[here] += (np.abs(over) ** 2).sum(axis=0)
            probe_up += back(image[here].conj() * change)
            probe_down += np.abs(image[here]) ** 2
        image = image + options.object_step * up / ((1 - alpha) * down + alpha * down.max())
        floor = beta * probe_down.max()
        probe = probe + options.probe_step * probe_up / ((1 - beta) * probe_down + floor)
    return image, probe


def shifted(probe, by, subpixel):
    """Return the probe shifted by a fraction of a pixel, and the adjoint of that shift."""
    if not subpixel:
        return probe, lambda wave: wave
    ky, kx = np.fft.fftfreq(probe.shape[1])[:, None], np.fft.fftfreq(probe.shape[2])
    ramp = np.exp(-2j * np.pi * (ky * by[0] + kx * by[1]))
    return (
        np.fft.ifft2(np.fft.fft2(probe) * ramp),
        lambda wave: np.fft.ifft2(np.fft.fft2(wave) * ramp.conj()),
    )


def one_epoch(scan, start, options):
    """Return object and probe after one epoch, before the scale is fixed, and the batches taken."""
    frames = pie.load(scan, torch.device("cpu"))
    state = pie.begin(start, torch.device("cpu"))
    state.fix_scale = lambda: None
    taken = []
    real = pie.Batch.step

    def step(self, ids):
        taken.append(ids.copy())
        real(self, ids)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pie.Batch, "step", step)
        for _ in pie.epochs(frames, state, pie.Propagator(), options):
            pass
    return state.object.numpy(), state.probe.numpy(), taken


@pytest.mark.parametrize("modes", [1, 2], ids=["one mode", "two modes"])
@pytest.mark.parametrize("batch", [1, 5], ids=["batch 1", "batch 5"])
@pytest.mark.parametrize("path", ["fused", "torch"])
@pytest.mark.parametrize("engine", [EpieOptions, RpieOptions], ids=["ePIE", "rPIE"])
@pytest.mark.parametrize("subpixel", [False, True], ids=["whole pixels", "sub-pixel"])
def test_an_epoch_is_the_textbook_update(subpixel, engine, path, batch, modes, make, monkeypatch):
    scan, _ = make(modes=modes, lines=4, fraction=0.5)
    valid = np.ones(scan.frame_shape, bool)
    valid[10:13, 4:20] = False
    scan = replace(scan, valid=valid)
    start = first_guess(scan, modes)
    options = engine(
        epochs=1, batch=batch, modes=modes, anneal=0.0, object_step=0.9, probe_step=0.7
    )
    if path == "torch":
        monkeypatch.setattr(kernels, "FUSED", set())
    image, probe, order = one_epoch(scan, start, options)
    assert sorted(np.concatenate(order).tolist()) == list(range(len(scan)))
    expected, expected_probe = textbook(scan, start, options, order)
    np.testing.assert_allclose(image, expected, atol=2e-3)
    np.testing.assert_allclose(probe, expected_probe, atol=2e-3 * np.abs(probe).max())


@pytest.mark.parametrize("batch", [1, 8], ids=["batch 1", "batch 8"])
@pytest.mark.parametrize("modes", [1, 3], ids=["one mode", "three modes"])
@pytest.mark.parametrize("geometry", [None, NEAR], ids=["far", "near"])
@pytest.mark.parametrize("subpixel", [False, True], ids=["whole pixels", "sub-pixel"])
def test_the_truth_is_a_fixed_point(subpixel, geometry, modes, batch, make):
    scan, truth = make(modes, fraction=0.5 * subpixel, geometry=geometry, noise=False, lines=5)
    options = RpieOptions(epochs=2, batch=batch, modes=modes, subpixel=subpixel)
    result = run_to_end(reconstruct(scan, options, truth, "cpu"))
    assert result.errors[-1] < 1e-6
    assert phase_error(truth, result) < 2e-3


@pytest.mark.parametrize("name", list(ENGINES))
def test_the_phase_comes_back_from_a_flat_object(name, make):
    scan, truth = make(photons=1e6)
    result = run_to_end(reconstruct(scan, ENGINES[name](epochs=60), device="cpu"))
    assert phase_error(truth, result) < 0.05
    assert result.errors[-1] < 0.2 * result.errors[0]


def test_subpixel_positions_are_worth_their_price(make):
    scan, truth = make(fraction=0.5, photons=1e8)
    whole, fine = (
        run_to_end(reconstruct(scan, RpieOptions(epochs=60, subpixel=subpixel)))
        for subpixel in (False, True)
    )
    assert fine.errors[-1] < 0.2 * whole.errors[-1]
    assert phase_error(truth, fine) < 0.8 * phase_error(truth, whole)


def test_mixed_states_explain_an_incoherent_beam_that_one_mode_cannot(make):
    scan, _ = make(modes=3, photons=1e6)
    ends = {
        modes: run_to_end(reconstruct(scan, RpieOptions(epochs=30, modes=modes))).errors[-1]
        for modes in (1, 3)
    }
    assert ends[3] < 0.5 * ends[1]


def test_the_near_field_comes_back(make):
    scan, truth = make(geometry=NEAR, photons=1e7)
    result = run_to_end(reconstruct(scan, RpieOptions(epochs=60), device="cpu"))
    assert phase_error(truth, result) < 0.05


def test_masked_pixels_may_hold_anything(make):
    scan, truth = make()
    spoilt, valid = scan.patterns.copy(), np.ones(scan.frame_shape, bool)
    spoilt[:, 20, :] = 50_000
    valid[20, :] = False
    hidden = replace(scan, patterns=spoilt, valid=valid)
    seen = replace(scan, patterns=spoilt)
    errors = [
        phase_error(truth, run_to_end(reconstruct(one, RpieOptions(epochs=40))))
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


def test_the_probe_keeps_the_photons_of_a_frame(make):
    scan, _ = make(modes=2)
    result = run_to_end(reconstruct(scan, RpieOptions(epochs=5, modes=2)))
    power = (np.abs(result.probe) ** 2).sum()
    assert power == pytest.approx(scan.patterns.sum(axis=(1, 2)).mean(), rel=1e-3)
    gram = result.probe.reshape(2, -1).conj() @ result.probe.reshape(2, -1).T
    assert abs(gram[0, 1]) < 1e-3 * abs(gram[0, 0])


def test_a_batch_larger_than_the_scan_is_the_whole_scan(make):
    scan, _ = make(lines=4)
    whole, larger = (
        run_to_end(reconstruct(scan, RpieOptions(epochs=2, batch=batch), device="cpu"))
        for batch in (len(scan), 4096)
    )
    np.testing.assert_array_equal(larger.object, whole.object)


def test_the_buffers_are_no_larger_than_the_scan(make):
    scan, _ = make(lines=4)
    cpu = torch.device("cpu")
    frames, state = pie.load(scan, cpu), pie.begin(first_guess(scan), cpu)
    batch = pie.Batch(frames, state, pie.Propagator(), RpieOptions(batch=4096, subpixel=True))
    assert len(batch.waves) == len(batch.lit) == len(scan)


def test_same_seed_same_result_other_seed_other_result(make):
    scan, _ = make(lines=4)
    one, two, other = (
        run_to_end(reconstruct(scan, RpieOptions(epochs=2, seed=seed), device="cpu"))
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one.object, two.object)
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


def test_stopping_keeps_what_was_reached(make):
    scan, _ = make(lines=5)
    job = reconstruct(scan, RpieOptions(epochs=100_000, batch=1))
    first = next(job)
    second = next(job)
    job.close()
    assert 0 < first.done < second.done < 100_000
    assert not np.array_equal(first.result.object, second.result.object)


CHANGES = {
    "epochs": 3,
    "modes": 2,
    "batch": 3,
    "probe_start": 1,
    "anneal": 1.0,
    "subpixel": True,
    "seed": 5,
}


@pytest.mark.parametrize(
    ("engine", "name"),
    [(e, p.name) for e, options in ENGINES.items() for p in describe(options)],
    ids=[f"{e} {p.name}" for e, options in ENGINES.items() for p in describe(options)],
)
def test_every_option_changes_the_result(engine, name, make):
    scan, _ = make(fraction=0.4, lines=4)
    plain = ENGINES[engine](epochs=2, anneal=0.0)
    changed = replace(plain, **{name: CHANGES.get(name, 0.4)})
    assert getattr(plain, name) != getattr(changed, name)
    one, two = (
        run_to_end(reconstruct(scan, options, device="cpu")) for options in (plain, changed)
    )
    same = one.probe.shape == two.probe.shape and np.allclose(one.object, two.object, atol=1e-6)
    assert not same


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


def test_bad_input_gets_a_sentence(make):
    scan, truth = make(lines=4)
    with pytest.raises(ScanError, match="start from a reconstruction of the same scan"):
        next(reconstruct(make(lines=5)[0], RpieOptions(), truth))
    with pytest.raises(ScanError, match="the valid pixels hold no counts"):
        next(
            reconstruct(replace(scan, patterns=np.zeros_like(scan.patterns)), RpieOptions(), truth)
        )
    with pytest.raises(OptionsError, match="not the options of an engine"):
        next(reconstruct(scan, Options()))
    with pytest.raises(JobError, match="'cuda' was asked for but is not on this machine"):
        next(reconstruct(scan, RpieOptions(), truth, "cuda"))
    with pytest.raises(JobError, match="no device is called 'toaster'"):
        next(reconstruct(scan, RpieOptions(), truth, "toaster"))
