"""The fibre phantom: two published networks print a grid, the check finds it, a third has none."""

import time
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog
from scipy.ndimage import gaussian_filter

from napari_ptycho.cli.app import run
from napari_ptycho.denoise.grid import ALARM_DB, grid_db
from napari_ptycho.gui import canvas, check_layers
from napari_ptycho.io import read_reconstruction

from .hand import PAGES, phase_error_rad

FILE, TRUTH = "fibres.h5", "fibres-truth.h5"
SCAN = {"step_nm": 100, "photons": 2000}
LINES, SHORT_LINES = 16, 12
HURRY = {"rate": 0.003, "stop": "none"}
"""What is set in a hurry: a hundred times the published rate, and a number of iterations."""
ITERATIONS = {"arch1": (40, 40), "arch2": (40, 12)}
"""In the tutorial, and in the quick test."""
SHORT_CURE = 120
"""Of up to 3000 iterations, in the quick test."""
CURE = "arch1-bilinear"
MARGIN_PX = 48
"""Of the object, that has little light."""
PERIODS = (2, 4, 8)
NAMES = {
    "arch1": "Arch 1",
    "arch2": "Arch 2",
    CURE: "Arch 1, bilinear",
}


class Walk:
    """The story so far."""

    def __init__(self, hand):
        self.hand = hand
        self.layers = {}  # by their architecture; "" is the one before
        self.denoised, self.checks, self.seconds = {}, {}, {}

    def open(self, path):
        """Open a file by the button of the Scan dock."""
        scan = self.hand.dock("Scan")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(QFileDialog, "getOpenFileNames", lambda *a, **k: ([str(path)], ""))
            self.hand.press(scan.bar, "Open…")
        self.hand.done(scan.runner)

    def reconstruct(self):
        """Press Start: the stages are those that the scan suggests."""
        dock = self.hand.dock("Reconstruct")
        self.hand.done(dock.adviser.runner)
        self.press(dock.box, "Start", dock.runner, "reconstruct")
        found = canvas.find(self.hand.viewer.layers, (canvas.PHASE,))
        self.layers[""] = next(
            one for one in found if canvas.held_by(one) is dock.session.reconstruction
        )

    def denoise(self, architecture, **settings):
        """Denoise the phase with an architecture; None of the settings is what suits it."""
        hand, dock = self.hand, self.hand.dock("Denoise")
        hand.choose(dock.form.layer, self.layers[""].name)
        hand.set(dock.form.network, architecture=architecture)
        hand.set(dock.form.network, **settings)
        self.press(dock.box, "Denoise", dock.runner, f"denoise {architecture}")
        self.denoised[architecture] = dock.view.denoised
        self.layers[architecture] = hand.layer("DIP", f" {architecture} ")
        return dock

    def inspect(self, page, layer):
        """Choose a layer and a page of the Inspect dock."""
        dock = self.hand.dock("Inspect")
        self.hand.choose(dock.chosen.first, layer.name)
        self.hand.press(dock, page)
        self.hand.until(dock.pages[page].isVisible)
        return dock.pages[page]

    def check(self, architecture):
        """Ask the photons."""
        page = self.inspect("Check", self.layers[architecture])
        self.press(page, "Check for hallucinations", page.runner, f"check {architecture}")
        self.checks[architecture] = page.found
        return page.found

    def press(self, within, words, runner, step):
        """Press a button, wait for its job, and note how long it took."""
        began = time.monotonic()
        self.hand.press(within, words)
        self.hand.done(runner)
        self.seconds[step] = time.monotonic() - began

    def map_of(self, architecture, kind):
        """Return a map of a check."""
        key = (self.checks[architecture].name, kind)
        layers = self.hand.viewer.layers
        return next(one for one in layers if one.metadata.get(check_layers.MADE) == key)

    def off(self, architecture, truth):
        """Return what a phase has and the true one has not: (H, W) rad."""
        middle = (slice(MARGIN_PX, -MARGIN_PX),) * 2
        found = self.layers[architecture].data
        off = np.angle(np.exp(1j * found) * truth.object.conj())
        return np.unwrap(np.unwrap(off[middle] - np.median(off[middle])), axis=0)


