from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_ptycho.engines import LsqmlOptions, RpieOptions, reconstruct
from napari_ptycho.engines.dip import Dip
from napari_ptycho.engines.options import DipOptions
from napari_ptycho.job import run_to_end
from napari_ptycho.options import describe

from .conftest import phase_error
from .low_dose import low_dose

BEFORE = RpieOptions(epochs=30, anneal=0.0)
FEW = DipOptions(epochs=2, pretrain=5, steps=2)


@pytest.fixture(scope="module")
def scene():
    return low_dose()


@pytest.fixture(scope="module")
def begun():
    """A small scan, its truth and what rPIE makes of it."""
    scan, truth = low_dose(lines=4)
    return scan, truth, run_to_end(reconstruct(scan, BEFORE, device="cpu"))


def test_few_photons_say_more_with_a_network(scene):
    scan, truth = scene
    stages = {
        "rPIE": RpieOptions(epochs=70),
        "rPIE, TV": RpieOptions(epochs=70, total_variation=0.01),
        "rPIE, smooth": RpieOptions(epochs=70, smoothness=0.02),
        "ML": (BEFORE, LsqmlOptions(epochs=40, likelihood="poisson")),
        "DIP": (BEFORE, DipOptions(epochs=40)),
    }
    errors = {
        name: phase_error(truth, run_to_end(reconstruct(scan, stage, device="cpu")))
        for name, stage in stages.items()
    }
    dip = errors.pop("DIP")
    assert dip < 0.87 * errors["rPIE"]
    assert dip < min(errors.values())


def test_the_network_comes_close_to_the_object_before_the_physics_goes_on(begun):
    scan, _, before = begun
    ends = {
        pretrain: run_to_end(
            reconstruct(scan, replace(FEW, epochs=1, pretrain=pretrain), before, "cpu")
        )
        for pretrain in (0, 40)
    }
    off = {pretrain: phase_error(before, end) for pretrain, end in ends.items()}
    assert off[40] < 0.5 * off[0]


def test_the_target_bounds_the_loss_from_above(begun, monkeypatch, rng):
    scan, _, before = begun
    found = {}

    def pieces(self, left):
        found.update(way=self.way.numpy().copy(), light=self.light.numpy().copy())
        yield from ()

    monkeypatch.setattr(Dip, "pieces", pieces)
    run_to_end(reconstruct(scan, replace(FEW, epochs=1, likelihood="amplitude"), before, "cpu"))
    light = np.maximum(found["light"], 1e-6)
    image = before.object.astype(complex)
    target = image + found["way"] / light

    def above(other):
        return float((light * np.abs(other - target) ** 2).sum())

    rest = loss(scan, before, image) - above(image)
    assert loss(scan, before, image + 1e-4) == pytest.approx(above(image + 1e-4) + rest, rel=1e-3)
    for size in (0.01, 0.1, 1.0):
        noise = rng.normal(scale=size, size=(2, *image.shape))
        other = image + noise[0] + 1j * noise[1]
        assert loss(scan, before, other) < above(other) + rest


def loss(scan, start, image):
    """Sum of (|F| - sqrt I)^2 over all frames."""
    corners = np.rint(start.positions_px).astype(int)
    h, w = scan.frame_shape
    windows = np.stack([image[y : y + h, x : x + w] for y, x in corners])
    waves = np.fft.fft2(windows * start.probe[0], norm="ortho")
    measured = np.fft.ifftshift(np.sqrt(scan.patterns), axes=(1, 2))
    return float(((np.abs(waves) - measured) ** 2).sum())


CHANGES = {
    "epochs": 3,
    "batch": 5,
    "likelihood": "amplitude",
    "pretrain": 6,
    "steps": 3,
    "feed": "noise",
    "seed": 1,
}
NAMES = [parameter.name for parameter in describe(DipOptions)]
OWN = [name for name in NAMES if name in DipOptions.__annotations__ and name != "batch"]


@pytest.mark.parametrize("name", [*OWN, "seed"])
def test_every_option_changes_the_result(name, begun):
    scan, _, before = begun
    changed = replace(FEW, **{name: CHANGES.get(name, 0.4)})
    assert getattr(FEW, name) != getattr(changed, name)
    one, other = (
        run_to_end(reconstruct(scan, options, before, "cpu")) for options in (FEW, changed)
    )
    assert not np.allclose(one.object, other.object, atol=1e-4)


def test_the_batch_is_only_a_matter_of_memory(begun):
    scan, _, before = begun
    one, other = (
        run_to_end(reconstruct(scan, replace(FEW, batch=batch), before, "cpu")) for batch in (1, 16)
    )
    np.testing.assert_allclose(one.object, other.object, atol=2e-2)


def test_where_no_light_falls_the_object_stays(begun):
    scan, _, before = begun
    marked = before.object.copy()
    marked[:2] = marked[-2:] = 5.0
    result = run_to_end(reconstruct(scan, FEW, replace(before, object=marked), "cpu"))
    np.testing.assert_allclose(result.object[[0, 1, -2, -1]], 5.0, rtol=0.1)


def test_it_stops_while_the_network_still_learns(begun):
    scan, _, before = begun
    job = reconstruct(scan, replace(FEW, pretrain=100_000), before, "cpu")
    for _ in range(3):
        update = next(job)
    job.close()
    np.testing.assert_array_equal(update.result.object, before.object)


def test_a_broken_network_leaves_the_object_alone_and_begins_anew(begun, monkeypatch):
    scan, truth, before = begun
    begin, epochs = Dip.begin_epoch, []

    def spoilt(self, factor, with_probe):
        begin(self, factor, with_probe)
        epochs.append(factor)
        if len(epochs) == 3:
            with torch.inference_mode(False), torch.no_grad():
                self.prior.net.last.weight.fill_(float("nan"))

    monkeypatch.setattr(Dip, "begin_epoch", spoilt)
    *_, last = reconstruct(scan, replace(FEW, epochs=5, pretrain=40), before, "cpu")
    assert phase_error(truth, last.result) < 0.3
    assert [note for note in last.notes if note.startswith("the network's weights broke")]


def test_what_is_known_of_the_object_holds_here_too(begun):
    scan, _, before = begun
    limited = run_to_end(reconstruct(scan, replace(FEW, amplitude_limit=0.9), before, "cpu"))
    assert np.abs(limited.object).max() < 1.0


def test_several_modes_and_shifts_fit_in(begun):
    scan, _, before = begun
    options = replace(FEW, epochs=4, modes=2, subpixel=True, probe_centre=True)
    result = run_to_end(reconstruct(scan, options, before, "cpu"))
    assert result.probe.shape[0] == 2
    assert np.isfinite(result.object).all()
