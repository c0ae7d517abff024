"""The numbers of PtyNet's tables, calibrated on the truth that its authors ship."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from napari_ptycho.assess import pty2023
from napari_ptycho.assess.published import stretched
from napari_ptycho.errors import OptionsError
from napari_ptycho.physics.simulation import simulate

EDGE = 3  # the truth has a border of ones, which their evaluation cuts
WINDOW = 128


def printed(found):
    return f"{found.psnr_db:.1f} {found.ssim:.3f} {found.mse:.4f}"


def stitched(truth, corners, places, shape):
    """Put true patches at places and average them, as PtyNet does; NaN where none lies."""
    total, count = np.zeros(shape, complex), np.zeros(shape)
    for (y, x), (v, u) in zip(corners, places, strict=True):
        total[v : v + WINDOW, u : u + WINDOW] += truth[y : y + WINDOW, x : x + WINDOW]
        count[v : v + WINDOW, u : u + WINDOW] += 1
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def raster(side, step):
    return np.stack(np.divmod(np.arange(side**2), side), -1) * step


@pytest.fixture
def apart(real_data):
    """The set without overlap: truth, patterns, probe and where the windows truly lie."""
    folder = real_data / "ptynet"
    names = [f"1GT0overlap_newcat10_{part}.npy" for part in ("abs", "angle")]
    size, angle = (np.load(folder / name)[0] for name in names)
    return SimpleNamespace(
        truth=size * np.exp(1j * angle),
        patterns=np.load(folder / "1diff_cat100_0overlap.npy")[0],
        corners=np.load(folder / "true_positions_0overlap.npy"),
        probe=np.load(folder / "pxy_probe1000.npy"),
    )


@pytest.fixture
def close(real_data):
    """The 75 % set: truth, and where the windows truly lie."""
    with np.load(real_data / "ptynet" / "ptynet75_poisson1e6.npz") as file:
        return SimpleNamespace(truth=file["object"], corners=file["positions_px"].astype(int))


@pytest.mark.real
def test_the_forward_model_is_that_of_the_shipped_patterns(apart):
    photons = apart.probe.size * (np.abs(apart.probe) ** 2).sum()  # their FFT is not normalised
    scan = simulate(apart.truth, apart.probe, apart.corners, photons=photons, seed=None)
    wrong = np.abs(scan.patterns - apart.patterns).sum(axis=(1, 2))
    assert (wrong / apart.patterns.sum(axis=(1, 2))).max() < 1e-6


@pytest.mark.real
@pytest.mark.parametrize("part", [np.abs, np.angle])
def test_a_perfect_network_at_nominal_positions_scores_as_calibrated(apart, part):
    found = stitched(apart.truth, apart.corners, raster(5, WINDOW), (640, 640))
    truth = part(apart.truth[EDGE:-EDGE, EDGE:-EDGE])
    assert printed(pty2023(part(found), truth)) == "25.2 0.708 0.0014"


@pytest.mark.real
def test_a_perfect_network_at_true_positions_is_perfect(close):
    found = stitched(close.truth, close.corners, close.corners, close.truth.shape)
    found, truth = (np.angle(o[EDGE:-EDGE, EDGE:-EDGE]) for o in (found, close.truth))
    found = np.where(np.isnan(found), np.nanmean(found), found)  # under no window: 0.2 %
    score = pty2023(found, truth)
    assert score.psnr_db > 41
    assert f"{score.ssim:.3f} {score.mse:.4f}" == "1.000 0.0000"
    nominal = stitched(close.truth, close.corners, raster(16, 32), truth.shape)
    assert pty2023(np.angle(nominal), truth).psnr_db < 27  # though every patch is the truth


@pytest.mark.real
def test_blurred_truth_and_a_constant_score_as_calibrated(close):
    truth = np.angle(close.truth[EDGE:-EDGE, EDGE:-EDGE]).astype(np.float64)
    for blur, psnr, narrow, wide, mse in (
        (4, "25.95", 0.767, 0.603, "0.0030"),
        (16, "21.87", 0.729, 0.498, "0.0086"),
    ):
        image = gaussian_filter(truth, blur)
        found = pty2023(image, truth)
        assert (f"{found.psnr_db:.2f}", f"{found.mse:.4f}") == (psnr, mse)
        assert found.ssim == pytest.approx(narrow, abs=6e-4)
        assert pty2023(image, truth, sigma=1.5).ssim == pytest.approx(wide, abs=6e-4)
    assert f"{10 * math.log10(255**2 / np.var(stretched(truth))):.1f}" == "15.6"
    assert f"{np.var(truth / truth.max()):.4f}" == "0.0124"


def test_ssim_is_that_of_scikit_image(rng):
    truth = gaussian_filter(rng.standard_normal((40, 52)), 2)
    image = truth + 0.02 * rng.standard_normal(truth.shape)
    for sigma in (0.5, 1.5):
        theirs = structural_similarity(
            *(stretched(image), stretched(truth)),
            data_range=255,
            gaussian_weights=True,
            sigma=sigma,
            use_sample_covariance=False,
            full=True,
        )[1]
        ours = pty2023(image, truth, sigma).ssim
        assert ours == pytest.approx(
            theirs[5:-5, 5:-5].mean(), abs=1e-6
        )  # theirs cuts the window at 3.5 sigma


def test_offset_and_factor_vanish_but_not_from_the_mse(rng):
    truth = rng.random((32, 32))
    found = pty2023(2 * truth + 1, truth)
    assert found.psnr_db > 48  # rounding up of the last digit only
    assert found.mse == pytest.approx(
        np.mean(((2 * truth + 1) / (2 * truth + 1).max() - truth / truth.max()) ** 2)
    )
    assert found.mse > 0.01
    assert pty2023(truth, truth).psnr_db == math.inf


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.ones((32, 32)), "the image spans 1 to 1"),
        (-np.eye(32), "the image spans -1 to -?0"),
        (np.where(np.eye(32) > 0, np.nan, np.eye(32)), "the image spans nan"),
        (np.eye(32) * 1j, "the image is complex"),
        (np.eye(31), r"shape \(31, 31\), the truth \(32, 32\)"),
        (np.eye(10), "at least 11 x 11"),
    ],
)
def test_what_cannot_be_compared_gets_a_sentence(image, said):
    with pytest.raises(OptionsError, match=said):
        pty2023(image, np.eye(32))
