"""Fields, plot, pace, tables: on their own, with a viewer only where they follow its theme."""

import subprocess
import sys

import numpy as np
import pytest
import qtpy
from napari.components import ViewerModel

from napari_ptycho.errors import OptionsError
from napari_ptycho.gui import binding
from napari_ptycho.gui.geometry_form import GeometryForm
from napari_ptycho.gui.pace import Pace, clock_text
from napari_ptycho.gui.plot import DecadeAxis, LivePlot
from napari_ptycho.gui.quantity import ENERGY, LENGTH, QuantityEdit, parse
from napari_ptycho.gui.views import LogStack, picture, tiled, view_scan, viewed
from napari_ptycho.gui.widgets import Note, SummaryTable
from napari_ptycho.job import Update
from napari_ptycho.model import Geometry
from napari_ptycho.model.summary import Row
from napari_ptycho.prepare import first_guess

from .conftest import make_scan


@pytest.mark.parametrize(
    ("text", "units", "unit", "values"),
    [
        ("12.7 keV", ENERGY, "keV", (12_700.0,)),
        ("12.7", ENERGY, "keV", (12_700.0,)),
        ("12700 eV", ENERGY, "keV", (12_700.0,)),
        ("55 x 75 um", LENGTH, "m", (55e-6, 75e-6)),
        ("55×75 µm", LENGTH, "m", (55e-6, 75e-6)),
        ("1e-3", LENGTH, "m", (1e-3,)),
        ("  ", LENGTH, "m", ()),
    ],
)
def test_a_quantity_is_read_with_its_unit(text, units, unit, values):
    assert parse(text, units, unit) == pytest.approx(values)


