"""Engines, presets and chains from the command line: the same as from the library."""

import json
from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho import io, samples
from napari_ptycho.cli import chainfile, outcome
from napari_ptycho.cli.app import run
from napari_ptycho.cli.flags import parse_bytes
from napari_ptycho.engines import (
    ENGINES,
    PRESETS,
    DipOptions,
    DmOptions,
    LsqmlOptions,
    MpieOptions,
    RpieOptions,
    reconstruct,
)
from napari_ptycho.engines.memory import estimate
from napari_ptycho.engines.stages import name_of
from napari_ptycho.engines.suggest import suggest
from napari_ptycho.errors import OptionsError
from napari_ptycho.job import Update, run_to_end
from napari_ptycho.prepare import first_guess

CHAIN = (DmOptions(epochs=2), LsqmlOptions(epochs=1, likelihood="poisson"))


@pytest.fixture(scope="module")
def star_file(tmp_path_factory):
    """A smaller scan than that of the other commands, of 20 frames: every engine runs it twice."""
    options = samples.SampleOptions(lines=4, columns=5, step_nm=200.0)
    path = tmp_path_factory.mktemp("chains") / "star.h5"
    io.write_scan(samples.open_sample("siemens-star", options), path)
    return path


def asked(capsys, *words):
    """Run a command with --json and return its exit code and the object on its only line."""
    code = run([*map(str, words), "--json"])
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 1
    return code, json.loads(printed[0])


def refused(capsys, *words):
    """Return the one sentence on stderr."""
    assert run(list(map(str, words))) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("napari-ptycho: ")
    assert said.err.count("\n") == 1
    return said.err


def assert_result(path, star_file, stages):
    """The file holds what the library makes of the stages."""
    expected = run_to_end(reconstruct(io.read_scan(star_file), stages, device="cpu"))
    found = io.read_reconstruction(path)
    np.testing.assert_allclose(found.errors, expected.errors, rtol=1e-4)
    np.testing.assert_allclose(found.object, expected.object, rtol=1e-3, atol=1e-3)
    assert set(found.extras) == set(expected.extras)
    runs = [entry["options"] for entry in found.provenance["runs"]]
    assert runs == [entry["options"] for entry in expected.provenance["runs"]]


def cut_short(stages, epochs):
    """Return stages of few epochs, and the words for them: a network learns for few steps first."""
    short, words = [], ["--epochs", epochs]
    for number, options in enumerate(stages, 1):
        few = {"pretrain": 5} if isinstance(options, DipOptions) else {}
        short.append(replace(options, epochs=epochs, **few))
        words += [word for name in few for word in ("--set", f"{number}.{name}={few[name]}")]
    return tuple(short), words


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_runs(star_file, tmp_path, capsys, engine):
    out = tmp_path / "out.h5"
    stages, few = cut_short([ENGINES[engine]()], epochs=2)
    words = ["reconstruct", star_file, "-o", out, "--engine", engine, *few]
    code, said = asked(capsys, *words, "--device", "cpu", "--threads", 1)
    assert code == 0
    assert [stage["engine"] for stage in said["stages"]] == [engine]
    assert said["stages"][0]["options"] == stages[0].as_dict()
    assert_result(out, star_file, stages)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_runs(star_file, tmp_path, capsys, preset):
    out = tmp_path / "out.h5"
    stages, few = cut_short(PRESETS[preset].stages, epochs=1)
    words = ["reconstruct", star_file, "-o", out, "--preset", preset, *few]
    code, said = asked(capsys, *words, "--device", "cpu", "--threads", 1)
    assert code == 0
    assert [stage["title"] for stage in said["stages"]] == [options.title for options in stages]
    assert [stage["done"] for stage in said["stages"]] == [1] * len(stages)
    assert said["epochs"] == len(said["errors"]) == len(stages)
    assert_result(out, star_file, stages)


