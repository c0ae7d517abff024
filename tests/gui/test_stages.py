"""What the window does with chains, without a window."""

import pytest

from napari_ptycho.engines import (
    PRESETS,
    AdamOptions,
    DmOptions,
    LsqmlOptions,
    MpieOptions,
    RpieOptions,
)
from napari_ptycho.gui.stages import after, line, rest, switched, total, under_way

CHAIN = (MpieOptions(epochs=4), RpieOptions(epochs=6), DmOptions(epochs=10))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (RpieOptions(epochs=1), "rPIE, 1 epoch"),
        (MpieOptions(epochs=16, resolution="half"), "mPIE, 16 epochs, half resolution"),
        (RpieOptions(modes=2, fly_points=4), "rPIE, 100 epochs, 2 modes, fly-scan"),
        (LsqmlOptions(positions="gradient"), "LSQ-ML, 100 epochs, positions (gradient)"),
    ],
)
def test_a_stage_is_one_line(options, text):
    assert line(options) == text


def test_another_engine_keeps_what_was_changed_and_takes_its_own_defaults():
    before = RpieOptions(epochs=7, fly_points=3, object_alpha=0.2)
    assert switched(before, LsqmlOptions) == LsqmlOptions(epochs=7, fly_points=3)
    assert switched(RpieOptions(batch=64), LsqmlOptions).batch == 64


def test_a_new_stage_keeps_what_is_known_of_the_experiment():
    before = MpieOptions(
        epochs=16, resolution="half", anneal=0.0, modes=2, saturation=1e4, positions="gradient"
    )
    assert after(before, AdamOptions) == AdamOptions(modes=2, saturation=1e4, positions="gradient")


@pytest.mark.parametrize(("done", "stage"), [(0, 0), (3.9, 0), (4, 1), (9.5, 1), (10, 2), (20, 2)])
def test_the_stage_under_way_follows_from_the_epochs(done, stage):
    assert under_way(CHAIN, done) == stage


def test_what_a_stopped_chain_has_left():
    assert rest(CHAIN, 0) == CHAIN
    assert rest(CHAIN, 6.7) == (RpieOptions(epochs=4), DmOptions(epochs=10))
    assert rest(CHAIN, 20) == ()
    for preset in PRESETS.values():
        assert total(rest(preset.stages, 5)) == total(preset.stages) - 5
