import numpy as np
import pytest

from napari_ptycho.physics.align import align, illuminated
from napari_ptycho.samples import small_scan
from tests.live.unveiled import Unveiled


@pytest.fixture(scope="session")
def star():
    """A small scan and its truth."""
    return small_scan("star")


@pytest.fixture
def unveil():
    return Unveiled


def phase_error(truth, result):
    """Root mean square phase error in rad over the illuminated area, aligned."""
    area = illuminated(truth)
    found = align(truth.object.astype(complex), result.object.astype(complex), area)
    return float(np.sqrt((np.angle(found.image * truth.object.conj())[area] ** 2).mean()))