def test_a_suggestion_runs_and_tells_why(star_file, tmp_path, capsys):
    out = tmp_path / "out.h5"
    words = ["reconstruct", star_file, "-o", out, "--preset", "suggested", "--epochs", 1]
    code, said = asked(capsys, *words, "--device", "cpu")
    found = suggest(io.read_scan(star_file))
    assert code == 0
    assert said["reasons"] == list(found.reasons)
    assert said["warnings"] == list(found.warnings)
    stages = tuple(replace(options, epochs=1) for options in found.stages)
    assert [stage["options"] for stage in said["stages"]] == [s.as_dict() for s in stages]
    assert_result(out, star_file, stages)
    assert run([*map(str, words), "--overwrite", "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert all(f"- {reason}" in printed for reason in found.reasons)
    assert all(f"! {warning}" in printed for warning in found.warnings)


def test_a_chain_runs_from_a_file(star_file, tmp_path, capsys):
    file, out = tmp_path / "chain.toml", tmp_path / "out.h5"
    file.write_text(
        '[[stage]]\nengine = "dm"\nepochs = 2\n'
        '[[stage]]\nengine = "lsqml"\nepochs = 1\nlikelihood = "poisson"\n'
    )
    words = ["reconstruct", star_file, "-o", out, "--chain", file, "--device", "cpu"]
    code, said = asked(capsys, *words, "--threads", 1)
    assert code == 0
    assert [(s["engine"], s["epochs"], s["done"]) for s in said["stages"]] == [
        ("dm", 2, 2),
        ("lsqml", 1, 1),
    ]
    assert said["stages"][0]["error"] == pytest.approx(said["errors"][1])
    assert said["stages"][1]["error"] == pytest.approx(said["errors"][2])
    assert_result(out, star_file, CHAIN)


def test_a_saved_chain_does_the_same_again(star_file, tmp_path, capsys):
    saved, again = tmp_path / "saved.toml", tmp_path / "again.toml"
    words = ["reconstruct", star_file, "--device", "cpu", "--threads", 1, "--overwrite"]
    more = ["--preset", "quick", "--epochs", 1, "--set", "2.anneal=0.5", "--set", "seed=5"]
    one = asked(capsys, *words, *more, "-o", tmp_path / "1.h5", "--save-chain", saved)
    two = asked(capsys, *words, "--chain", saved, "-o", tmp_path / "2.h5", "--save-chain", again)
    assert one[1]["errors"] == pytest.approx(two[1]["errors"])
    assert one[1]["stages"][1]["options"]["anneal"] == 0.5
    assert saved.read_text() == again.read_text()


def test_options_for_all_stages_and_for_one(star_file, tmp_path, capsys):
    file = tmp_path / "chain.toml"
    file.write_text(chainfile.dumps(CHAIN))
    words = ["reconstruct", star_file, "-o", tmp_path / "out.h5", "--chain", file]
    more = ["--epochs", 1, "--modes", 2, "--set", "2.epochs=2", "--set", "1.overlaps=1"]
    code, said = asked(capsys, *words, *more, "--set", "batch=4", "--device", "cpu")
    options = [stage["options"] for stage in said["stages"]]
    assert code == 0
    assert [o["epochs"] for o in options] == [1, 2]
    assert [o["modes"] for o in options] == [2, 2]
    assert [o["batch"] for o in options] == [4, 4]
    assert options[0]["overlaps"] == 1
    assert io.read_reconstruction(tmp_path / "out.h5").n_modes == 2


def test_going_on_counts_only_new_errors(star_file, tmp_path, capsys):
    words = ["reconstruct", star_file, "--device", "cpu", "--epochs", 1]
    assert asked(capsys, *words, "-o", tmp_path / "a.h5")[0] == 0
    words += ["--start", tmp_path / "a.h5", "-o", tmp_path / "b.h5", "--preset", "likelihood"]
    _, said = asked(capsys, *words)
    assert len(said["errors"]) == 4
    assert [s["error"] for s in said["stages"]] == pytest.approx(said["errors"][1:])


def test_the_memory_is_limited(star_file, tmp_path, capsys):
    words = ["reconstruct", star_file, "--device", "cpu", "--epochs", 1, "-o"]
    scan, options = io.read_scan(star_file), RpieOptions(epochs=1)
    need = estimate(scan, options, first_guess(scan).object.shape)
    limit = (need.total - need.frames // 2) // 1000 * 1000
    _, free = asked(capsys, *words, tmp_path / "a.h5", "--memory", "2GB")
    _, tight = asked(capsys, *words, tmp_path / "b.h5", "--memory", f"{limit / 1e6:.3f}MB")
    assert not any("disk" in note for note in free["notes"])
    assert any("read from disk" in note for note in tight["notes"])
    expected = run_to_end(reconstruct(scan, options, device="cpu", memory_bytes=limit))
    assert tight["errors"] == pytest.approx(expected.errors, rel=1e-3)


def test_chains_are_shown(star_file, tmp_path, capsys):
    words = ["reconstruct", star_file, "--preset", "quick", "--epochs", 1, "--device", "cpu"]
    assert run([*map(str, words), "-o", str(tmp_path / "out.h5")]) == 0
    said = capsys.readouterr()
    assert "Quick look:\n1. mPIE, 1 epochs, resolution = half" in said.out
    assert "stage 2/2 rPIE, epoch 1/1, error " in said.err


@pytest.mark.parametrize(
    ("done", "text"),
    [
        (0, "stage 1/2 DM, epoch 0/2"),
        (2, "stage 1/2 DM, epoch 2/2"),
        (2.5, "stage 2/2 LSQ-ML, epoch 0/1"),
        (3, "stage 2/2 LSQ-ML, epoch 1/1"),
    ],
)
def test_progress_tells_the_stage(done, text):
    assert outcome.progress(Update(done, 3, {}, None), CHAIN) == text


def test_progress_of_one_engine_tells_the_epoch():
    update = Update(2.5, 3, {"error": (0.5, 0.25)}, None)
    assert outcome.progress(update, (DmOptions(epochs=3),)) == "epoch 2/3, error 0.2500"


def test_every_engine_survives_a_chain_file():
    stages = tuple(kind(epochs=n) for n, kind in enumerate(ENGINES.values(), 1))
    assert chainfile.loads(chainfile.dumps(stages), "x") == stages


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("stage = [", "c.toml: not TOML"),
        ("", "c.toml: there is no stage; write [[stage]]"),
        ("[stage]\nengine = 'dm'", "c.toml: there is no stage"),
        ("stage = [1]", "c.toml, stage 1: names no engine; there is rpie"),
        ("epochs = 3\n[[stage]]\nengine = 'dm'", "c.toml: 'epochs' belongs to no stage"),
        ("[[stage]]\nepochs = 3", "c.toml, stage 1: names no engine; there is rpie"),
        ("[[stage]]\nengine = 'dm'\n[[stage]]\nengine = 'sirt'", "stage 2: has no engine 'sirt'"),
        ("[[stage]]\nengine = ['dm']", "stage 1: has no engine ['dm']"),
        ("[[stage]]\nengine = 'dm'\nspeed = 1", "stage 1: DmOptions has no 'speed'"),
        ("[[stage]]\nengine = 'dm'\nepochs = 0", "DmOptions.epochs is 0; it must lie in"),
        ("[[stage]]\nengine = 'dm'\nepochs = 'x'", "DmOptions.epochs is 'x'; it must be of type"),
    ],
)
def test_bad_chain_files_are_one_sentence(star_file, tmp_path, capsys, text, sentence):
    file = tmp_path / "c.toml"
    file.write_text(text)
    words = ["reconstruct", star_file, "-o", tmp_path / "out.h5", "--chain", file]
    assert sentence in refused(capsys, *words)
    assert not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--preset slow", "no preset 'slow'; there is quick, quality"),
        ("--preset slow", "low-dose, suggested"),
        ("--engine dm --preset quick", "--engine and --preset contradict each other"),
        ("--preset quick --chain no.toml", "--preset and --chain contradict each other"),
        ("--chain no.toml", "no.toml: cannot be read"),
        ("--preset quick --options no.toml", "--options belongs to one engine, but --preset"),
        ("--epochs 3 --set epochs=4", "--epochs 3 and --set epochs=4 contradict each other"),
        ("--set seed=3 --set seed=4", "--set seed=3 and --set seed=4 contradict each other"),
        ("--preset quick --set friction=0.5", "stage 2, rPIE, has no such option; name the stage"),
        ("--preset quick --set friction=0.5", "as in --set 1.friction=0.5"),
        ("--preset quick --set speed=3", "MpieOptions has no 'speed'"),
        ("--preset quick --set 3.epochs=3", "there is no stage 3 of 2 stages"),
        ("--set 0.epochs=3", "there is no stage 0 of one stage"),
        ("--preset quick --set 2.friction=0.5", "RpieOptions has no 'friction'"),
        ("--preset quick --epochs 0", "epochs is 0; it must lie in [1, 100000]"),
        ("--memory much", "--memory much: it must be a size like 500MB or 2GB"),
        ("--memory 0", "--memory 0: it must be a size"),
        ("--memory -2GB", "--memory -2GB: it must be a size"),
        ("--save-chain no/where.toml", "its folder is missing"),
        ("--save-chain out.h5", "is to be written twice"),
        ("--report out.h5", "is to be written twice"),
        ("--chain here.toml --save-chain here.toml --overwrite", "is the chain that is read"),
    ],
)
def test_bad_engine_flags_are_one_sentence(
    star_file, tmp_path, capsys, monkeypatch, words, sentence
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.toml").write_text(chainfile.dumps(CHAIN))
    assert sentence in refused(capsys, "reconstruct", star_file, "-o", "out.h5", *words.split())
    assert not (tmp_path / "out.h5").exists()


def test_too_little_memory_is_one_sentence(star_file, tmp_path, capsys):
    words = ["reconstruct", star_file, "-o", tmp_path / "out.h5", "--memory", "100kB", "--json"]
    said = refused(capsys, *words)
    assert "rPIE needs" in said
    assert "but 0 MB are free" in said


@pytest.mark.parametrize(
    ("word", "size"),
    [("2GB", 2 * 10**9), ("1.5 GiB", 3 * 2**29), ("500mb", 5 * 10**8), ("7", 7), ("64 B", 64)],
)
def test_sizes_are_read_as_people_write_them(word, size):
    assert parse_bytes(word, "--memory") == size


@pytest.mark.parametrize("word", ["", "GB", "2 XB", "1e9", "2GB2", "٢GB", "inf", "0.1"])
def test_other_sizes_are_refused(word):
    with pytest.raises(OptionsError, match="it must be a size"):
        parse_bytes(word, "--memory")


def test_the_engines_are_listed(capsys):
    assert run(["engines"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed] == list(ENGINES)
    code, said = asked(capsys, "engines")
    assert code == 0
    assert {name: entry["title"] for name, entry in said.items()} == {
        name: kind.title for name, kind in ENGINES.items()
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_the_options_of_an_engine_are_listed(capsys, engine):
    assert run(["engines", engine]) == 0
    printed = capsys.readouterr().out
    code, said = asked(capsys, "engines", engine)
    assert code == 0
    assert {name: entry["default"] for name, entry in said.items()} == ENGINES[engine]().as_dict()
    assert all(f"  {name} = " in printed for name in said)


def test_a_preset_is_printed_as_a_chain(capsys, tmp_path):
    assert run(["presets", "quick"]) == 0
    text = capsys.readouterr().out
    assert chainfile.loads(text, "x") == PRESETS["quick"].stages
    code, said = asked(capsys, "presets", "quick")
    assert code == 0
    assert [stage["engine"] for stage in said["quick"]["stages"]] == ["mpie", "rpie"]


def test_the_presets_are_listed(capsys):
    assert run(["presets"]) == 0
    printed = capsys.readouterr().out
    assert all(f"{name}: {preset.help}" in printed for name, preset in PRESETS.items())
    assert "  1. mPIE, 16 epochs, resolution = half" in printed


def test_unknown_names_are_refused(capsys):
    assert "no engine 'sirt'; there is rpie" in refused(capsys, "engines", "sirt")
    assert "no preset 'slow'; there is quick" in refused(capsys, "presets", "slow")


def test_the_help_lists_what_the_tables_hold(capsys):
    assert run(["reconstruct", "--help"]) == 0
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert f"rpie if none: {', '.join(ENGINES)}." in printed
    assert f"Several in a row: {', '.join(PRESETS)}; suggested" in printed
    assert "{" not in printed.replace("{FILE}", "")


def test_a_raster_is_warned_of(star_file, tmp_path, capsys):
    words = ["reconstruct", star_file, "-o", tmp_path / "out.h5", "--epochs", 1]
    _, said = asked(capsys, *words, "--device", "cpu")
    assert "regular raster" in said["warnings"][0]
    assert not said["reasons"]


def test_an_error_that_is_no_number_is_null(star_file, tmp_path, capsys, monkeypatch):
    from napari_ptycho import engines
    from napari_ptycho.prepare import first_guess

    def job(scan, options, start=None, device="auto", memory_bytes=None, **_):
        yield Update(1, 1, {"error": (np.nan,)}, replace(first_guess(scan), errors=(np.nan,)))

    monkeypatch.setattr(engines, "reconstruct", job)
    words = ["reconstruct", star_file, "-o", tmp_path / "out.h5", "--epochs", 1]
    code, said = asked(capsys, *words)
    assert code == 0
    assert said["error"] is said["stages"][0]["error"] is None


def test_stages_of_one_engine_are_told_apart():
    stages = (MpieOptions(epochs=3), RpieOptions(epochs=3))
    assert [name_of(options) for options in stages] == ["mpie", "rpie"]
