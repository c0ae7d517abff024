"""The stories of docs/stories: each a test, and the script that makes the tutorial's pictures.

Quick, with the other tests; at the length of the tutorial, with tables and pictures
(docs/images/story-*.png):

    xvfb-run -a -s "-screen 0 1600x1000x24" pytest tests/stories --pictures docs/images
"""

from pathlib import Path

import pytest

pytest.importorskip("qtpy")
pytest.importorskip("napari")


def pytest_collection_modifyitems(config, items):
    for item in items:
        if "stories" in item.path.parts:
            item.add_marker(pytest.mark.gui)
            if config.getoption("--pictures"):  # walked at full length: no test's time limit
                item.add_marker(pytest.mark.timeout(0))


@pytest.fixture(autouse=True, scope="module")
def _collect_rarely(rare_collections):
    pass


@pytest.fixture
def hand(request, qtbot, make_napari_viewer):
    """A person at a new window; `request.param` is the name of the story."""
    from .hand import Hand

    folder = request.config.getoption("--pictures")
    viewer = make_napari_viewer(show=True)
    return Hand(qtbot, viewer, Path(folder) if folder else None, request.param)
