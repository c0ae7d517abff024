"""The fast fly-scan: few photons, narrow steps; unbinned, binned, denoised, and what is proved."""

import re
import time

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_ptycho.cli.app import run
from napari_ptycho.gui import canvas
from napari_ptycho.io import read_reconstruction

from .hand import phase_error_rad

STAR, BINNED, TRUTH = "siemens-star", "siemens-star · 2x2", "siemens-star truth"
PHOTONS = 1500
"""Per pattern."""
LINES, SHORT_LINES = 32, 16
EPOCHS, SHORT_EPOCHS = 20, 6
ITERATIONS, SHORT_ITERATIONS = 120, 20
PAPER = {"mode": "siFRC", "threshold": "0.5", "convention": "paper"}
HONEST = {"mode": "standard", "threshold": "1/7", "convention": "full period"}
VERDICTS = ("supported", "neutral", "contradicted")
NAMES = {
    STAR: ("unbinned", "unbinned, denoised"),
    BINNED: ("binned 2x2", "binned 2x2, denoised"),
}


class Walk:
    """The story so far."""

    def __init__(self, hand, folder, monkeypatch):
        self.hand, self.monkeypatch = hand, monkeypatch
        self.file, self.truth = folder / "fly.h5", folder / "truth.h5"
        self.scan = hand.dock("Scan")
        self.session = self.scan.session
        self.layers = {}  # by what they show
        self.numbers = {}  # of the table, by what they are of
        self.honest, self.seconds = {}, {}

    def open(self, path):
        """Open a file by its button and the dialog."""
        answer = ([str(path)], "")
        self.monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *a, **k: answer)
        self.hand.dock("Scan")
        self.hand.press(self.scan.bar, "Open…")
        self.hand.done(self.scan.runner)

    def press(self, within, words, runner, step):
        """Press a button, wait for its job, and note how long it took."""
        began = time.monotonic()
        self.hand.press(within, words)
        self.hand.done(runner)
        self.seconds.setdefault(step, []).append(time.monotonic() - began)

    def reconstruct(self):
        """Run rPIE alone, with small steps."""
        hand, dock = self.hand, self.hand.dock("Reconstruct")
        hand.done(dock.adviser.runner)
        if dock.presets.combo.currentText() != "Own":
            hand.choose(dock.presets.combo, "Quick look")
            dock.stages.list.setCurrentRow(0)
            hand.press(dock.stages, "−")
            hand.set(dock.stages.form, epochs=hand.length(EPOCHS, SHORT_EPOCHS), object_step=0.3)
        self.press(dock.box, "Start", dock.runner, "reconstruct")
        found = self.session.reconstruction
        assert len(found.errors) == hand.length(EPOCHS, SHORT_EPOCHS)
        layer = next(
            one
            for one in canvas.find(hand.viewer.layers, (canvas.PHASE,))
            if canvas.held_by(one) is found
        )
        self.layers[NAMES[found.name][0]] = layer
        return layer

    def denoise(self, layer):
        """Denoise the layer by a quick network that stops by half reconstructions."""
        hand, dock = self.hand, self.hand.dock("Denoise")
        hand.choose(dock.form.layer, layer.name)
        hand.set(dock.form.network, architecture="arch1-bilinear")
        hand.set(dock.form.network, iterations=hand.length(ITERATIONS, SHORT_ITERATIONS))
        assert "half reconstruction" in dock.form.note.text()
        self.press(dock.box, "Denoise", dock.runner, "denoise")
        name = canvas.held_by(layer).name
        found = canvas.find(hand.viewer.layers, (canvas.DENOISED,))
        newest = next(one for one in found if one.name.startswith(f"{name} · phase"))
        self.layers[NAMES[name][1]] = newest
        return newest

    def inspect(self, page, layer, reference="none"):
        """Choose a page of the Inspect dock and its layers."""
        dock = self.hand.dock("Inspect")
        self.hand.choose(dock.chosen.first, layer.name)
        self.hand.choose(dock.chosen.second, getattr(reference, "name", reference))
        return self.page(page)

    def page(self, title):
        """Turn to a page of the Inspect dock."""
        dock = self.hand.dock("Inspect")
        self.hand.press(dock, title)
        self.hand.until(lambda: dock.pages[title].isVisible())
        return dock.pages[title]

    def correlate_halves(self, layer, name):
        """Compare two halves of the photons, raw and denoised as the layer was."""
        page = self.inspect("FRC", layer)
        self.hand.set(page.form, **HONEST)
        if page.what.currentText() != "two halves (honest)":
            self.hand.press(page, "Honest FRC…")
        self.hand.choose(page.honest_box.denoise, "as the layer was denoised")
        self.hand.until(page.honest_box.start_button.isEnabled)
        self.press(page.honest_box, "Honest FRC", page.honest_box.runner, "honest FRC")
        self.honest[name] = page.honest
        return page

    def check(self, layer):
        """Ask the photons."""
        page = self.inspect("Check", layer)
        self.hand.until(page.start_button.isEnabled)
        self.press(page, "Check for hallucinations", page.runner, "check")
        return page


