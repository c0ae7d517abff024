"""What a user has after `pip install "napari-ptycho[gui]"`, and what it does when it is opened.

Not collected by pytest: `tox run -e wheel` builds the wheel, installs it alone into an environment
of its own, and runs this there. By hand, in any such environment with a display:
`python tests/package/installed.py`. It ends with an exception where something is amiss.
"""

import importlib
import pkgutil
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import files, version
from pathlib import Path

NAME = "napari-ptycho"
PICTURE = Path("installed.png")


def say(text) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def check_files() -> None:
    """All that the sources hold came along, unchanged, and Python imports that and nothing else."""
    import napari_ptycho

    folder = Path(napari_ptycho.__file__).parent
    assert folder.is_relative_to(sys.prefix), f"imported from {folder}, not from {sys.prefix}"
    assert napari_ptycho.__version__ == version(NAME)
    came = {str(path) for path in files(NAME) if path.parts[0] == "napari_ptycho"}
    came = {path for path in came if "__pycache__" not in path}
    sources = Path(__file__).resolve().parents[2] / "src"
    paths = [path for path in sources.rglob("*") if path.is_file() and path.parent.name[:2] != "__"]
    assert came == {path.relative_to(sources).as_posix() for path in paths}
    for path in paths:
        assert path.read_bytes() == (folder.parent / path.relative_to(sources)).read_bytes(), path
    say(f"{NAME} {version(NAME)} in {folder}: {len(came)} files")


def check_imports() -> None:
    """Every module finds what it imports among the dependencies that the wheel asks for."""
    import napari_ptycho

    names = [m.name for m in pkgutil.walk_packages(napari_ptycho.__path__, "napari_ptycho.")]
    for name in names:
        importlib.import_module(name)
    say(f"{len(names)} modules imported")


def check_command() -> None:
    """The command is there, and a network that came along predicts."""
    ptycho = shutil.which(NAME, path=Path(sys.executable).parent)
    assert ptycho is not None, f"no command {NAME} beside {sys.executable}"
    with tempfile.TemporaryDirectory() as folder:
        for words in (
            ["simulate", "star-64", "-o", "star.h5"],
            ["predict", "star.h5", "--checkpoint", "ptynet-s", "-o", "predicted.h5"],
        ):
            subprocess.run([ptycho, *words], check=True, cwd=folder)


def wait(condition, seconds) -> None:
    """Let the window work until something is so."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not so after {seconds} s"
        QApplication.processEvents()
        time.sleep(0.02)


def check_window() -> None:
    """Napari opens with every dock, a sample is loaded, two epochs are run, and it closes."""
    from napari_ptycho.engines import RpieOptions
    from napari_ptycho.gui.app import DOCKS, found_dock, open_docks, open_window

    viewer = open_window(sample="star-64")
    scan, reconstruct = open_docks(viewer)
    assert all(found_dock(viewer, name) is not None for name in DOCKS)
    wait(lambda: scan.session.scan is not None and not scan.runner.running, 120)
    wait(lambda: not reconstruct.adviser.runner.running, 120)
    reconstruct.stages.show_stages((RpieOptions(epochs=2),))
    reconstruct.box.start_button.click()
    wait(lambda: not reconstruct.runner.running, 120)
    names = {layer.name.rpartition(" · ")[2] for layer in viewer.layers}
    assert {"patterns", "positions", "phase", "amplitude", "probe"} <= names, names
    errors = reconstruct.session.reconstruction.errors
    assert len(errors) == 2, errors
    assert errors[1] < errors[0], errors
    viewer.screenshot(str(PICTURE), canvas_only=False, flash=False)
    say(f"napari with {len(DOCKS)} docks and {len(names)} layers: {PICTURE.resolve()}")
    viewer.close()


if __name__ == "__main__":
    for check in (check_files, check_imports, check_command, check_window):
        begun = time.monotonic()
        check()
        say(f"{check.__name__}: {time.monotonic() - begun:.1f} s")