@pytest.mark.parametrize("text", ["fast", "1 furlong", "-1 m", "0", "1 2 m", "1 keV"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(OptionsError, match=text):
        parse(text, LENGTH, "m")


def test_a_quantity_field_keeps_and_marks_what_it_cannot_read(qtbot):
    field = QuantityEdit(LENGTH, "mm")
    qtbot.addWidget(field)
    field.show_values((0.5,))
    assert field.text() == "500 mm"
    field.setText("half a metre")
    with qtbot.assertNotEmitted(field.edited):
        field.editingFinished.emit()
    assert field.text() == "half a metre"
    assert "half a metre" in field.toolTip()
    field.setText("50 cm")
    with qtbot.assertNotEmitted(field.edited):  # the same length
        field.editingFinished.emit()
    assert field.text() == "500 mm"
    assert field.toolTip() == ""
    field.setText("")
    with qtbot.waitSignal(field.edited) as emitted:
        field.editingFinished.emit()
    assert emitted.args == [()]


def test_the_focus_field_shows_in_the_near_field_only(qtbot):
    form = GeometryForm()
    qtbot.addWidget(form)
    form.show()
    form.show_geometry(Geometry(propagation="near", focus_to_sample_m=3.65e-3), {})
    assert form.fields["focus_to_sample_m"].isVisible()
    assert form.fields["focus_to_sample_m"].text() == "3.65 mm"
    form.show_geometry(Geometry(), {})
    assert not form.fields["focus_to_sample_m"].isVisible()


@pytest.mark.parametrize(
    ("field", "text", "name", "value"),
    [
        ("distance_m", "120 cm", "distance_m", 1.2),
        ("detector_pixel_m", "75", "detector_pixel_m", (75e-6, 75e-6)),
        ("detector_pixel_m", "55 x 75 um", "detector_pixel_m", (55e-6, 75e-6)),
        ("focus_to_sample_m", "4 mm", "focus_to_sample_m", 4e-3),
    ],
)
def test_edits_name_the_field_of_the_geometry(qtbot, field, text, name, value):
    form = GeometryForm()
    qtbot.addWidget(form)
    form.fields[field].setText(text)
    with qtbot.waitSignal(form.edited) as emitted:
        form.fields[field].editingFinished.emit()
    assert emitted.args[0] == name
    assert emitted.args[1] == pytest.approx(value)


def test_the_plot_takes_data_and_follows_the_theme(qtbot):
    viewer = ViewerModel()
    plot = LivePlot(viewer)
    qtbot.addWidget(plot)
    plot.show_curve([0.1, 0.01, 0.001])
    x, y = plot.curve.getOriginalDataset()
    assert list(x) == [1, 2, 3]
    assert list(y) == [0.1, 0.01, 0.001]
    dark = plot.background
    viewer.theme = "light"
    assert plot.background != dark


def test_a_logarithmic_axis_is_labelled_at_decades_or_between_them(qtbot):
    axis = DecadeAxis("left")
    assert axis.logTickValues(-3.2, 0.1, 100, None)[0][1] == [-3, -2, -1, 0]
    assert axis.logTickStrings([-3.0, 0.0], 1, 1.0) == ["10⁻³", "1"]
    near = axis.logTickValues(np.log10(0.011), np.log10(0.06), 100, None)[0][1]
    assert axis.logTickStrings(near, 1, 1.0) == ["0.02", "0.05"]
    assert axis.logTickStrings([-2.5], 1, None) == [""]
    close = axis.logTickValues(np.log10(0.0131), np.log10(0.0152), 100, None)[0][1]
    assert axis.logTickStrings(close, 1, 1.0) == ["0.0135", "0.014", "0.0145", "0.015"]


def test_pace_is_epochs_per_second_and_the_time_left():
    now = [0.0]
    pace = Pace(lambda: now[0])
    assert pace.text(Update(1.0, 100, {}, None)) == "epoch 1 / 100"
    now[0] = 10.0
    assert pace.text(Update(21.0, 100, {}, None)) == "epoch 21 / 100 · 2.0 epochs/s · 0:40 left"
    now[0] = 100.0
    assert "2.0 s/epoch" in pace.text(Update(51.0, 100, {}, None))
    assert clock_text(4000) == "1:06:40"


def test_a_table_row_with_a_warning_is_red_with_the_warning_as_tooltip(qtbot):
    table = SummaryTable(ViewerModel())
    qtbot.addWidget(table)
    table.show_rows((Row("energy", "8", "eV", "file: e", "too small"), Row("distance", "1", "m")))
    assert table.item(0, 1).text() == "8 eV"
    assert table.item(0, 1).toolTip() == "too small"
    assert table.item(0, 1).foreground().color().name() == "#ff8a80"
    assert table.item(1, 1).foreground().color().name() != "#ff8a80"


def test_a_note_shows_names_and_values_in_columns_and_warnings_in_red(qtbot):
    note = Note(ViewerModel())
    qtbot.addWidget(note)
    note.show_lines(["Frames     516 -> 129"], ["<careful>"])
    assert "<td>516 -&gt; 129</td>" in note.text()
    assert "color:#ff8a80" in note.text()
    assert "&lt;careful&gt;" in note.text()
    note.show_lines()
    assert note.isHidden()


def test_patterns_are_shown_logarithmically_and_read_when_asked_for():
    counts = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    stack = LogStack(counts)
    np.testing.assert_allclose(stack[1, 0], np.log10(1 + counts[1, 0]), rtol=1e-6)
    np.testing.assert_allclose(np.asarray(stack), np.log10(1 + counts), rtol=1e-6)


def test_the_view_of_a_scan_counts_valid_pixels_and_stops_reading_a_large_one(monkeypatch):
    scan = make_scan()
    view = view_scan(scan)
    np.testing.assert_allclose(view.counts, scan.patterns.sum(axis=(1, 2)))
    np.testing.assert_allclose(10**view.mean - 1, scan.patterns.mean(axis=0), rtol=1e-5, atol=1e-5)
    assert (view.raster.rows, view.raster.columns) == (6, 6)
    from napari_ptycho.gui import views

    monkeypatch.setattr(views, "READ_BYTES", 1)
    blocks = scan.blocks
    monkeypatch.setattr(type(scan), "blocks", lambda self, *_: blocks(8 * 32 * 32 * 4))
    part = view_scan(scan)
    assert part.frames_read == 8
    assert np.isnan(part.counts[8:]).all()


def test_modes_are_tiled_nearly_square():
    sheet = tiled(np.ones((3, 4, 4)))
    assert sheet.shape == (10, 10)
    assert sheet.sum() == 3 * 16


def test_the_last_picture_of_a_job_is_of_the_last_state():
    start = first_guess(make_scan())

    def job():
        for i in range(50):
            yield Update(i, 50, {}, type(start)(start.object * (1 + i), start.probe, [[0.0, 0.0]]))

    *_, last = viewed(job())
    assert last.result.picture.of is last.result.reconstruction
    assert picture(start).phase.shape == start.object.shape


ONLY_FOR_WORK = (
    "torch",
    "h5py",
    "distributed",
    "dask.array",
    "scipy.fft",
    "scipy.ndimage",
    "scipy.signal",
    "scipy.spatial",
    "skimage",
    "matplotlib",
    "numba",
    "pyqtgraph",
)


def test_the_manifest_and_all_docks_open_without_what_only_work_needs():
    """What none of them imports, none imports alone; what napari has imported itself is its own."""
    code = (
        "import sys, napari\n"
        "from npe2 import PluginManager\n"
        "from npe2.manifest.utils import import_python_name\n"
        "from napari_ptycho.gui.app import DOCKS, open_dock\n"
        "viewer = napari.Viewer(show=False)\n"
        "before = set(sys.modules)\n"
        "manifest = PluginManager.instance().get_manifest('napari-ptycho')\n"
        "for command in manifest.contributions.commands:\n"
        "    import_python_name(command.python_name)\n"
        "opened = [open_dock(viewer, name) for name in DOCKS]\n"
        "viewer.close()\n"
        f"heavy = set({ONLY_FOR_WORK!r}) & set(sys.modules) - before\n"
        "print(len(opened), sorted(heavy), 'torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout.splitlines()[-1] == "6 [] False", done.stderr


def test_qt_calls_do_not_wear_out_none():
    """PySide6 6.12.0 on Python 3.11 dies here."""
    code = (
        "from qtpy.QtWidgets import QApplication, QWidget\n"
        "app = QApplication([])\n"
        "widget = QWidget()\n"
        "for _ in range(10_000): widget.update()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_broken_binding_is_named_once_with_the_pip_line(monkeypatch, notifications):
    monkeypatch.setattr(binding, "_told", [])
    monkeypatch.setattr(qtpy, "PYSIDE_VERSION", "6.12.0")
    monkeypatch.setattr(sys, "version_info", (3, 11, 7))
    binding.check_binding()
    binding.check_binding()
    assert len(notifications()) == 1
    assert 'pip install "PySide6-Essentials!=6.12.0"' in notifications()[0]
    monkeypatch.setattr(binding, "_told", [])
    monkeypatch.setattr(qtpy, "PYSIDE_VERSION", "6.11.3")
    binding.check_binding()
    assert len(notifications()) == 1