@pytest.mark.parametrize("hand", ["fly-scan"], indirect=True)
def test_binning_and_denoising_a_fly_scan_of_few_photons_and_what_of_it_is_proved(
    hand, tmp_path, monkeypatch
):
    walk = Walk(hand, tmp_path, monkeypatch)
    lines = hand.length(LINES, SHORT_LINES)
    words = [
        f"--set={name}" for name in (f"photons={PHOTONS}", f"lines={lines}", f"columns={lines}")
    ]
    assert run(["simulate", STAR, *words, "-o", str(walk.file), "--truth", str(walk.truth)]) == 0
    walk.open(walk.file)
    assert len(walk.session.scan) == lines**2
    _examine(walk, STAR)
    _bin(walk)
    _examine(walk, BINNED)
    walk.open(walk.truth)
    _paper(walk)
    _truth(walk)
    _by_eye(walk)
    _tables(walk)
    hand.told()


def _examine(walk, name):
    """Reconstruct the scan that is open, denoise, and ask what is proved."""
    hand, (plain, denoised) = walk.hand, NAMES[name]
    raw = walk.reconstruct()
    smooth = walk.denoise(raw)
    assert smooth is not raw
    assert smooth.data.shape == raw.data.shape
    if name == STAR:
        hand.look("denoised")
        if not hand.full:
            return  # once is enough
    walk.correlate_halves(smooth, name)
    honest = walk.honest[name]
    assert [one.label for one in honest.curves()][:3] == [
        "raw halves",
        "denoised, different seeds",
        "denoised, same seed",
    ]
    beyond = honest.invention.x > 0.3
    assert honest.invention.y[beyond].mean() > 0
    if name == BINNED:
        hand.scroll(hand.dock("Inspect").pages["FRC"].view.table)
        hand.look("honest")
        _check(walk, smooth)
    assert set(walk.layers) >= {plain, denoised}


def _check(walk, smooth):
    """Ask the photons whether they support the denoised image."""
    page = walk.check(smooth)
    found = walk.checked = page.found
    assert found.verdict in VERDICTS
    assert page.verdict.text() == found.verdict.upper()
    assert re.search(r"\d", found.evidence[0].sentence)
    walk.hand.look("check")
    header = ["asked", "alarm", "what it says"]
    rows = [(one.test, "yes" if one.alarm else "", one.sentence) for one in found.evidence]
    walk.hand.table("check", header, [("**verdict**", "", found.sentence()), *rows])


def _bin(walk):
    """Sum 2 x 2 patterns; the dock tells first what that does."""
    hand, scan = walk.hand, walk.session.scan
    dock = hand.dock("Scan")
    dock.binning.rows_box.setValue(2)
    dock.binning.columns_box.setValue(2)
    said = dock.binning.note
    hand.until(lambda: f"{len(scan)} -&gt; {len(scan) // 4}" in said.text())
    assert "x 2.00" in said.text()
    hand.look("binning")
    walk.press(dock.binning.buttons, "Bin", dock.runner, "bin")
    binned = walk.session.scan
    assert len(binned) == len(scan) / 4
    assert binned.patterns[:].sum() == scan.patterns[:].sum()


def _paper(walk):
    """Correlate each image with itself, as the paper does."""
    hand, layers = walk.hand, walk.layers
    dock = hand.dock("Inspect")
    hand.choose(dock.chosen.first, layers["unbinned"].name)
    hand.choose(dock.chosen.second, "none")
    hand.select(*layers.values())
    hand.press(walk.page("Compare"), "Grid")
    page = walk.page("FRC")
    hand.choose(page.what, "selected layers")
    hand.set(page.form, **PAPER)
    hand.until(lambda: len(page.view.curves) == len(layers) and _mode(page) == "siFRC")
    assert {one.label for one in page.view.curves} == {one.name for one in layers.values()}
    warned = {one.label for one in page.view.found if any("denoised" in w for w in one.warnings)}
    assert warned == {layers[name].name for name in layers if name.endswith("denoised")}
    hand.scroll(page.view.table)
    hand.look("frc")
    printed = _column(page)
    for found in page.view.found:
        name = next(key for key, layer in layers.items() if layer.name == found.label)
        nm = {one.name: one.value for one in found.resolutions()}
        walk.numbers[name] = [nm["P"], nm["paper"], nm["full period"]]
    hand.set(page.form, convention="full period")
    hand.until(lambda: page.view.table.titles[2].startswith("full period"))
    for paper, full in zip(printed, _column(page), strict=True):
        assert full == pytest.approx(2 * paper, rel=0.01)


