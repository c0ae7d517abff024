"""Bad input is one sentence and exit code 2; Ctrl-C keeps what was reached."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

import napari_ptycho
from napari_ptycho import cli, engines, io
from napari_ptycho.cli import show, window
from napari_ptycho.cli.app import run
from napari_ptycho.job import Update
from napari_ptycho.model import Scan
from napari_ptycho.prepare import first_guess


@pytest.fixture
def scan_file(tmp_path):
    path = tmp_path / "scan.h5"
    y, x = np.divmod(np.arange(36), 6)
    light = np.exp(-(np.hypot(*(np.indices((16, 16)) - 8)) ** 2) / 18)
    patterns = np.random.default_rng(0).poisson(1000 * light, (36, 16, 16)).astype(np.uint32)
    io.write_scan(Scan(patterns, positions_px=np.stack([y, x], axis=1) * 3.0), path)
    return path


def refused(capsys, *words):
    """Return the one sentence on stderr."""
    assert run(list(map(str, words))) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("napari-ptycho: ")
    assert said.err.count("\n") == 1
    return said.err


def test_bad_flags_are_one_sentence(capsys, tmp_path, scan_file):
    out = tmp_path / "out.h5"
    on = ("reconstruct", scan_file, "-o", out)
    assert "--foo" in refused(capsys, *on, "--foo")
    assert "--output" in refused(capsys, "reconstruct", scan_file)
    assert "'--epochs'" in refused(capsys, *on, "--epochs", "x")
    assert "neither a file nor a command" in refused(capsys, "recontruct")
    assert "no engine 'sirt'; there is rpie, epie" in refused(capsys, *on, "--engine", "sirt")
    assert "it must be like 2x2" in refused(capsys, *on, "--bin", "2x2x2")
    assert "has no 'speed'; it has epochs" in refused(capsys, *on, "--set", "speed=3")
    assert "--set speed: it must be name=value" in refused(capsys, *on, "--set", "speed")
    assert "it must lie in [1, 100000]" in refused(capsys, *on, "--epochs", "0")
    assert "--threads" in refused(capsys, *on, "--threads", "0")
    assert "--optics needs --probe optics" in refused(capsys, *on, "--optics", "defocus_mm=3")
    assert "device 'cuda:99'" in refused(capsys, *on, "--device", "cuda:99", "--json")
    assert not out.exists()


def test_bad_files_are_one_sentence(capsys, tmp_path, scan_file):
    out = tmp_path / "out.h5"
    on = ("reconstruct", scan_file, "-o")
    bad = tmp_path / "bad.h5"
    bad.write_bytes(b"nothing")
    assert "gone.h5" in refused(capsys, "info", tmp_path / "gone.h5")
    assert "bad.h5" in refused(capsys, "bin", bad, "--size", 2, "-o", out)
    assert "folder" in refused(capsys, *on, tmp_path / "no" / "out.h5")
    assert "is the scan that is read" in refused(capsys, *on, scan_file, "--overwrite")
    assert "add --overwrite" in refused(capsys, *on, bad)
    assert "add --overwrite" in refused(capsys, *on, out, "--report", bad)
    assert "cannot be read" in refused(capsys, *on, out, "--options", tmp_path / "no.toml")
    bad.write_text("epochs = ")
    assert "not TOML" in refused(capsys, *on, out, "--options", bad)
    assert "no sample 'moon'; there is siemens" in refused(capsys, "simulate", "moon", "-o", out)
    assert "no sample 'moon'" in refused(capsys, "--sample", "moon")
    measured = refused(capsys, "simulate", "siemens-real", "-o", out, "--truth", tmp_path / "t.h5")
    assert "siemens-real was measured" in measured
    once = refused(capsys, "simulate", "star-64", "-o", out, "--truth", out)
    assert "is to be written twice" in once
    assert not out.exists()


def test_start_and_probe_contradict_each_other(capsys, tmp_path, scan_file):
    words = ("--start", tmp_path / "r.h5", "--probe", "mean-pattern", "--json")
    said = refused(capsys, "reconstruct", scan_file, "-o", tmp_path / "out.h5", *words)
    assert "--start brings its own probe" in said


def test_an_existing_file_is_replaced_on_request(capsys, tmp_path, scan_file):
    out = tmp_path / "out.h5"
    out.write_text("old")
    words = ["bin", str(scan_file), "--size", "2", "-o", str(out), "--overwrite"]
    assert run(words) == 0
    assert len(io.read_scan(out)) == 18
    assert "18 patterns" in capsys.readouterr().out


def interrupted(after):
    """Return a job that Ctrl-C stops after some updates."""

    def job(scan, options, start=None, device="auto", memory_bytes=None, **_):
        result = first_guess(scan)
        total = sum(stage.epochs for stage in options)
        for done in range(1, after + 1):
            yield Update(done, total, {"error": (0.5,) * done}, result)
        raise KeyboardInterrupt

    return job


def test_ctrl_c_keeps_what_was_reached(monkeypatch, capsys, tmp_path, scan_file):
    monkeypatch.setattr(engines, "reconstruct", interrupted(after=3))
    out = tmp_path / "out.h5"
    assert run(["reconstruct", str(scan_file), "-o", str(out), "--json"]) == 130
    said = capsys.readouterr()
    assert f"stopped after 3 of 100 epochs; what was reached is in {out}" in said.err
    assert json.loads(said.out)["stopped"]
    assert len(io.read_reconstruction(out).positions_px) == 36


def test_ctrl_c_before_anything_was_reached_writes_nothing(
    monkeypatch, capsys, tmp_path, scan_file
):
    monkeypatch.setattr(engines, "reconstruct", interrupted(after=0))
    assert run(["reconstruct", str(scan_file), "-o", str(tmp_path / "out.h5")]) == 130
    assert "nothing was written" in capsys.readouterr().err
    assert not (tmp_path / "out.h5").exists()


def test_ctrl_c_while_reading_is_no_traceback(monkeypatch, capsys, scan_file):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(io, "read_scan", stop)
    assert run(["info", str(scan_file)]) == 130
    assert "stopped" in capsys.readouterr().err


def test_a_real_ctrl_c_keeps_the_result(tmp_path, scan_file):
    out = tmp_path / "out.h5"
    words = ["reconstruct", str(scan_file), "--epochs", "20000", "-o", str(out), "--device", "cpu"]
    program = "import sys; from napari_ptycho.cli import main; main(sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *words, "--threads", "1", "--set", "batch=36"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert ": epoch 2" in process.stderr.readline()  # a tenth of the way
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, stderr
    assert "what was reached is in" in stderr
    assert io.read_reconstruction(out).errors
    assert "epochs" in stdout


def test_an_unexpected_error_is_not_hidden(monkeypatch, scan_file):
    def broken(*_, **__):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(io, "read_scan", broken)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        run(["info", str(scan_file)])


def test_without_a_command_the_window_opens(monkeypatch, scan_file):
    opened = []

    class App:
        @staticmethod
        def launch(paths, sample):
            opened.append((paths, sample))

    monkeypatch.setattr(window.importlib, "import_module", lambda name: App)
    assert run([]) == 0
    assert run(["--sample", "fibres"]) == 0
    assert run([str(scan_file)]) == 0
    assert opened == [([], None), ([], "fibres"), ([str(scan_file)], None)]


def test_without_napari_a_sentence_says_what_to_install(monkeypatch, capsys):
    def missing(name):
        raise ModuleNotFoundError("No module named 'napari'", name="napari")

    monkeypatch.setattr(window.importlib, "import_module", missing)
    assert "pip install 'napari-ptycho[gui]'" in refused(capsys)


def test_a_broken_plugin_is_not_called_missing(monkeypatch):
    def broken(name):
        raise ImportError("cannot import name 'x'", name="napari_ptycho.gui.app")

    monkeypatch.setattr(window.importlib, "import_module", broken)
    with pytest.raises(ImportError, match="cannot import name 'x'"):
        run([])


def test_the_version(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"napari-ptycho {napari_ptycho.__version__}\n"


def test_main_exits_with_the_code(capsys):
    with pytest.raises(SystemExit) as exit_of:
        cli.main(["nonsense"])
    assert exit_of.value.code == 2
    assert "nonsense" in capsys.readouterr().err


def test_help_imports_nothing_heavy():
    program = (
        "import sys; from napari_ptycho.cli.app import run; run(['reconstruct', '--help']);"
        "print([m for m in ('torch', 'napari', 'matplotlib', 'numba') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "--energy-ev" in done.stdout


def test_only_the_help_that_lists_engines_imports_them():
    program = (
        "import sys; from napari_ptycho.cli.app import run; run(['--help']); run(['bin', '-h']);"
        "print([m for m in ('numpy', 'napari_ptycho.engines', 'dask') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_progress_in_a_log_is_a_line_for_each_tenth(capsys):
    with show.Bar("rPIE", 100) as bar:
        for done in range(1, 101):
            bar.show(done, f"epoch {done}/100")
    assert len(capsys.readouterr().err.splitlines()) == 10
