"""The network: taught by a part of the measured star, it predicts the rest; rPIE refines that."""

import time

import numpy as np
import pytest

from napari_ptycho.assess.plane import plane_of
from napari_ptycho.assess.scores import metrics
from napari_ptycho.gui import canvas
from napari_ptycho.prepare import find_raster
from napari_ptycho.samples import SAMPLES

STAR = "siemens-real"
SIDE = 64
SHARE = 0.6
"""Of the lines, that teach."""
SPARSE = (3, 6, 12)
SHOWN = 6
"""Of `SPARSE`, what the grid shows."""


class Walk:
    """The story so far."""

    def __init__(self, hand):
        self.hand = hand
        self.scan = hand.dock("Scan")
        self.session = self.scan.session
        self.seconds = {}
        self.found = {}  # reconstructions, by what they are

    def open(self):
        """Open the measured star, and cut its patterns to the size of the network."""
        hand, detector = self.hand, self.scan.frames.detector
        hand.menu(self.scan.bar, "Sample", SAMPLES[STAR])
        hand.done(self.scan.runner)
        hand.press(self.scan.frames, "Detector")
        hand.set(detector.form, size=SIDE)
        hand.press(detector, "Apply")
        hand.done(self.scan.runner)
        assert self.session.scan.frame_shape == (SIDE, SIDE)

    def reconstruct(self, name, epochs):
        """Run rPIE from where the dock starts, and keep its result."""
        hand, dock = self.hand, self.hand.dock("Reconstruct")
        hand.done(dock.adviser.runner)
        hand.choose(dock.stages.engine, "rPIE")
        hand.set(dock.stages.form, epochs=epochs)
        began = time.monotonic()
        hand.press(dock.box, "Start")
        hand.done(dock.runner)
        self.keep(name, time.monotonic() - began)

    def train(self, epochs):
        """Teach the network that comes along the first lines."""
        hand, dock = self.hand, self.hand.dock("Network")
        hand.press(dock.form, "Train")
        hand.choose(dock.form.train.start, "the current network")
        hand.set(dock.form.train.data.shares, lines=SHARE)
        hand.set(dock.form.train.form, epochs=epochs, batch=8)
        began = time.monotonic()
        hand.press(dock.box, "Train")
        hand.done(dock.runner)
        self.seconds["train"] = time.monotonic() - began
        return dock

    def predict(self, name, probe="automatic"):
        """Predict the object of the scan that is open."""
        hand, dock = self.hand, self.hand.dock("Network")
        hand.press(dock.form, "Predict")
        hand.choose(dock.form.probe, probe)
        hand.press(dock.box, "Predict")
        hand.done(dock.runner)
        self.keep(name, dock.object.seconds)
        return dock

    def thin(self, every):
        """Keep one pattern in so many."""
        scan = self.hand.dock("Scan")
        scan.binning.every_box.setValue(every)
        self.hand.press(scan.binning.buttons, "Bin")
        self.hand.done(scan.runner)
        assert len(self.session.scan) == -(-516 // every)

    def keep(self, name, seconds):
        self.found[name], self.seconds[name] = self.session.reconstruction, seconds

    def phase(self, name):
        """Return the layer that shows the phase of a result."""
        layers = canvas.find(self.hand.viewer.layers, (canvas.PHASE,))
        return next(one for one in layers if canvas.held_by(one).name == self.found[name].name)

    def score(self, name):
        """Return how far a phase is from that of all patterns: RMSE in rad, correlation."""
        image, truth = (plane_of(self.found[one], "phase") for one in (name, "all"))
        numbers = metrics(image, truth)
        return numbers.value("RMSE"), numbers.value("Pearson")


@pytest.mark.real
@pytest.mark.parametrize("hand", ["network"], indirect=True)
@pytest.mark.usefixtures("real_data")
def test_a_network_taught_by_60_percent_of_the_lines_predicts_the_rest_and_rpie_refines_it(hand):
    walk = Walk(hand)
    walk.open()
    walk.reconstruct("all", hand.length(40, 20))
    hand.look("reconstructed")
    _learn(walk)
    _predict(walk)
    _sparse(walk)
    _compare(walk)
    hand.told()


def _learn(walk):
    dock = walk.train(walk.hand.length(16, 10))
    pairs, trained = dock.trained.pairs, dock.trained.trained
    line = find_raster(walk.session.scan).line
    line = line if line[0] < line[-1] else line.max() - line
    seen = np.concatenate([pairs.training, pairs.validation])
    assert line[seen].max() < SHARE * (line.max() + 1)
    assert len(seen) < 0.62 * len(walk.session.scan)
    losses = dock.runner.last.history["validation"]
    assert min(losses) == trained.scores["validation"] < 0.9 * losses[0]
    assert trained.scores["validation"] < 0.9 * trained.baseline["validation"]
    walk.pairs = pairs
    walk.hand.look("trained")


def _predict(walk):
    """Predict and refine: with the probe of the file, then with the one that was reconstructed."""
    hand = walk.hand
    doubted = walk.predict("guessed").object.predicted
    _refine(walk, "guessed")
    found = walk.predict("prediction", "of the reconstruction").object.predicted
    told, doubt = (one.r_factor / one.r_flat for one in (found, doubted))
    assert told < 0.9
    assert told < doubt
    hand.look("predicted")
    _refine(walk, "prediction")
    hand.look("refined")
    flat, fair, known = (
        walk.found[name].errors for name in ("all", "refined guessed", "refined prediction")
    )
    assert flat[0] > fair[0] > known[0]
    rows = []
    for n in (1, 2, 5, 10):
        if n <= len(fair) // 2:
            cells = [f"{errors[n - 1]:.4f}" for errors in (flat, fair, known)]
            rows.append((n, *cells, _epochs(flat, fair[n - 1]), _epochs(flat, known[n - 1])))
    header = ["epochs", "flat object", "prediction", "prediction, and its probe"]
    hand.table("epochs", [*header, "flat takes, to the 2nd", "flat takes, to the 3rd"], rows)


def _epochs(errors, error):
    """Return after how many epochs an error is reached, while steps are whole: half of a run."""
    whole = errors[: len(errors) // 2]
    reached = next((n for n, one in enumerate(whole, 1) if one <= error), None)
    return f"more than {len(whole)}" if reached is None else reached


def _refine(walk, name):
    hand = walk.hand
    hand.press(hand.dock("Network").box, "Refine in Reconstruct")
    refined = f"refined {name}"
    walk.reconstruct(refined, hand.length(20, 8))
    assert walk.score(refined)[0] < walk.score(name)[0]


def _sparse(walk):
    hand = walk.hand
    dock = hand.dock("Reconstruct")
    hand.choose(dock.start_box.choice, "automatic")
    rows = []
    for every in SPARSE if hand.full else (SHOWN,):
        walk.thin(every)
        walk.predict(f"prediction {every}")
        if every == SHOWN:
            hand.look("sparse")
        walk.reconstruct(f"all {every}", hand.length(40, 20))
        overlap = _overlap(walk, every)
        (predicted, alike), (iterated, same) = (
            walk.score(f"{kind} {every}") for kind in ("prediction", "all")
        )
        cells = [f"{predicted:.3f}", f"{alike:.2f}", f"{iterated:.3f}", f"{same:.2f}"]
        rows.append((f"1 in {every}", len(walk.session.scan), overlap, *cells))
    predicted, alike = walk.score("prediction")
    cells = [f"{predicted:.3f}", f"{alike:.2f}", "0 (the reference)", "1"]
    rows.insert(0, ("all", 516, _overlap(walk, 1), *cells))
    header = ["patterns", "number", "overlap", "prediction, RMSE in rad", "its correlation"]
    hand.table("sparse", [*header, "rPIE, RMSE in rad", "its correlation"], rows)
    hand.press(hand.dock("Scan").binning.buttons, "Unbinned")
    assert len(walk.session.scan) == 516


def _overlap(walk, every):
    from napari_ptycho.prepare import sparse_report

    share = sparse_report(walk.session.unbinned.scan, every, 1).overlap[1]
    return f"{100 * share:.0f} %"


def _compare(walk):
    hand = walk.hand
    names = ["all", "prediction", "refined prediction", f"all {SHOWN}", f"prediction {SHOWN}"]
    layers = [walk.phase(name) for name in names]
    inspect = hand.dock("Inspect")
    hand.choose(inspect.chosen.first, layers[1].name)
    hand.choose(inspect.chosen.second, layers[0].name)
    hand.select(*layers[2:])
    page = inspect.pages["Compare"]
    hand.press(inspect, "Compare")
    hand.until(page.isVisible)
    hand.press(page, "Grid")
    assert {layer for layer in hand.viewer.layers if layer.visible} == set(layers)
    assert len({tuple(layer.contrast_limits) for layer in layers}) == 1
    assert hand.viewer.canvas.grid.enabled
    assert all(layer.name_overlay.visible for layer in layers)

    hand.press(inspect, "Numbers")
    numbers = inspect.pages["Numbers"]
    hand.until(lambda: len(numbers.columns) == 4)
    shown = {name: found.value("RMSE") for name, found in numbers.columns}
    assert shown[layers[2].name] < shown[layers[1].name]
    hand.look("grid")
    _tell(walk)


def _tell(walk):
    """Write what each image costs, and how far it is from rPIE of all patterns."""
    what = {
        "all": ("rPIE of all patterns", "all"),
        "prediction": ("prediction", "all"),
        "refined prediction": ("refined prediction", "all"),
        f"all {SHOWN}": ("rPIE", f"1 in {SHOWN}"),
        f"prediction {SHOWN}": ("prediction", f"1 in {SHOWN}"),
    }
    rows = []
    for name, (title, patterns) in what.items():
        of, seconds = walk.found[name], walk.seconds[name]
        n, epochs = len(of.positions_px), len(of.errors)
        rmse, alike = walk.score(name) if name != "all" else (0.0, 1.0)
        each = f"{1000 * seconds / n:.1f}"
        cells = [f"{seconds:.1f}", each, f"{rmse:.3f}", f"{alike:.2f}"]
        rows.append((title, patterns, epochs or "–", *cells))
    header = ["image", "patterns", "epochs", "s", "ms per pattern", "RMSE in rad", "correlation"]
    walk.hand.table("images", header, rows)
    taught = walk.pairs.about["patterns"]
    row = [taught["training"], taught["validation"], f"{walk.seconds['train']:.0f}"]
    walk.hand.table("training", ["patterns that teach", "that validate", "s"], [row])