def _mode(page):
    return page.view.found[0].options.mode if page.view.found else ""


def _column(page):
    """Return the resolutions that the table shows, in nm."""
    return [float(line.cells[2]) for line in page.view.table.lines]


def _truth(walk):
    """Measure all four against what was simulated."""
    hand, layers = walk.hand, walk.layers
    truth = hand.layer(TRUTH, canvas.PHASE)
    page = walk.page("FRC")
    hand.set(page.form, mode="standard", threshold="0.5", convention="full period")
    for name, layer in layers.items():
        walk.inspect("FRC", layer, truth)
        hand.choose(page.what, "two images")
        hand.until(lambda one=layer: _pair(page) == one.name)
        walk.numbers[name].append(page.view.found[0].resolution().value)
    numbers = walk.inspect("Numbers", layers["unbinned"], truth)
    hand.select(*layers.values())
    hand.until(lambda: len(numbers.columns) == len(layers))
    for name, layer in layers.items():
        found = next(found for title, found in numbers.columns if title == layer.name)
        walk.numbers[name] += [found.value("RMSE"), found.value("Pearson")]
    assert walk.numbers["binned 2x2"][-2] < walk.numbers["unbinned"][-2]
    found = canvas.held_by(layers["unbinned"]).object
    known = read_reconstruction(walk.truth).object
    assert phase_error_rad(found, known) < phase_error_rad(np.ones_like(found), known)


def _pair(page):
    """Return of which layer the FRC of two images is that shows; "" where another one does."""
    found = page.view.found
    return found[0].label.split(" and ")[0] if found and not found[0].single else ""


def _by_eye(walk):
    """Profile, difference, curtain."""
    hand, layers = walk.hand, walk.layers
    truth = hand.layer(TRUTH, canvas.PHASE)
    hand.press(walk.page("Compare"), "Grid")
    hand.show(layers["binned 2x2, denoised"])
    page = walk.inspect("Profile", layers["binned 2x2, denoised"], truth)
    hand.select(*layers.values())
    hand.set(page.form, kind="radial", show="spread")
    hand.until(lambda: len(page.found.both) == 2 * (len(layers) + 1))  # means and spreads
    assert {curve.x_unit for curve in page.found.curves} == {"nm"}
    hand.look("profile")

    page = walk.inspect("Difference", layers["binned 2x2, denoised"], layers["binned 2x2"])
    hand.press(page, "Show as layer")
    hand.until(lambda: bool(canvas.find(hand.viewer.layers, (canvas.DIFFERENCE,))))
    found = canvas.find(hand.viewer.layers, (canvas.DIFFERENCE,))[0]
    assert found.name.endswith("(rad)")
    assert np.nanmax(np.abs(found.data)) > 0
    hand.show(layers["binned 2x2"], layers["binned 2x2, denoised"], found)
    hand.viewer.reset_view()
    hand.look("difference")
    hand.press(page, "Show as layer")

    page = walk.inspect("Compare", layers["unbinned"], layers["binned 2x2, denoised"])
    hand.press(page, "Curtain")
    hand.look("curtain")
    hand.press(page, "Curtain")


def _tables(walk):
    rows = []
    for scan, names in NAMES.items():
        if scan not in walk.honest:
            continue
        honest = walk.honest[scan]
        for name, curve in zip(names, (honest.raw, honest.different), strict=True):
            p, paper, full, truth, off, alike = walk.numbers[name]
            halves = curve.resolution("1/7").value
            nm = [_nm(value) for value in (paper, full, halves, truth)]
            rows.append((name, _text(p, ".3f"), *nm, f"{off:.3f}", f"{alike:.2f}"))
    header = ["image", "P", "paper, px / P", "full period, 2 px / P", "two halves, full period"]
    header += ["against the truth, full period", "RMSE in rad", "correlation"]
    walk.hand.table("resolution", header, rows)
    rows = [
        (step, *(f"{second:.0f} s" for second in seconds))
        for step, seconds in walk.seconds.items()
        if len(seconds) == len(NAMES)
    ]
    walk.hand.table("time", ["step", "unbinned", "binned 2x2"], rows)


def _nm(value):
    return _text(value, ".0f", " nm")


def _text(value, form, unit=""):
    return "never falls" if value is None else f"{value:{form}}{unit}"
