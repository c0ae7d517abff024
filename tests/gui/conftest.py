"""Real napari windows, strict about what they leave behind."""

import os

import pytest

pytest.importorskip("qtpy")
pytest.importorskip("napari")

os.environ["NAPARI_STRICT_QT"] = "1"
os.environ["NAPARI_ENSURE_PLUGIN_MAIN_THREAD"] = "1"


def pytest_collection_modifyitems(items):
    for item in items:
        if "gui" in item.path.parts:
            item.add_marker(pytest.mark.gui)


@pytest.fixture
def notifications():
    """The texts that the user was shown."""
    from napari.utils.notifications import notification_manager

    notification_manager.records.clear()
    return lambda: [record.message for record in notification_manager.records]
