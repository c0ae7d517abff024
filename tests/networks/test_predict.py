"""Prediction of a whole scan, with networks whose answer is known."""

import dask.array as da
import numpy as np
import pytest
import torch
from torch import nn

from napari_ptycho.errors import JobError, OptionsError, ScanError
from napari_ptycho.job import run_to_end
from napari_ptycho.model import Geometry, Scan
from napari_ptycho.networks import PredictOptions, predict, table
from napari_ptycho.networks.network import Network, Preparation
from napari_ptycho.networks.patches import PatchStack, complex_patches
from napari_ptycho.networks.quick import quick
from napari_ptycho.physics.simulation import simulate

SIZE, STEP = 32, 4.0


def truth(shape=(80, 84)):
    """Smooth, and different in every direction."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    phase = 0.7 * np.sin(0.12 * y + 0.04 * x) + 0.4 * np.cos(0.15 * x - 0.05 * y)
    return ((0.8 + 0.15 * np.sin(0.1 * x)) * np.exp(1j * phase)).astype(np.complex64)


def light(size=SIZE):
    y, x = np.indices((size, size)) - (size - 1) / 2
    square = (y**2 + x**2) / (size / 6) ** 2
    return np.exp(-square / 2 + 0.8j * square).astype(np.complex64)


@pytest.fixture
def scan(rng):
    raster = np.indices((9, 9)).reshape(2, -1).T * STEP + 2
    return simulate(truth(), light(), np.rint(raster + rng.uniform(0, 3, raster.shape)))


class Oracle(nn.Module):
    """Knows the true patch under each pattern, by the counts that it is given."""

    def __init__(self, scan, image, channels=2):
        super().__init__()
        h, w = scan.frame_shape
        root = np.sqrt(np.asarray(scan.patterns, np.float32)).reshape(len(scan), -1)
        self.known = torch.from_numpy(root)
        corners = np.rint(scan.in_pixels()).astype(int)
        patches = np.stack([image[y : y + h, x : x + w] for y, x in corners])
        both = np.stack([np.abs(patches), np.angle(patches)], axis=1)
        self.answers = torch.from_numpy(both)[:, -channels:]

    def forward(self, given):
        _, _, height, width = given.shape
        h, w = self.answers.shape[-2:]
        top, left = (height - h) // 2, (width - w) // 2
        inner = given[..., top : top + h, left : left + w]
        which = torch.cdist(inner.float().flatten(1), self.known).argmin(dim=1)
        answer = self.answers[which].to(given.dtype)
        sides = (left, width - w - left, top, height - h - top)
        return nn.functional.pad(answer, sides)


@pytest.fixture
def oracle(monkeypatch):
    """Return a network that knows the truth of a scan."""

    def make(scan, image=None, channels=2, **more):
        knows = Oracle(scan, truth() if image is None else image, channels)
        monkeypatch.setattr(table, "build", lambda name: knows)
        made = Preparation("sqrt", scan.frame_shape)
        made = Preparation("standardised", scan.frame_shape, np.zeros(scan.frame_shape), 1.0)
        return Network("ptynet-s", {}, made, "oracle", **more)

    return make


PLAIN = PredictOptions(standardise="network")  # the oracle reads the square roots themselves


def off(result, image, least=0.05):
    """Return the largest difference from the truth where patches have said something."""
    y, x = 2 - 2, 2 - 2  # the first guess leaves MARGIN_PX around, the scan begins at 2 or more
    del y, x
    start = result.reconstruction.positions_px[0] - result.frames[0] * 0
    return start, image, least


def compared(result, scan, image, least=0.05):
    """Return the object less the truth, where patches say something, over the scan's windows."""
    shift = np.rint(scan.in_pixels() - result.reconstruction.positions_px)[0].astype(int)
    h, w = result.reconstruction.object.shape
    frame = np.ones((h + 80, w + 80), np.complex64)
    inside = frame[-min(shift[0], 0) + 0 :, :]
    del inside
    y, x = np.mgrid[:h, :w] + shift[:, None, None]
    there = (y >= 0) & (x >= 0) & (y < image.shape[0]) & (x < image.shape[1])
    well = there & (result.coverage > least)
    return result.reconstruction.object[well] - image[y[well], x[well]]
