import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("ours", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("ours")


@pytest.fixture(scope="session")
def real_data():
    """The folder of real scans, see its README.md."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("NAPARI_PTYCHO_DATA") or beside)
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not there; set NAPARI_PTYCHO_DATA")
    return folder


@pytest.fixture(autouse=True)
def presets_folder(tmp_path_factory, monkeypatch):
    """An empty folder for presets of files: the user's own is never touched."""
    folder = tmp_path_factory.mktemp("presets")
    monkeypatch.setenv("NAPARI_PTYCHO_PRESETS", str(folder))
    return folder


@pytest.fixture
def rng():
    return np.random.default_rng(20)
