"""Sparse sampling in the Scan dock: what is kept, what it is called, and how it is told."""

from html import unescape

from napari_ptycho.engines import RpieOptions
from napari_ptycho.gui import recipe_filling
from napari_ptycho.recipes.recipe import Recipe


def thin(docks, every):
    docks.scan.binning.every_box.setValue(every)
    with docks.qtbot.waitSignal(docks.scan.loaded, timeout=60_000):
        docks.scan.binning.bin_button.click()


def reconstruct(docks):
    docks.reconstruct.show_own((RpieOptions(epochs=2),))
    with docks.qtbot.waitSignal(docks.reconstruct.runner.finished, timeout=120_000):
        docks.reconstruct.box.start_button.click()


def test_one_pattern_in_four_is_the_scan_until_all_are_asked_for_again(docks, scan_file):
    docks.open(scan_file)
    thin(docks, 4)
    scan = docks.session.scan
    assert len(scan) == 9
    assert scan.name == "weave · 1 in 4"
    note = docks.scan.binning.note
    docks.qtbot.waitUntil(lambda: "36 -> 9" in unescape(note.text()), timeout=60_000)
    docks.scan.binning.undo_button.click()
    assert len(docks.session.scan) == 36


def test_what_is_reconstructed_of_a_part_has_layers_of_its_own(docks, scan_file):
    docks.open(scan_file)
    reconstruct(docks)
    thin(docks, 2)
    reconstruct(docks)
    names = docks.names()
    assert {"weave · phase", "weave · 1 in 2 · phase"} <= set(names)
    found = {
        layer.name: len(layer.metadata["napari_ptycho"].positions_px)
        for layer in docks.viewer.layers
        if layer.name.endswith("phase")
    }
    assert found == {"weave · phase": 36, "weave · 1 in 2 · phase": 18}


def test_a_recipe_opens_the_same_part_again(docks, scan_file):
    docks.open(scan_file)
    thin(docks, 5)
    told, bins = docks.session.told
    recipe = Recipe(scan=told, binning=bins)
    again = recipe_filling.open_recipe(recipe).scans
    assert len(again[0].scan) == 8
    assert again[0].bins == bins != again[1].bins