@pytest.mark.parametrize("hand", ["fibres"], indirect=True)
def test_the_grid_of_arch_1_and_arch_2_is_found_and_the_alias_free_network_has_none(hand, tmp_path):
    walk = Walk(hand)
    truth = _simulate(hand, tmp_path)
    walk.open(tmp_path / FILE)
    walk.reconstruct()
    hand.look("reconstructed")
    _hurry(walk)
    _cure(walk)
    _side_by_side(walk)
    _ask(walk)
    _map(walk)
    _tell(walk, truth)
    _judge(walk, truth)
    _judge_map(walk, truth)
    hand.told()


def _simulate(hand, folder):
    """Write the scan and its truth by the command that the tutorial gives."""
    lines = hand.length(LINES, SHORT_LINES)
    settings = {"lines": lines, "columns": lines, **SCAN}
    words = ["simulate", "fibres", "-o", FILE, "--truth", TRUTH]
    words += [word for pair in settings.items() for word in ("--set", "{}={}".format(*pair))]
    page = " ".join((PAGES / "fibres.md").read_text().replace("\\\n", " ").split())
    assert not hand.full or " ".join(["napari-ptycho", *words]) in page
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(words) == 0
    return read_reconstruction(folder / Path(TRUTH))


def _hurry(walk):
    """Denoise twice with the published networks, at a higher rate and not for long."""
    hand = walk.hand
    hand.press(hand.dock("Denoise").form.network, "Advanced")
    for architecture, (full, short) in ITERATIONS.items():
        walk.denoise(architecture, iterations=hand.length(full, short), **HURRY)
        found = walk.denoised[architecture]
        assert found.iteration == hand.length(full, short)
        assert any(found.grid[period] > ALARM_DB[period] for period in PERIODS)
        if architecture == "arch1":
            hand.closer(4)
            hand.look(architecture)
            hand.closer(1 / 4)


def _cure(walk):
    """Denoise with a network that interpolates; two halves say when to stop."""
    hand = walk.hand
    dock = walk.denoise(CURE, **({} if hand.full else {"iterations": SHORT_CURE}))
    found = walk.denoised[CURE]
    assert found.rule == "second-copy"
    assert all(found.grid[period] < ALARM_DB[period] for period in PERIODS)
    scores = dock.table.table
    rows = [scores.item(row, 0).text() for row in range(scores.rowCount())]
    assert rows == list(walk.denoised)


def _side_by_side(walk):
    """Show all in a linked grid, as large as pixels can be seen."""
    hand = walk.hand
    layers = list(walk.layers.values())
    page = walk.inspect("Compare", layers[0])
    hand.select(*layers[1:])
    hand.until(lambda: page.buttons["Grid"].isEnabled())
    hand.press(page, "Grid")
    assert {layer for layer in hand.viewer.layers if layer.visible} == set(layers)
    assert len({tuple(layer.contrast_limits) for layer in layers}) == 1
    hand.closer(3)
    hand.look("grid")
    hand.press(page, "Grid")
    hand.select()


def _error(walk, name, truth):
    return phase_error_rad(np.exp(1j * walk.layers[name].data), truth.object, MARGIN_PX)


def _ask(walk):
    """Ask the photons of each image."""
    for name in walk.denoised:
        walk.check(name)
        walk.hand.look(f"check-{name}")


