from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_ptycho.engines import LsqmlOptions, RpieOptions, reconstruct, regularise
from napari_ptycho.engines.frames import load
from napari_ptycho.engines.regularise import Denoiser, light_of_scan
from napari_ptycho.engines.state import begin
from napari_ptycho.job import run_to_end
from napari_ptycho.physics.align import illumination

from .conftest import phase_error
from .denoisers import FEW, Fake, begun, fake, noisy, notes_of, towards
from .low_dose import low_dose

CPU = torch.device("cpu")
BEFORE = RpieOptions(epochs=30, anneal=0.0)
LIKELY = LsqmlOptions(epochs=60, likelihood="poisson")


@pytest.fixture(scope="module")
def scene():
    return low_dose()


@pytest.fixture(scope="module")
def before(scene):
    """The scan, its truth and what rPIE makes of it: where each of the runs compared begins."""
    scan, truth = scene
    return scan, truth, run_to_end(reconstruct(scan, BEFORE, device="cpu"))


@pytest.fixture(scope="module")
def plain(before):
    """The error without any regulariser."""
    return error_of(before, LIKELY)


def error_of(before, options):
    scan, truth, start = before
    return phase_error(truth, run_to_end(reconstruct(scan, options, start, "cpu")))


def test_total_variation_lowers_the_error_at_low_dose(before, plain):
    assert error_of(before, replace(LIKELY, total_variation=0.01)) < 0.9 * plain


def test_a_network_between_epochs_lowers_the_error_at_low_dose(before, plain):
    denoised = replace(LIKELY, denoiser="dip")
    often = replace(denoised, denoise_every=2, denoise_until=0.95)
    assert error_of(before, denoised) < 0.98 * plain
    assert error_of(before, often) < 0.95 * plain


def test_a_worse_object_is_refused_and_the_one_before_restored(scene, monkeypatch):
    scan, _, start = begun(scene)
    ends = {}
    for name, change in (("same", torch.clone), ("noisy", noisy)):
        fake(monkeypatch, change)
        *_, ends[name] = reconstruct(scan, FEW, start, "cpu")
    np.testing.assert_array_equal(ends["noisy"].result.object, ends["same"].result.object)
    assert notes_of(ends["noisy"]) == [
        "Deep Image Prior: 0 of 2 denoised objects were kept; the others made held-out frames "
        "less likely"
    ]


def test_a_broken_object_is_refused(scene, monkeypatch):
    scan, _, start = begun(scene)
    fake(monkeypatch, lambda image: image * float("nan"))
    *_, last = reconstruct(scan, FEW, start, "cpu")
    assert last.notes == (
        "Deep Image Prior: 0 of 2 denoised objects were kept; the others made held-out frames "
        "less likely",
    )


def test_a_better_object_is_kept(scene, monkeypatch):
    scan, truth, start = begun(scene)
    ends = {}
    for name, change in (("same", torch.clone), ("truth", towards(truth))):
        fake(monkeypatch, change)
        *_, ends[name] = reconstruct(scan, FEW, start, "cpu")
    assert notes_of(ends["truth"]) == [
        "Deep Image Prior: all denoised objects (2) were kept: they made held-out frames more "
        "likely"
    ]
    errors = {name: phase_error(truth, end.result) for name, end in ends.items()}
    assert errors["truth"] < 0.97 * errors["same"]


def test_the_last_part_of_a_run_goes_by_the_counts_alone(scene, monkeypatch):
    scan, _, start = begun(scene)
    offered = []
    monkeypatch.setattr(
        Denoiser,
        "_offer",
        lambda self, image, lit: offered.append(len(self.work.state.history["error"])),
    )
    monkeypatch.setattr(regularise, "Prior", Fake)
    run_to_end(reconstruct(scan, FEW, start, "cpu"))
    assert offered == [3, 6]
    offered.clear()
    run_to_end(reconstruct(scan, replace(FEW, denoise_until=0.95), start, "cpu"))
    assert offered == [3, 6, 9]


@pytest.mark.parametrize(
    "change",
    [
        {"denoiser": "none"},
        {"denoise_every": 4},
        {"denoise_share": 0.2},
        {"denoise_until": 0.4},
        {"denoise_held_out": 0.25},
        {"seed": 1},
    ],
    ids=str,
)
def test_every_option_of_the_denoiser_matters(change, monkeypatch):
    scan, truth = low_dose(lines=5)
    fake(monkeypatch, towards(truth))
    options = RpieOptions(epochs=5, batch=16, denoiser="dip", denoise_every=2)
    one, other = (
        run_to_end(reconstruct(scan, one, truth, device="cpu"))
        for one in (options, replace(options, **change))
    )
    assert np.abs(one.object - other.object).max() > 1e-4


def test_a_run_can_be_repeated(monkeypatch):
    monkeypatch.setattr(regularise, "FIRST", 5)
    scan, _ = low_dose(lines=4)
    options = RpieOptions(epochs=5, batch=16, denoiser="dip", denoise_every=2)
    one, same = (run_to_end(reconstruct(scan, options, device="cpu")) for _ in range(2))
    np.testing.assert_array_equal(one.object, same.object)


def test_a_run_that_is_too_short_says_that_nothing_was_denoised(scene):
    scan, _, start = begun(scene)
    *_, last = reconstruct(scan, replace(FEW, epochs=3), start, "cpu")
    assert notes_of(last) == [
        "Deep Image Prior: nothing was denoised: every 3 epochs never comes in the first 80% of 3"
    ]
    plain = run_to_end(reconstruct(scan, replace(FEW, epochs=3, denoiser="none"), start, "cpu"))
    np.testing.assert_array_equal(last.result.object, plain.object)


def test_the_note_stays_one_when_the_guard_takes_its_own_back(scene, monkeypatch):
    """The guard remembers where in the notes it has written; the denoiser looks for its own."""
    scan, _, start = begun(scene)
    fake(monkeypatch, noisy)
    epoch = []

    def spoil(state):
        epoch.append(len(state.history["error"]))
        if epoch[-1] in (1, 4):
            state.object[20, 20] = float("nan")

    *_, last = reconstruct(scan, replace(FEW, epochs=14), start, "cpu", hook=spoil)
    assert len(notes_of(last)) == 1
    assert len(last.notes) == 2
    assert "(2 times so far)" in "".join(last.notes)


def test_a_hook_may_change_object_and_probe_between_epochs():
    scan, truth = low_dose(lines=4)
    seen = []

    def real(state):
        seen.append(len(state.history["error"]))
        state.object.copy_(state.object.real)
        state.probe[:, :4] = 0

    job = reconstruct(scan, RpieOptions(epochs=3), truth, "cpu", hook=real)
    result = run_to_end(job)
    assert seen == [1, 2, 3]
    assert np.abs(result.object.imag).max() == 0
    assert np.abs(result.probe[:, :4]).max() == 0
    assert np.abs(result.probe).max() > 0


def test_the_light_of_a_scan_is_that_of_all_its_probes():
    scan, truth = low_dose(lines=9)
    with torch.inference_mode():
        state = begin(truth, load(scan, CPU), RpieOptions())
        light = light_of_scan(state).numpy()
    np.testing.assert_allclose(light, illumination(truth), atol=1e-3 * light.max())
