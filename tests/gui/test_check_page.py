"""The Check page of the Inspect dock: real napari, real photons."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho.assess.plane import plane_of
from napari_ptycho.denoise import ClassicalOptions, classical
from napari_ptycho.denoise.subject import applied, subject_of
from napari_ptycho.engines import RpieOptions, reconstruct
from napari_ptycho.gui import canvas
from napari_ptycho.gui.canvas import MADE
from napari_ptycho.gui.check_layers import FRAMES, NAMES, PLACES
from napari_ptycho.gui.views import picture, view_scan
from napari_ptycho.gui.widgets import RED
from napari_ptycho.job import run_to_end
from napari_ptycho.prepare import bin_positions

from .conftest import make_scan, suppress_deleted

RAW, DONE = "weave · phase", "weave · phase · TV"


@pytest.fixture(scope="module")
def raw():
    return run_to_end(reconstruct(make_scan(), RpieOptions(epochs=12), device="cpu"))


@pytest.fixture(scope="module")
def tv(raw):
    subject = subject_of(raw, "phase")
    options = ClassicalOptions(method="tv", strength=0.5)
    return applied(subject, classical(subject.image, options, weight=subject.weight))


class Checking:
    """A real window with a scan, its reconstruction and a denoised one, as a user drives it."""

    def __init__(self, docks, raw):
        from napari_ptycho.gui.app import open_dock

        self.docks, self.viewer, self.qtbot = docks, docks.viewer, docks.qtbot
        self.session = docks.session
        docks.show()
        docks.reconstruct.layers.begin(picture(raw))
        self.dock = open_dock(docks.viewer, "Inspect")
        self.page = self.dock.open_page("Check")
        self.chosen = self.dock.chosen

    def add(self, reconstruction, name=DONE, of="weave"):
        """Add a layer as the Denoise dock does."""
        meta = canvas.metadata(canvas.DENOISED, reconstruction)
        made = {} if of is None else {MADE: (of, "phase", "TV")}
        return self.viewer.add_image(
            np.asarray(plane_of(reconstruction).data, np.float32),
            name=name,
            metadata={**meta, **made},
            **canvas.placing(self.viewer, meta, 2),
        )

    def choose(self, layer, other="none"):
        self.chosen.first.choose(layer)
        self.chosen.second.choose(other)
        self.settle()

    def settle(self):
        self.qtbot.wait(60)
        self.qtbot.waitUntil(lambda: not self.chosen._pause.isActive(), timeout=5000)
        self.qtbot.wait(10)

    def quick(self, held_out=False):
        self.page.form.fields["held_out"].setChecked(held_out)

    def run(self):
        with self.qtbot.waitSignal(self.page.runner.finished, timeout=120_000):
            self.page.start_button.click()
        return self.page.found

    def cells(self):
        table = self.page.table
        return [table.item(row, 0).text() for row in range(table.rowCount())]

    def made(self, name=DONE):
        return [one.name for one in self.viewer.layers if one.name.startswith(f"{name} · ")]


@pytest.fixture
def checking(docks, raw):
    one = Checking(docks, raw)
    yield one
    with suppress_deleted():
        for runner in (one.page.runner, one.page.save_button.runner):
            runner.stop()
            runner.wait(30)


def with_blob(raw, at=(30, 34), size=0.8, name="weave · denoised"):
    y, x = np.indices(raw.object.shape)
    blob = size * np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / 18)
    provenance = {**raw.provenance, "denoised": [{"channel": "phase", "settings": {}}]}
    image = (raw.object * np.exp(1j * blob)).astype(np.complex64)
    return replace(raw, object=image, name=name, provenance=provenance)


def test_the_original_is_found_and_photons_that_were_held_out_judge(checking, raw, tv):
    layer = checking.add(tv)
    checking.choose(layer)
    page = checking.page
    assert "weave" in page.about.text()
    assert page._case.original is raw
    assert page._case.scan is checking.session.scan
    assert not page.save_button.isEnabled()
    found = checking.run()
    assert found.support.held_out
    assert page.verdict.text() == found.verdict.upper()
    assert found.sentence() in page.sentence.text()
    assert found.name == DONE
    assert DONE in page.sentence.text()
    assert checking.cells() == [one.test for one in found.evidence]
    assert page.table.item(0, 1).toolTip() == found.evidence[0].sentence
    # the halves are those that the Denoise dock would make
    assert checking.session.halves[raw] is found.halves
    again = checking.run()
    assert again.halves is found.halves


def test_a_blob_is_ringed_where_it_is_and_a_second_check_replaces_the_layers(checking, raw):
    layer = checking.add(with_blob(raw))
    checking.choose(layer)
    checking.quick()
    found = checking.run()
    assert found.verdict == "contradicted"
    names = checking.made()
    assert set(names) == {f"{DONE} · {NAMES[kind]}" for kind in found.maps} | {
        f"{DONE} · {FRAMES}",
        f"{DONE} · {PLACES}",
    }
    rings = checking.viewer.layers[f"{DONE} · {PLACES}"]
    assert len(rings.data) == len(found.invented) >= 1
    y, x = rings.data[0]
    assert np.hypot(y - 30, x - 34) < 5
    frames = checking.viewer.layers[f"{DONE} · {FRAMES}"]
    assert len(frames.data) == 36
    score = checking.viewer.layers[f"{DONE} · {NAMES['score']}"]
    grid, layers = checking.viewer.canvas.grid, checking.viewer.layers
    cells = [grid.position(layers.index(one), layers) for one in (layer, score, rings)]
    assert cells[1] == cells[2] != cells[0]  # the rings lie over the map
    for one in (score, rings, frames):
        np.testing.assert_allclose(one.scale, layer.scale)
        np.testing.assert_allclose(one.translate, layer.translate)
        assert one.units == layer.units
        assert {str(unit) for unit in one.units} == {"nanometer"}
    assert tuple(score.contrast_limits) == (-10, 10)
    assert score.visible
    assert layer.visible
    alarms = [row for row, one in enumerate(found.evidence) if one.alarm]
    table = checking.page.table
    red, plain = (
        {table.item(row, 1).foreground().color().name() for row in rows}
        for rows in (alarms, set(range(len(found.evidence))) - set(alarms))
    )
    assert red == {RED["dark"]}
    assert not red & plain
    checking.viewer.theme = "light"
    assert table.item(alarms[0], 1).foreground().color().name() == RED["light"]
    checking.page.form.fields["sigma_px"].setValue(2)
    second = checking.run()
    assert second is not found
    assert sorted(checking.made()) == sorted(set(checking.made()))
    np.testing.assert_array_equal(
        checking.viewer.layers[f"{DONE} · {NAMES['score']}"].data, second.maps["score"].astype("f4")
    )
    # what was found is nothing to check
    checking.choose(checking.viewer.layers[f"{DONE} · {NAMES['score']}"])
    assert "This layer is a map" in checking.page.about.text()
    assert not checking.page.start_button.isEnabled()


def test_a_report_is_saved_and_notes_stay(checking, tv, tmp_path):
    checking.choose(checking.add(replace(tv, provenance={"scan": "weave", "denoised": [{}]})))
    checking.page.form.fields["held_out"].setChecked(True)
    found = checking.run()
    assert "how the image was made is not known" in checking.page.status.text()
    for name in ("r.html", "r.json"):
        button = checking.page.save_button
        assert button.isEnabled()
        with checking.qtbot.waitSignal(button.saved, timeout=60_000):
            button.save(tmp_path / name)
    assert json.loads((tmp_path / "r.json").read_text()) == found.as_dict()
    assert (tmp_path / "r.html").stat().st_size > 10_000
    assert "saved as" in checking.page.status.text()
    assert "how the image was made is not known" in checking.page.status.text()


def test_a_plain_image_is_checked_beside_its_original_and_one_of_nan_is_refused_in_red(
    checking, raw, notifications
):
    phase = plane_of(with_blob(raw)).data + 0.3
    layer = checking.viewer.add_image(phase, name="predicted")
    checking.choose(layer)
    assert "does not know its origin" in checking.page.about.text()
    checking.choose(layer, checking.viewer.layers[RAW])
    assert checking.page.start_button.isEnabled()
    checking.quick()
    found = checking.run()
    assert (found.name, found.verdict) == ("predicted", "contradicted")
    assert "an offset of" in checking.page.status.text()
    small = checking.viewer.add_image(phase[2:], name="cut")
    checking.choose(small, checking.viewer.layers[RAW])
    assert "with the same pixels" in checking.page.about.text()
    broken = checking.viewer.add_image(np.full(raw.object.shape, np.nan), name="broken")
    checking.choose(broken, checking.viewer.layers[RAW])
    assert checking.run() is None
    assert "pixels are NaN or infinite" in checking.page.status.text()
    assert any("broken" in message for message in notifications())
    assert checking.page.start_button.isEnabled()


def test_what_cannot_be_checked_says_why(checking, raw, tv):
    page = checking.page
    for other in ("none", checking.viewer.layers["weave · amplitude"]):
        checking.choose(checking.viewer.layers[RAW], other)
        assert "This is an original" in page.about.text()
        assert not page.start_button.isEnabled()
        page.start()
        assert not page.runner.running
    alone = checking.add(tv, of=None)
    checking.choose(alone)
    assert page.start_button.isEnabled()  # halves become the original
    binned = bin_positions(make_scan(), 2)
    view = view_scan(binned)
    checking.docks.scan.show_opened((view, view))
    checking.settle()
    assert "Open the scan of this reconstruction, or choose its original" in page.about.text()
    checking.choose(alone, checking.viewer.layers[RAW])
    assert "no scan of it is open" in page.about.text()
    found = checking.run()
    assert found.verdict == "not tested"
    assert found.support is None
    assert not any(FRAMES in name for name in checking.made())


def test_without_layers_it_asks_for_one(qtbot, make_napari_viewer):
    from napari_ptycho.gui.app import open_dock

    page = open_dock(make_napari_viewer(), "Inspect").open_page("Check")
    assert "Choose a denoised or predicted layer." in page.about.text()
    assert not page.start_button.isEnabled()


def test_it_can_be_stopped_and_started_again(checking, tv):
    checking.choose(checking.add(tv))
    page = checking.page
    with checking.qtbot.waitSignal(page.runner.updated, timeout=60_000):
        page.start_button.click()
    assert page.stop_button.isEnabled()
    assert not page.start_button.isEnabled()
    with checking.qtbot.waitSignal(page.runner.finished, timeout=60_000):
        page.stop_button.click()
    assert page.found is None
    assert page.verdict.isHidden()
    assert "stopped" in page.status.text()
    assert checking.made() == []
    assert not page.save_button.isEnabled()
    checking.quick()
    assert checking.run() is page.found is not None


def test_opening_the_dock_imports_nothing_heavy():
    code = (
        "import sys, napari\n"
        "from napari_ptycho.gui.app import open_dock\n"
        "viewer = napari.Viewer(show=False)\n"
        "open_dock(viewer, 'Inspect').open_page('Check')\n"
        "heavy = ('torch', 'skimage.restoration', 'matplotlib.figure')\n"
        "print([name for name in heavy if name in sys.modules])\n"
        "viewer.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip().endswith("[]"), done.stdout + done.stderr
