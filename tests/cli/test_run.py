"""`napari-ptycho run`, as it is typed."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from io import BufferedWriter, RawIOBase, TextIOWrapper

import numpy as np
import pytest

from napari_ptycho import io, recipes
from napari_ptycho.cli.app import run as run_cli
from napari_ptycho.cli.interrupt import interruptible
from napari_ptycho.denoise import ClassicalOptions
from napari_ptycho.engines import DmOptions, LsqmlOptions, RpieOptions, reconstruct
from napari_ptycho.io.autosave import beside
from napari_ptycho.io.layout import Layout
from napari_ptycho.job import run_to_end
from napari_ptycho.networks import FinetuneOptions
from napari_ptycho.prepare import Optics
from napari_ptycho.recipes import (
    AssessOptions,
    BinningOptions,
    DenoiseStep,
    NetworkStep,
    OutputOptions,
    Recipe,
    Source,
    Start,
)
from napari_ptycho.recipes.words import in_words

CHAIN = (DmOptions(epochs=2), LsqmlOptions(epochs=1))
RECIPE = Recipe("DM, then LSQ-ML", stages=CHAIN, assess=AssessOptions(frc=False))
CPU = ("--device", "cpu", "--threads", "1")


def run(*words):
    return run_cli(["run", *map(str, words)])


def asked(capsys, *words):
    """Run with --json; return the exit code and the object on the only line."""
    capsys.readouterr()
    code = run(*words, "--json", *CPU)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 1
    return code, json.loads(printed[0])


def refused(capsys, *words):
    """Return the one sentence on stderr."""
    capsys.readouterr()
    assert run(*words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("napari-ptycho: ")
    assert said.err.count("\n") == 1
    return said.err


@pytest.fixture
def file(tmp_path):
    """A recipe in a file."""
    recipes.write(RECIPE, tmp_path / "recipe.toml")
    return tmp_path / "recipe.toml"


def test_a_scan_runs_as_in_the_library(star_file, file, tmp_path, capsys):
    out = tmp_path / "out.h5"
    code, said = asked(capsys, file, star_file, "-o", out)
    assert code == 0
    (report,) = said["reports"]
    assert (report["state"], report["epochs"], report["output"]) == ("done", 3, str(out))
    expected = run_to_end(reconstruct(io.read_scan(star_file), CHAIN, device="cpu"))
    np.testing.assert_array_equal(io.read_reconstruction(out).object, expected.object)
    assert "exists already" in refused(capsys, file, star_file, "-o", out)
    assert run(file, star_file, "-o", out, "--overwrite", *CPU) == 0
    printed = capsys.readouterr()
    assert f"{out} written: 3 epochs, error {expected.errors[-1]:.5f}, " in printed.out
    assert "star.h5: stage 2 of 2, LSQ-ML, epoch 1 of 1" in printed.err


def test_several_scans_one_of_them_bad(star_file, file, tmp_path, capsys):
    bad = tmp_path / "bad.h5"
    bad.write_bytes(b"no scan at all")
    folder = tmp_path / "new" / "results"
    code, said = asked(capsys, file, star_file, bad, "--output-folder", folder)
    assert code == 1
    assert [one["state"] for one in said["reports"]] == ["done", "failed"]
    assert io.read_reconstruction(folder / "star.h5").errors
    assert not (folder / "bad.h5").exists()
    capsys.readouterr()
    assert run(file, bad, "--output-folder", folder, *CPU) == 2
    assert capsys.readouterr().err.count("napari-ptycho: bad.h5") == 1


def test_the_recipes_own_scan_and_a_recipe_in_a_result(star_file, tmp_path, capsys):
    recipes.write(replace(RECIPE, scan=Source(str(star_file))), tmp_path / "r.toml")
    code, _ = asked(capsys, tmp_path / "r.toml", "-o", tmp_path / "1.h5")
    assert code == 0
    code, _ = asked(capsys, tmp_path / "1.h5", "-o", tmp_path / "2.h5")
    assert code == 0
    one, two = (io.read_reconstruction(tmp_path / name) for name in ("1.h5", "2.h5"))
    np.testing.assert_array_equal(one.object, two.object)


def test_reconstruct_leaves_a_recipe_that_does_the_same(star_file, tmp_path, capsys):
    words = ["--engine", "rpie", "--epochs", "2", "--bin", "2", "--energy-ev", "9000"]
    words += ["--detector", "size=64", "--probe", "optics", "--optics", "defocus_mm=4"]
    one, two = tmp_path / "1.h5", tmp_path / "2.h5"
    assert run_cli(["reconstruct", str(star_file), "-o", str(one), *words, *CPU]) == 0
    capsys.readouterr()
    code, _ = asked(capsys, one, "-o", two)
    assert code == 0
    first, second = io.read_reconstruction(one), io.read_reconstruction(two)
    assert first.errors == second.errors
    np.testing.assert_array_equal(first.object, second.object)
    go_on = ["--start", str(one), "--bin", "2", "--epochs", "1", "--detector", "size=64"]
    words = ["reconstruct", str(star_file), "-o", str(tmp_path / "3.h5"), *go_on, *CPU]
    assert run_cli(words) == 0
    capsys.readouterr()
    assert "carries no recipe" in refused(capsys, tmp_path / "3.h5", "-o", tmp_path / "4.h5")


def test_check_says_the_steps_and_does_nothing(star_file, file, tmp_path, capsys):
    before = sorted(tmp_path.iterdir())
    assert run(file, star_file, "--check") == 0
    assert capsys.readouterr().out.splitlines() == [
        "DM, then LSQ-ML:",
        "1. read a scan",
        "2. DM, 2 epochs",
        "3. LSQ-ML, 1 epochs",
        "4. write Ptychodus product, with all there is",
    ]
    code, said = asked(capsys, file, star_file, "--check")
    assert (code, said["stage"][0]["engine"]) == (0, "dm")
    assert sorted(tmp_path.iterdir()) == before


def test_every_step_is_said():
    recipe = Recipe(
        scan=Source("s.h5", "xy.csv", Layout(frames="/a"), geometry={"energy_ev": 9000.0}),
        binning=BinningOptions("2x3"),
        start=Start("optics", Optics(defocus_mm=5.0)),
        network=NetworkStep("w3net", finetune=FinetuneOptions(epochs=7, seed=3)),
        stages=(RpieOptions(epochs=5, modes=2),),
        denoise=DenoiseStep("complex", ClassicalOptions("nlm", strength=2.0)),
        assess=AssessOptions(True, True),
        output=OutputOptions("cxi", True, True),
    )
    assert in_words(recipe) == [
        "read s.h5, positions from xy.csv, frames = /a, energy_ev = 9000.0",
        "bin positions 2x3, neighbours by path",
        "fine-tune w3net, 7 epochs, seed = 3",
        "predict with w3net",
        "start with the probe from optics, defocus_mm = 5.0",
        "rPIE, 5 epochs, modes = 2",
        "denoise the phase and amplitude by nlm, strength = 2.0",
        "find the resolution (single-image FRC)",
        "check for hallucinated structure",
        "write CXI result, OME-TIFF, a picture",
    ]


@pytest.mark.parametrize(
    ("text", "words", "sentence"),
    [
        (None, [], "none.toml: no such file"),
        ("[scan]\nfiel = 1", ["-o", "out.h5"], "recipe.toml: [scan] has no 'fiel'"),
        ("title = 'x'", ["STAR", "-o", "out.h5"], "the recipe reconstructs nothing"),
        ("[[stage]]\npreset='quick'", ["-o", "out.h5"], "names no scan; add the FILES"),
        ("[[stage]]\npreset='quick'", ["none.h5", "-o", "out.h5"], "none.h5: no such file"),
        ("[[stage]]\npreset='quick'", ["STAR"], "say where to write: -o OUT for one scan"),
        ("[[stage]]\npreset='quick'", ["STAR", "STAR", "-o", "x"], "say where to write"),
        (
            "[[stage]]\npreset='quick'",
            ["STAR", "-o", "x", "--output-folder", "y"],
            "say where to write",
        ),
        (
            "[[stage]]\npreset='quick'",
            ["STAR", "STAR2", "--output-folder", "y"],
            "two scans are called so",
        ),
        ("[[stage]]\npreset='quick'", ["STAR", "-o", "STAR"], "is the scan that is read"),
        ("[[stage]]\npreset='quick'", ["STAR", "-o", "no/out.h5"], "its folder is missing"),
        ("[[stage]]\npreset='quick'", ["STAR", "-o", "x", "--memory", "2 apples"], "--memory 2 ap"),
        ("[network]\nfile='net.pth'", ["STAR", "-o", "out.h5"], "net.pth: no such file"),
        ("[scan]\npositions='p.csv'\n[[stage]]\npreset='quick'", ["STAR"], "p.csv: no such file"),
    ],
)
def test_what_cannot_run_is_one_sentence(
    star_file, tmp_path, monkeypatch, capsys, text, words, sentence
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "star.cxi").write_bytes(star_file.read_bytes())
    name = "none.toml" if text is None else "recipe.toml"
    if text is not None:
        (tmp_path / name).write_text(text)
    places = {"STAR": star_file, "STAR2": tmp_path / "star.cxi"}
    assert sentence in refused(capsys, name, *(places.get(word, word) for word in words))


def test_ctrl_c_in_the_middle_of_a_line_of_stderr(monkeypatch):
    class Slow(RawIOBase):
        def writable(self):
            return True

        def write(self, text):
            signal.raise_signal(signal.SIGINT)
            return len(text)

    monkeypatch.setattr(sys, "stderr", TextIOWrapper(BufferedWriter(Slow())))
    with interruptible() as stop:
        sys.stderr.write("scan.h5 begun\n")
        sys.stderr.flush()
        assert stop()


def test_ctrl_c_keeps_what_was_reached(star_file, tmp_path, monkeypatch, capfd):
    long = replace(RECIPE, stages=(RpieOptions(epochs=100_000),))
    recipes.write(long, tmp_path / "long.toml")
    whole = recipes.tasks.run_here

    def interrupted(tasks, stop):
        for event in whole(tasks, stop):
            if event.progress is not None and event.progress.done > 0 and not stop():
                signal.raise_signal(signal.SIGINT)
            yield event

    monkeypatch.setattr("napari_ptycho.recipes.run_here", interrupted)
    before = signal.getsignal(signal.SIGINT)
    assert run(tmp_path / "long.toml", star_file, "-o", tmp_path / "out.h5", *CPU) == 130
    assert signal.getsignal(signal.SIGINT) is before
    said = capfd.readouterr().err
    assert "stopping; what was reached will be written" in said
    assert f"what was reached is in {tmp_path / 'out.h5'}" in said
    assert len(io.read_reconstruction(tmp_path / "out.h5").errors) < 100_000
    assert not beside(tmp_path / "out.h5").exists()


def test_a_killed_run_goes_on(star_file, tmp_path, capsys):
    recipe, out = replace(RECIPE, stages=(RpieOptions(epochs=40),)), tmp_path / "out.h5"
    recipes.write(recipe, tmp_path / "r.toml")
    words = [tmp_path / "r.toml", star_file, "--autosave", "0.001"]
    code = "from napari_ptycho.cli import main; main()"
    typed = [sys.executable, "-c", code, "run", *words, "-o", out, *CPU]
    process = subprocess.Popen([*map(str, typed)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not beside(out).exists() and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    assert beside(out).exists()
    assert not out.exists()
    code, said = asked(capsys, *words, "-o", out)
    assert code == 0
    assert 0 < said["reports"][0]["resumed_from"] < 40
    assert not beside(out).exists()
    code, _ = asked(capsys, *words, "-o", tmp_path / "whole.h5")
    one, two = io.read_reconstruction(out), io.read_reconstruction(tmp_path / "whole.h5")
    np.testing.assert_array_equal(one.object, two.object)
    beside(out).write_bytes(b"nothing of use")
    assert "--restart begins anew" in refused(capsys, *words, "-o", out, "--overwrite")
    code, said = asked(capsys, *words, "-o", out, "--overwrite", "--restart")
    assert (code, said["reports"][0]["resumed_from"]) == (0, 0)
