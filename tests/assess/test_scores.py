"""The numbers are those of scikit-image, and mean what their names say."""

import numpy as np
import pytest
from skimage import metrics as theirs

from napari_ptycho.assess.correlation import frc
from napari_ptycho.assess.frc_options import FrcOptions
from napari_ptycho.assess.plane import Plane
from napari_ptycho.assess.scores import NOTHING, MetricsOptions, metrics
from napari_ptycho.errors import OptionsError
from napari_ptycho.phantoms import noisy

SIDE, SIGMA = 128, 0.15
STILL = NOTHING.as_dict()


@pytest.fixture(scope="module")
def planes():
    image, clean = noisy("star", SIDE, SIGMA)
    return Plane(image, name="noisy"), Plane(clean, name="clean")


def test_they_are_those_of_scikit_image(planes):
    found = metrics(*planes, MetricsOptions(**STILL))
    image, clean = planes[0].data, planes[1].data
    assert found.value("PSNR") == pytest.approx(
        theirs.peak_signal_noise_ratio(clean, image, data_range=np.ptp(clean)), abs=1e-6
    )
    assert found.value("SSIM") == pytest.approx(
        theirs.structural_similarity(clean, image, data_range=np.ptp(clean)), abs=1e-6
    )
    assert found.value("MSE") == pytest.approx(theirs.mean_squared_error(clean, image))
    assert found.value("RMSE") == pytest.approx(SIGMA, rel=0.02)
    assert found.value("NRMSE") == pytest.approx(
        theirs.normalized_root_mse(clean, image, normalization="euclidean")
    )
    assert found.value("Pearson") == pytest.approx(np.corrcoef(image.ravel(), clean.ravel())[0, 1])
    assert found.value("noise σ, image") == pytest.approx(SIGMA, rel=0.15)
    assert found.value("noise σ, reference") < 0.02
    names = [row.name for row in found.rows]
    assert names[0] == "PSNR (range 1, min-max)"
    assert all(row.help for row in found.rows)


@pytest.mark.parametrize(("name", "theirs_name"), [("min-max", "min-max"), ("mean", "mean")])
def test_what_nrmse_is_relative_to(planes, name, theirs_name):
    found = metrics(*planes, MetricsOptions(**STILL, normalise=name))
    assert found.value(f"NRMSE ({name})") == pytest.approx(
        theirs.normalized_root_mse(planes[1].data, planes[0].data, normalization=theirs_name)
    )


def test_the_window_of_ssim_and_the_span_matter(planes):
    small = metrics(*planes, MetricsOptions(**STILL))
    large = metrics(*planes, MetricsOptions(**STILL, ssim_window=15))
    wanted = theirs.structural_similarity(
        planes[1].data, planes[0].data, win_size=15, data_range=np.ptp(planes[1].data)
    )
    assert large.value("SSIM (window 15") == pytest.approx(wanted, abs=1e-6)
    assert abs(wanted - small.value("SSIM")) > 0.01
    hot = planes[1].data.copy()
    hot[3, 3] = 10.0
    by_span = {
        span: metrics(planes[0], Plane(hot), MetricsOptions(**STILL, span=span)).value("PSNR")
        for span in ("min-max", "percentiles")
    }
    assert by_span["min-max"] - by_span["percentiles"] == pytest.approx(20, abs=1)


def test_a_shift_and_an_offset_are_removed_first(planes):
    moved = np.roll(planes[0].data, (2, -3), (0, 1)) + 5
    before = metrics(*planes).value("RMSE")
    found = metrics(Plane(moved), planes[1])
    assert found.value("RMSE") == pytest.approx(before, rel=0.1)
    assert found.aligned.shift_px == pytest.approx((-2, 3), abs=0.1)
    kept = metrics(Plane(moved), planes[1], MetricsOptions(phase=False))
    assert kept.value("RMSE") > 3


