import pytest

from napari_ptycho import device


@pytest.fixture(autouse=True)
def _one_thread():
    """Small networks are fastest on one thread, and far slower on two where others work too."""
    with device.threads(1):
        yield
