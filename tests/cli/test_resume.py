"""Commands that were killed: the same command again goes on, and ends as if nothing had been."""

import re
import signal
import subprocess
import sys
import time

import numpy as np

from napari_ptycho import io
from napari_ptycho.cli.app import run
from napari_ptycho.io.autosave import beside, read_checkpoint

START = "import sys; from napari_ptycho.cli.app import run; sys.exit(run(sys.argv[1:]))"


def killed(words, out):
    """Start a command, kill its process once it has written a checkpoint; return the exit code."""
    process = subprocess.Popen([sys.executable, "-c", START, *words], stdout=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            if beside(out).exists():
                break
            time.sleep(0.01)
    finally:
        process.kill()
        process.communicate()
    return process.returncode


def test_a_killed_reconstruction_goes_on(star_file, tmp_path, capsys):
    out, other = tmp_path / "out.h5", tmp_path / "other.h5"
    common = ["reconstruct", str(star_file), "--device", "cpu", "--threads", "1"]
    common += ["--engine", "mpie", "--epochs", "60"]
    words = [*common, "-o", str(out), "--autosave", "0.01"]
    assert killed(words, out) == -9
    assert not out.exists()
    reached = read_checkpoint(beside(out), arrays=False)
    assert 0 < reached.done < 60
    assert reached.about["title"] == "mPIE"

    assert run([*words[:-4], "-o", str(out), "--epochs", "7"]) == 2
    said = capsys.readouterr().err
    assert "mPIE (60 epochs)" in said
    assert "--restart begins anew" in said
    assert "another output name" in said

    assert run(words) == 0
    assert f"goes on from epoch {reached.done:.4g} of 60" in capsys.readouterr().out
    assert not beside(out).exists()
    assert run([*common, "-o", str(other), "--autosave", "0"]) == 0
    assert not beside(other).exists()
    found, whole = io.read_reconstruction(out), io.read_reconstruction(other)
    np.testing.assert_array_equal(found.object, whole.object)
    assert found.errors == whole.errors


def test_ctrl_c_writes_the_result_and_leaves_no_checkpoint(star_file, tmp_path):
    out = tmp_path / "out.h5"
    words = ["reconstruct", str(star_file), "-o", str(out), "--epochs", "1000"]
    words = [sys.executable, "-c", START, *words, "--autosave", "0.01"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert re.search(r"epoch 1\d\d/1000", process.stderr.readline())  # a tenth of the way
        assert beside(out).exists()
        process.send_signal(signal.SIGINT)
        assert "stopped after" in process.communicate(timeout=120)[1]
    assert process.returncode == 130
    assert io.read_reconstruction(out).provenance["runs"]
    assert not beside(out).exists()


def test_a_restart_forgets_what_was_left(star_file, tmp_path, capsys):
    out = tmp_path / "out.h5"
    words = ["reconstruct", str(star_file), "-o", str(out), "--epochs", "1", "--device", "cpu"]
    beside(out).write_text("damaged")
    assert run(words) == 2
    said = capsys.readouterr().err
    assert "a damaged one" in said
    assert "--restart begins anew" in said
    assert run([*words, "--restart"]) == 0
    assert "goes on" not in capsys.readouterr().out
    assert not beside(out).exists()


def test_the_memory_is_told_before_the_start(star_file, tmp_path, capsys):
    words = ["reconstruct", str(star_file), "--epochs", "1", "--device", "cpu", "-o"]
    assert run([*words, str(tmp_path / "a.h5"), "--memory", "10MB"]) == 0
    said = capsys.readouterr().out
    assert " of memory; 10 MB may be used" in said
    assert "That is more: frames will be read from disk" in said
    assert said.index("That is more") < said.index("written")