def test_the_resolution_is_that_of_the_frc_page_and_coarser_after_a_blur(planes):
    from scipy.ndimage import gaussian_filter

    name = "FRC resolution (full period, half-bit)"
    copies = [Plane(noisy("fibres", 256, 0.3, seed)[0], pixel_m=(5e-9, 5e-9)) for seed in (0, 1)]
    sharp = metrics(*copies, MetricsOptions(**STILL))
    clean = noisy("fibres", 256, 0.3)[1]
    blurred = [
        Plane(gaussian_filter(clean, 3) + np.random.default_rng(s).normal(0, 0.3, clean.shape))
        for s in (0, 1)
    ]
    coarse = metrics(*blurred, MetricsOptions(**STILL))
    row = next(row for row in sharp.rows if row.name == name)
    assert row.unit == "nm"
    assert row.value == frc(copies[1], copies[0], FrcOptions(), NOTHING).resolution().value
    assert 10 < row.value < 60
    assert coarse.value(name) > 1.5 * row.value / 5


def test_a_warning_of_the_frc_stays_with_its_number():
    raw = noisy("fibres", SIDE, 0.1, 0)[0], noisy("fibres", SIDE, 0.1, 1)[0]
    both = [Plane(image, processed="denoised (arch1)") for image in raw]
    found = metrics(*both, MetricsOptions(**STILL))
    row = next(row for row in found.rows if row.name.startswith("FRC"))
    assert "Both images were denoised (arch1)" in row.warning
    assert not any(row.warning for row in found.rows if not row.name.startswith("FRC"))


def test_only_what_both_know_counts(planes):
    spoilt = planes[0].data.copy()
    spoilt[:30] = 7
    area = np.ones((SIDE, SIDE), bool)
    area[:30] = False
    found = metrics(Plane(spoilt, area=area), planes[1], MetricsOptions(**STILL))
    part = planes[0].data[30:], planes[1].data[30:]
    assert found.value("MSE") == pytest.approx(theirs.mean_squared_error(*part))
    assert found.value("SSIM") == pytest.approx(
        theirs.structural_similarity(*part, data_range=np.ptp(part[1])), abs=1e-3
    )


def test_the_same_image_has_no_psnr(planes):
    found = metrics(planes[0], planes[0], MetricsOptions(**STILL))
    row = found.rows[0]
    assert row.value is None
    assert row.text() == "–"
    assert "the same" in row.help
    assert found.value("SSIM") == pytest.approx(1)
    assert found.value("Pearson") == pytest.approx(1)
    assert found.as_dict()["numbers"]["MSE"] == {
        "value": 0,
        "unit": "",
        "warning": "",
    }


def test_too_small_for_an_frc_is_said_in_the_row(rng):
    small = [Plane(rng.standard_normal((16, 15 + 1))) for _ in range(2)]
    cut = [plane.cut(slice(0, 16), slice(0, 16)) for plane in small]
    area = np.zeros((16, 16), bool)
    area[:, :9] = True
    found = metrics(cut[0], Plane(cut[1].data, area=area), MetricsOptions(**STILL))
    row = next(row for row in found.rows if row.name.startswith("FRC"))
    assert row.value is None
    assert "There is none" in row.help


def test_failures(planes):
    wave = Plane(np.exp(1j * planes[0].data), name="wave")
    with pytest.raises(OptionsError, match="wave is complex"):
        metrics(wave, wave)
    with pytest.raises(OptionsError, match="window of SSIM is 8 pixels; it must be odd"):
        metrics(*planes, MetricsOptions(ssim_window=8))
    spot = np.zeros((SIDE, SIDE))
    spot[3, 3] = 1
    with pytest.raises(OptionsError, match="no span between its percentiles"):
        metrics(planes[0], Plane(spot), MetricsOptions(**STILL, span="percentiles"))
    with pytest.raises(OptionsError, match="no number is called 'VIF'"):
        metrics(*planes).value("VIF")
