"""The plot of curves: data, names, bands and marks; colours of both themes."""

import numpy as np
import pytest
from qtpy.QtGui import QTextDocument

from napari_ptycho.gui.curve_colours import COLOURS
from napari_ptycho.gui.curve_plot import CurvePlot
from napari_ptycho.model import Curve

X = np.linspace(0, 0.5, 26)


def curve(slope=2.0, label="A and B", **thresholds):
    y = np.clip(1 - slope * X, 0, 1)
    return Curve(X, y, label=label, thresholds=thresholds)


@pytest.fixture
def plot(make_napari_viewer):
    viewer = make_napari_viewer()
    widget = CurvePlot(viewer)
    viewer.window.add_dock_widget(widget)
    viewer.window._qt_window.show()
    return widget


def shown(item):
    return item.getOriginalDataset()


def test_curves_thresholds_marks_and_bands(plot):
    half, one = np.full(26, 0.2), np.full(26, 0.5)
    curves = [curve(half_bit=half, one_bit=one), curve(1.0, label="A < B")]
    plot.show_curves(
        curves,
        "frequency (1/nm)",
        "FRC",
        thresholds=("half_bit", "unknown"),
        marks=(0.25, 0.4),
        spread={1: np.full(26, 0.1)},
        y_range=(0, 1.05),
    )
    for item, drawn in zip(plot.curves, curves, strict=True):
        np.testing.assert_array_equal(shown(item), (drawn.x, drawn.y))
    [threshold] = plot.thresholds
    np.testing.assert_array_equal(shown(threshold), (X, half))
    assert plot.names[0].toPlainText() == "half_bit"
    assert [line.value() for line in plot.marks] == [0.25, 0.4]
    assert "A&nbsp;" not in plot.legend.text()
    assert "A and B" in plot.legend.text()
    assert "A &lt; B" in plot.legend.text()
    assert plot.plot.getAxis("left").labelText == "FRC"
    assert plot.plot.getAxis("bottom").labelText == "frequency (1/nm)"
    [(x0, x1), (y0, y1)] = plot.plot.viewRange()
    assert (y0, y1) == (0, 1.05)
    assert x0 <= 0
    assert x1 >= 0.5
    box = plot.bands[0].boundingRect()  # 0.4 at the right end, 1.1 at the left
    assert (box.top(), box.bottom()) == pytest.approx((0.4, 1.1))


def test_a_name_longer_than_the_plot_is_shortened_in_the_middle(plot):
    begin, end = "a_measured_star_with_a_name_that_never_ends_", "·phase"
    long = begin + "and_no_blank_" * 8 + end
    plot.show_curves([curve(label=long), curve(label="short")], "x", "y")
    plot.legend.resize(320, 60)
    text = QTextDocument()
    text.setHtml(plot.legend.text())
    first, last = text.toPlainText().split("━")[1:]
    assert first.split()[0].startswith(begin[:10])
    assert first.split()[0].endswith(end)
    assert "…" in first
    assert last.split() == ["short"]
    assert plot.legend.fontMetrics().horizontalAdvance(f"━ {first.strip()}") <= 320
    assert plot.legend.toolTip() == long
    plot.legend.resize(4000, 60)
    assert long in plot.legend.text()
    assert plot.legend.toolTip() == ""


def test_fewer_curves_and_none_leave_nothing_behind(plot):
    band = {0: np.full(26, 0.1)}
    threshold = np.full(26, 0.2)
    drawn = [curve(half=threshold), curve(1.0)]
    plot.show_curves(drawn, "x", "y", thresholds=("half",), marks=(0.1, 0.2), spread=band)
    plot.show_curves([curve(1.0, label="only")], "x", "y", thresholds=("half",))
    assert shown(plot.curves[0])[1][-1] == 0.5
    assert shown(plot.curves[1]) == (None, None)
    assert shown(plot.thresholds[0]) == (None, None)
    assert not plot.names[0].isVisible()
    assert not any(line.isVisible() for line in plot.marks)
    assert plot.bands == []
    assert "only" in plot.legend.text()
    plot.show_curves([], "x", "y", marks=(0.1,))
    assert shown(plot.curves[0]) == (None, None)
    assert not any(line.isVisible() for line in plot.marks)
    assert not plot.legend.isVisible()


def test_gaps_and_flat_curves_are_no_trouble(plot):
    gaps = np.where(X > 0.3, np.nan, X)
    drawn = [Curve(X, gaps, thresholds={"t": gaps}), Curve(X, np.full(26, np.nan))]
    plot.show_curves(drawn, "x", "y", thresholds=("t",), spread={0: np.full(26, 0.1)})
    plot.grab()
    assert np.isnan(shown(plot.curves[0])[1]).sum() == 10
    assert plot.names[0].pos().x() == pytest.approx(0.3)  # where the threshold ends
    [_, (y0, y1)] = plot.plot.viewRange()
    assert np.isfinite((y0, y1)).all()


def test_a_zoomed_plot_stays_zoomed_while_it_is_fed(plot):
    plot.show_curves([curve()], "x", "y")
    plot.plot.setXRange(0.1, 0.2, padding=0)
    plot.show_curves([curve(1.5)], "x", "y")
    assert plot.plot.viewRange()[0] == pytest.approx((0.1, 0.2))
    plot.show_all()
    plot.grab()
    assert plot.plot.viewRange()[0][1] >= 0.5
    plot.plot.setXRange(0.1, 0.2, padding=0)
    plot.show_curves([curve(1.5)], "something else", "y")
    plot.grab()
    assert plot.plot.viewRange()[0][1] >= 0.5


def test_colours_follow_the_theme_and_begin_again_after_the_last(plot):
    plot.show_curves([curve(), curve(1.0)], "x", "y")
    for theme, colours in COLOURS.items():
        plot._viewer.theme = theme
        assert plot.colour(1) == colours[1]
        assert plot.colour(len(colours)) == colours[0]
        assert plot.curves[1].opts["pen"].color().name() == colours[1]
        assert colours[0] in plot.legend.text()
