from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QCheckBox, QComboBox, QDoubleSpinBox, QLabel, QSpinBox
from superqt import QCollapsible

from napari_ptycho.engines import ENGINES
from napari_ptycho.gui.fields import NO_UNIT
from napari_ptycho.gui.form import OptionsForm, label
from napari_ptycho.options import Options, Range
from napari_ptycho.prepare import Optics


@dataclass(frozen=True)
class Everything(Options):
    count: Annotated[int, Range(1, 100_000), "How many."] = 7
    small: Annotated[float, Range(1e-5, 1, 0.1), "A small number."] = 1e-4
    free: Annotated[float, "Any number."] = -2.5
    on: Annotated[bool, "Whether."] = True
    kind: Annotated[Literal["a", "b"], "Which."] = "b"


@dataclass(frozen=True)
class Grouped(Everything):
    group: ClassVar[str] = "More"
    extra: Annotated[int, Range(0, 9), "Extra."] = 0


@pytest.mark.parametrize("cls", [Everything, Optics, *ENGINES.values()])
def test_a_fresh_form_gives_the_defaults(qtbot, cls):
    form = OptionsForm(cls)
    qtbot.addWidget(form)
    assert form.options() == cls()


def test_every_kind_of_parameter_has_its_field(qtbot):
    form = OptionsForm(Everything)
    qtbot.addWidget(form)
    kinds = {"count": QSpinBox, "small": QDoubleSpinBox, "on": QCheckBox, "kind": QComboBox}
    for name, kind in kinds.items():
        assert isinstance(form.fields[name], kind)


def test_what_is_edited_comes_out_and_is_announced(qtbot):
    form = OptionsForm(Everything)
    qtbot.addWidget(form)
    with qtbot.waitSignals([form.changed] * 4):
        form.fields["count"].setValue(9)
        form.fields["small"].setValue(0.00003)
        form.fields["on"].setChecked(False)
        form.fields["kind"].setCurrentText("a")
    assert form.options() == Everything(9, 0.00003, -2.5, False, "a")


def test_options_can_be_shown(qtbot):
    form = OptionsForm(Everything)
    qtbot.addWidget(form)
    wanted = Everything(3, 0.5, 1.25, False, "a")
    form.set_options(wanted)
    assert form.options() == wanted


def test_a_field_holds_to_its_range_and_tells_it(qtbot):
    form = OptionsForm(Everything)
    qtbot.addWidget(form)
    form.fields["count"].setValue(10**6)
    assert form.options().count == 100_000
    assert "How many." in form.fields["count"].toolTip()
    assert "From 1 to 100,000." in form.fields["count"].toolTip()


def test_less_used_parameters_fold(qtbot):
    form = OptionsForm(Everything, main=("count",))
    qtbot.addWidget(form)
    form.show()
    fold = form.findChild(QCollapsible)
    assert not fold.isExpanded()
    assert fold.isAncestorOf(form.fields["small"])
    assert not fold.isAncestorOf(form.fields["count"])
    assert form.options() == Everything()


def test_groups_fold_under_their_name_and_advanced_comes_last(qtbot):
    form = OptionsForm(Grouped, main=("count",))
    qtbot.addWidget(form)
    assert list(form.folds) == ["More", "Advanced"]
    assert form.folds["More"].isAncestorOf(form.fields["extra"])
    assert form.folds["Advanced"].isAncestorOf(form.fields["small"])


def test_a_fold_tells_what_it_hides_that_is_not_the_default(qtbot):
    form = OptionsForm(Grouped, main=("count",))
    qtbot.addWidget(form)
    fold = form.folds["More"]
    assert fold.text() == "▸ More"
    with qtbot.assertNotEmitted(form.changed):
        form.set_options(Grouped(extra=3))
    assert fold.text() == "▸ More •"
    assert "extra = 3" in fold.toggleButton().toolTip()
    assert form.folds["Advanced"].text() == "▸ Advanced"
    form.fields["extra"].setValue(0)
    fold.expand(animate=False)
    assert fold.text() == "▾ More"


def test_a_value_with_many_digits_is_kept(qtbot):
    form = OptionsForm(Everything)
    qtbot.addWidget(form)
    wanted = Everything(free=0.12345)
    form.set_options(wanted)
    assert form.options() == wanted


def test_the_wheel_changes_only_a_field_that_has_the_focus(qtbot):
    form = OptionsForm(Everything)
    qtbot.addWidget(form)
    field = form.fields["count"]
    turn = QWheelEvent(
        QPointF(2, 2),
        QPointF(2, 2),
        QPoint(0, 0),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    assert turn.type() == QEvent.Type.Wheel
    QApplication.sendEvent(field, turn)
    assert field.value() == 7


def test_names_become_labels_with_units():
    assert label("object_step") == "Object step"
    assert label("diameter_um") == "Diameter (µm)"
    assert label("phase_rad") == "Phase (rad)"
    assert label("history_mb") == "History (MB)"
    assert label("ssim_window", "px") == "SSIM window (px)"
    assert label("sigma", "that of the image") == "Sigma"
    assert label("photons_least", "photons") == "Photons least"


def test_a_field_tells_its_unit_or_that_it_has_none(qtbot):
    @dataclass(frozen=True)
    class Some(Options):
        reach_px: Annotated[float, Range(0, 9), "By its name."] = 1.0
        level: Annotated[float, Range(0, 9, unit="counts"), "By its range."] = 1.0
        share: Annotated[float, Range(0, 1), "Of the light."] = 1.0

    form = OptionsForm(Some)
    qtbot.addWidget(form)
    tips = {name: field.toolTip() for name, field in form.fields.items()}
    assert "Unit: px." in tips["reach_px"]
    assert "Unit: counts." in tips["level"]
    assert NO_UNIT in tips["share"]
    assert {box.text() for box in form.findChildren(QLabel)} == {
        *("Reach (px)", "Level (counts)", "Share"),
    }


def test_a_suggestion_spares_what_the_user_has_chosen(qtbot):
    form = OptionsForm(Everything)
    qtbot.addWidget(form)
    form.fields["count"].setValue(9)
    with qtbot.assertNotEmitted(form.changed):
        form.suggest(count=3, free=1.5)
    assert form.options() == Everything(count=9, free=1.5)
    assert form.choices() == {"count": 9}
    form.reset()
    form.suggest(count=3)
    assert form.options() == Everything(count=3)