def _judge(walk, truth):
    """Compare what the check says with the truth, which it does not know."""
    errors = {name: _error(walk, name, truth) for name in walk.layers}
    assert errors[CURE] < 1.05 * errors[""]
    assert min(errors["arch1"], errors["arch2"]) > 1.1 * errors[CURE]
    for name, found in walk.checks.items():
        wrong = {int(min(one.period_px)) for one in found.lattices if one.contradicted}
        grid = next(one for one in found.evidence if one.test == "grid")
        true = _lattices(walk, name, truth)
        if name == CURE:
            assert not true
            assert not wrong
            assert found.support.t < min(walk.checks[one].support.t for one in ITERATIONS)
        else:
            assert found.verdict == "contradicted"
            assert "grid" in [one.test for one in found.alarms]
            assert true & (wrong | {*grid.numbers["added"]})
    assert not _lattices(walk, "", truth)


def _lattices(walk, name, truth):
    """Return the periods of lattices that an image has and the truth has not."""
    scores = grid_db(walk.off(name, truth), PERIODS)
    return {period for period in PERIODS if scores[period] > ALARM_DB[period]}


def _map(walk):
    """Lay the map of the grid over the image that has it."""
    hand, image = walk.hand, walk.layers["arch1"]
    layer = walk.map_of("arch1", "lattice")
    hand.viewer.canvas.grid.enabled = False
    hand.show(image, layer)
    hand.select(layer)
    layer.opacity, layer.blending = 0.6, "translucent"
    hand.viewer.reset_view()
    hand.look("map")


def _judge_map(walk, truth):
    """The map is high where the grid is, which the truth tells."""
    middle = (slice(MARGIN_PX, -MARGIN_PX),) * 2
    found, lattice = walk.map_of("arch1", "lattice").data[middle], walk.checks["arch1"].lattices[0]
    assert "lattice" not in walk.checks[CURE].maps
    assert 0.5 * lattice.rms < np.nanmedian(found) < 3 * lattice.rms
    there = _strength(walk.off("arch1", truth))
    there[~np.isfinite(found)] = np.nan
    least, most = np.nanquantile(there, (0.5, 0.8))
    assert found[there > most].mean() > found[there < least].mean()


def _strength(off):
    """Return how strong waves of period 2 and 4 are around each pixel."""
    y, x = np.indices(off.shape)
    waves = [(ky, kx) for ky in range(3) for kx in range(4) if ky or kx]
    return sum(
        np.abs(gaussian_filter(off * np.exp(0.5j * np.pi * (ky * y + kx * x)), 4)) ** 2
        for ky, kx in waves
    )


def _tell(walk, truth):
    """Write the tables of the tutorial."""
    took = f"{walk.seconds['reconstruct']:.0f}"
    images, verdicts = [("reconstructed", "", "", *_numbers(walk, "", truth), took)], []
    for name, title in NAMES.items():
        found, image = walk.checks[name], walk.denoised[name]
        rule = f"{image.rule}" if image.rule else ""
        seconds = f"{walk.seconds[f'denoise {name}']:.0f}"
        images.append((title, image.iteration, rule, *_numbers(walk, name, truth), seconds))
        lattices = [
            f"{one.period_px[0]:.0f} px, {one.rms:.3f} rad, t = {one.t:.0f}"
            for one in found.lattices
            if one.contradicted
        ]
        alarms = ", ".join(one.test for one in found.alarms)
        support = f"{found.support.t:+.1f}"
        row = (title, found.sentence(), support, lattices[0] if lattices else "none", alarms)
        verdicts.append((*row, f"{walk.seconds[f'check {name}']:.0f}"))
    header = ["image", "iterations", "stopped by", "phase error (rad)"]
    grids = [f"grid of {period} px (dB)" for period in PERIODS]
    walk.hand.table("images", [*header, *grids, "s"], images)
    header = ["image", "the check says", "t", "strongest lattice", "alarms", "s"]
    walk.hand.table("verdicts", header, verdicts)


def _numbers(walk, name, truth):
    grid = grid_db(walk.off(name, truth), PERIODS)
    return f"{_error(walk, name, truth):.3f}", *(f"{round(grid[period])}" for period in PERIODS)
