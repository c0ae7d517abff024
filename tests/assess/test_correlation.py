"""Fourier ring correlation against theory, and against published programs by their numbers."""

from dataclasses import replace

import numpy as np
import pytest
import tifffile
from scipy import fft
from scipy.ndimage import gaussian_filter
from scipy.special import j0

from napari_ptycho.assess.correlation import frc
from napari_ptycho.assess.frc_options import CONVENTIONS, MODES, THRESHOLDS, FrcOptions
from napari_ptycho.assess.plane import Plane
from napari_ptycho.assess.registration import AlignOptions
from napari_ptycho.assess.resolution import koho, resolutions
from napari_ptycho.assess.rings import Rings, threshold
from napari_ptycho.errors import OptionsError

AS_IS = AlignOptions(shift=False, phase=False, ramp=False, scale=False)
PLAIN = FrcOptions(window="none", smoothing=1, ignore=0.0)
STAR = "Siemens_star_60nm_16nmZP_8keV_det2sple_3400mm_10s_{}.tif"
NAMES = ("1-bit", "half-bit", "0.5", "1/7")


def as_sifrc(image, length):
    """An image as siFRC prepares it: from 0 to 1, its middle (length, length)."""
    low, high = float(image.min()), float(image.max())
    scaled = (np.asarray(image, np.float64) - low) / (high - low)
    end = round(min(image.shape) / 2) + round(length / 2)
    return scaled[end - length : end, end - length : end]


@pytest.fixture(scope="module")
def pair():
    """The same star twice, each with noise of its own."""
    n = 256
    y, x = np.mgrid[:n, :n] - (n - 1) / 2
    star = 0.5 * (1 + np.tanh(4 * np.sin(24 * np.arctan2(y, x)))) * (np.hypot(y, x) < 0.43 * n)
    clean = gaussian_filter(star, 1.2)
    images = [clean + np.random.RandomState(k).normal(0, 0.1, clean.shape) for k in (0, 1)]
    assert [clean.sum(), *(one.sum() for one in images)] == pytest.approx(
        [19036.0, 19011.2308, 19052.6135], abs=0.1
    )
    return Plane(images[0], name="a"), Plane(images[1], name="b"), Plane(clean, name="clean")


def places(found, names=NAMES):
    return [found.crossings[name].first for name in names]


# -- siFRC, number by number


@pytest.mark.parametrize(
    ("images", "window", "crossings", "rings", "curve"),
    [
        (
            2,
            "none",
            (0.19463, 0.21250, 0.18853, 0.22051),
            (10, 30, 60, 100),
            (0.99935, 0.96189, 0.17649, 0.01085),
        ),
        (
            2,
            "hann",
            (0.22833, 0.25212, 0.21864, 0.25700),
            (10, 30, 60, 100),
            (0.99687, 0.98337, 0.30662, 0.09144),
        ),
        (
            1,
            "none",
            (0.29738, 0.31097, 0.26797, 0.37712),
            (5, 15, 30, 50),
            (0.98320, 0.93248, 0.67162, 0.08335),
        ),
        (
            1,
            "hann",
            (0.32678, 0.38097, 0.30620, 0.43458),
            (5, 15, 30, 50),
            (0.77972, 0.93195, 0.75553, 0.17233),
        ),
    ],
)
def test_sifrc_mode_gives_the_numbers_of_sifrc(pair, images, window, crossings, rings, curve):
    options = FrcOptions.of("siFRC", window=window)
    found = frc(pair[0], pair[1] if images == 2 else None, options)
    assert places(found) == pytest.approx(crossings, abs=5e-5)
    assert found.raw[list(rings)] == pytest.approx(curve, abs=2e-5)
    if images == 1:
        full = {"none": 0.30078, "hann": 0.35678}[window]
        assert found.crossings["half-bit (full)"].first == pytest.approx(full, abs=5e-5)


def test_the_windowing_of_sifrc_that_is_wrong_explains_its_numbers(pair):
    """It multiplies the windowed image by its own transpose. We do not offer that."""
    images = []
    for one in pair[:2]:
        half = one.data * np.hanning(one.shape[0])[:, None]
        images.append(Plane(half * half.T, name=one.name))
    found = frc(*images, FrcOptions.of("siFRC", window="none", ignore=0.0))
    assert places(found) == pytest.approx((0.02303, 0.02897, 0.02320, 0.04551), abs=5e-5)
    assert found.raw[[10, 30, 60, 100]] == pytest.approx(
        (0.52281, 0.89386, 0.48063, 0.04403), abs=2e-5
    )


def test_standard_mode_is_near_where_it_correlates_the_same(pair):
    found = frc(pair[0], pair[1], PLAIN, AS_IS)
    near = places(found, ("1-bit", "half-bit", "1/7"))
    assert near == pytest.approx([0.19463, 0.21250, 0.22051], abs=0.01)
    sifrc = frc(pair[0], pair[1], FrcOptions.of("siFRC"))  # each pixel in two rings, no sign
    assert np.abs(np.abs(found.raw[1:-1]) - sifrc.raw[1:]).mean() < 0.05


@pytest.mark.real
@pytest.mark.parametrize(
    ("file", "length", "crossings", "curve"),
    [
        (
            1,
            1200,
            (0.20434, 0.25446, 0.18465, 0.29666),
            (0.99893, 0.93062, 0.24782, 0.10810),
        ),
        (
            2,
            1200,
            (0.19940, 0.25028, 0.18180, 0.29785),
            (0.99891, 0.92880, 0.21950, 0.08426),
        ),
        (1, 800, (0.22728, 0.27670, 0.19831, 0.32994), None),
        (1, 400, (0.23114, 0.27164, 0.20964, 0.36977), None),
        (1, 512, (0.22902, 0.28781, 0.20516, 0.35734), None),
        (2, 800, (0.21692, 0.27644, 0.19389, 0.32932), None),
        (2, 400, (0.23242, 0.28628, 0.20832, 0.34586), None),
        (2, 512, (0.22858, 0.28967, 0.20474, 0.34736), None),
    ],
)
def test_sifrc_on_its_own_images(real_data, file, length, crossings, curve):
    image = tifffile.imread(real_data / "frc" / STAR.format(file))
    found = frc(Plane(as_sifrc(image, length)), None, FrcOptions.of("siFRC"))
    assert places(found) == pytest.approx(crossings, abs=2e-5)
    if curve is not None:
        assert found.raw[[10, 60, 150, 240]] == pytest.approx(curve, abs=2e-5)
        full = {1: 0.21860, 2: 0.21643}[file]
        assert found.crossings["half-bit (full)"].first == pytest.approx(full, abs=2e-5)


@pytest.mark.real
def test_a_fixed_pattern_in_both_images_is_told(real_data):
    images = [Plane(tifffile.imread(real_data / "frc" / STAR.format(k))) for k in (1, 2)]
    found = frc(*images, FrcOptions.of("siFRC", window="hann"))
    curve = found.raw[[50, 200, 400, 600]]
    assert curve == pytest.approx([0.99026, 0.58865, 0.54697, 0.51893], abs=2e-5)
    assert places(found) == [None, None, pytest.approx(0.45544, abs=2e-5), None]
    assert any("fixed pattern" in text for text in found.warnings)
    without = frc(*images, FrcOptions.of("siFRC"))
    assert places(without) == [None] * 4
    assert without.resolution("1/7").value is None  # and not Nyquist


# -- miplib


def test_koho_mode_has_the_curve_of_miplib(pair):
    found = frc(pair[0], None, FrcOptions.of("Koho"))
    for name, root in (("1/7", 0.70694), ("half-bit", 0.63875)):  # miplib takes later falls
        y, limit = (
            np.interp(root / 2, found.curve.x, values)
            for values in (found.raw, found.curve.thresholds[name])
        )
        assert y == pytest.approx(limit, abs=1e-3)


@pytest.mark.parametrize(
    ("root", "resolution"),
    [(0.70694, 4.9367), (0.53125, 6.8036), (0.63875, 5.5930), (0.75472, 4.4654), (0.58693, 6.1338)],
)
def test_the_calibration_of_miplib(root, resolution):
    found = {one.name: one.value for one in resolutions(root / 2, True, None)}
    assert found["Koho"] == pytest.approx(resolution, rel=1e-3)


@pytest.mark.real
def test_koho_mode_on_the_real_star(real_data):
    for file, name, place, size in ((1, "0.5", 0.18086, 10.023), (2, "half-bit", 0.2493, 7.258)):
        image = tifffile.imread(real_data / "frc" / STAR.format(file))
        found = frc(Plane(as_sifrc(image, 1200)), None, FrcOptions.of("Koho"))
        assert found.crossings[name].first == pytest.approx(place, abs=1e-4)
        assert found.resolution(name).value == pytest.approx(size, rel=1e-3)


def test_koho_g():
    found = [koho(rho) for rho in (0.2, 0.702, 0.818, 1.0)]
    assert found == pytest.approx([0.55148, 0.5716, 0.6527, 1.823], abs=1e-3)


# -- theory


def test_thresholds_of_a_hundred_pixels():
    found = [threshold(name, np.full(3, 100.0))[1] for name in ("half-bit", "1-bit", "3-sigma")]
    assert found == pytest.approx([0.30669, 0.45169, 0.42426], abs=1e-4)
    many = {name: threshold(name, np.full(1, 1e16))[0] for name in THRESHOLDS}
    assert many == pytest.approx(
        {
            "1/7": 1 / 7,
            "0.5": 0.5,
            "half-bit": 0.1716,
            "1-bit": 1 / 3,
            "half-bit (full)": 0.2929,
            "1-bit (full)": 0.5,
            "3-sigma": 0.0,
        },
        abs=1e-4,
    )
    assert threshold("3-sigma", np.ones(1))[0] == 1


def test_identical_images_have_one_and_are_told(pair):
    found = frc(pair[0], pair[0], PLAIN, AS_IS)
    np.testing.assert_allclose(found.raw, 1, atol=1e-12)
    assert found.crossing().first is None
    assert "stays above half-bit" in found.crossing().words
    assert "the same" in found.warnings[0]


def test_gain_offset_shift_and_ramp_change_nothing(pair):
    a, b, _ = pair
    before = frc(a, b, PLAIN, AS_IS).raw
    changed = replace(b, data=3 * b.data + 7)
    np.testing.assert_allclose(frc(a, changed, PLAIN, AS_IS).raw, before, atol=1e-9)
    ramp = np.linspace(0, 5, 256)[None]
    moved = replace(b, data=np.roll(b.data, (3, -2), (0, 1)) + ramp)
    spoilt = frc(a, moved, replace(PLAIN, window="hann"), AS_IS).raw
    mended = frc(a, moved, replace(PLAIN, window="hann")).raw
    good = frc(a, b, replace(PLAIN, window="hann"), AS_IS).raw
    middle = slice(10, 50)
    assert np.abs(spoilt - good)[middle].mean() > 0.3
    assert np.abs(mended[: len(good)] - good[: len(mended)])[middle].mean() < 0.05


def test_complex_images_have_their_phase_and_ramp_taken_out(pair, rng):
    clean = np.exp(1j * pair[2].data)
    noise = [0.1 * (rng.normal(size=(256, 256, 2)) @ [1, 1j]) for _ in range(2)]
    y, x = np.mgrid[:256, :256]
    turn = np.exp(1j * (0.5 + 0.05 * y - 0.02 * x))
    a, b = Plane(clean + noise[0]), Plane((clean + noise[1]) * turn)
    options = FrcOptions(smoothing=1)
    good = frc(a, Plane(clean + noise[1]), options, AS_IS).raw
    assert frc(a, b, options, AS_IS).raw[10:30].mean() < 0.3
    mended = frc(a, b, options).raw
    np.testing.assert_allclose(mended[10:30], good[10:30], atol=0.05)
    assert mended[10:30].mean() > 0.9


def test_noise_alone_has_mean_zero_and_the_spread_of_its_pixels(rng):
    curves = []
    for _ in range(200):
        a, b = (Plane(rng.normal(size=(128, 128))) for _ in range(2))
        found = frc(a, b, PLAIN, AS_IS)
        curves.append(found.raw[3:])
    scaled = np.std(curves, axis=0) * np.sqrt(found.rings[3:])
    assert scaled.mean() == pytest.approx(1.0, abs=0.1)
    assert np.mean(curves) == pytest.approx(0.0, abs=0.02)
    assert found.rings[:3].tolist() == [1, 8, 12]  # pixels at distance 0, 1 and sqrt(2), ...
    noise = frc(a, b, FrcOptions(), AS_IS).crossing()
    assert noise.first is None
    assert "is never above" in noise.words


def test_signal_to_noise_gives_its_correlation(rng):
    signal = rng.normal(size=(256, 256))
    a, b = (Plane(signal + 0.7 * rng.normal(size=signal.shape)) for _ in range(2))
    snr = 1 / 0.49
    assert frc(a, b, PLAIN, AS_IS).raw[5:].mean() == pytest.approx(snr / (snr + 1), abs=0.01)


def test_one_image_without_noise_falls_by_j0_unless_compensated(rng):
    n = 1024
    spectrum = fft.fft2(rng.normal(size=(n, n)))
    radius = np.hypot(fft.fftfreq(n)[:, None], fft.fftfreq(n)[None])
    image = Plane(fft.ifft2(np.where(radius < 0.249, spectrum, 0)).real)
    options = replace(PLAIN, smoothing=5)
    raw = frc(image, None, replace(options, compensate=False)).curve
    at = np.array([0.1, 0.2, 0.3, 0.409])
    found = np.interp(at, raw.x, raw.y)
    np.testing.assert_allclose(found, [0.951, 0.812, 0.603, 0.330], atol=0.01)
    np.testing.assert_allclose(found, j0(np.sqrt(2) * np.pi * at), atol=0.01)
    mended = frc(image, None, options).curve
    np.testing.assert_allclose(np.interp([0.1, 0.3, 0.45], mended.x, mended.y), 1, atol=0.01)


def test_a_blur_raises_the_frc_of_one_image_and_not_that_of_two(pair):
    a, b, _ = pair
    soft = [Plane(gaussian_filter(one.data, 0.5)) for one in (a, b)]
    one = [frc(image).crossing("1/7").first for image in (a, soft[0])]
    assert one[1] is None or one[1] > 1.04 * one[0]
    two = [frc(*images).crossing("1/7").first for images in ((a, b), soft)]
    assert two[1] == pytest.approx(two[0], rel=0.02)


def test_rings_of_a_rectangle_are_circles():
    rows, columns = np.mgrid[:96, :192]
    rings = Rings((96, 192), "round")
    assert rings.count == 48
    for where in (rows, columns):  # both lie in the ring at 0.25 cycles per pixel
        power = rings.sum(np.abs(fft.fft2(np.cos(2 * np.pi * 0.25 * where))) ** 2)
        assert rings.x[np.argmax(power)] == 0.25
        assert power.max() == pytest.approx(power.sum())


# -- conventions


def test_table_1_of_the_paper():
    printed = {0.351: 126, 0.331: 134, 0.365: 121, 0.409: 108}
    for place, nm in printed.items():
        found = {one.name: one for one in resolutions(place, True, 44.2e-9)}
        assert found["paper"].value == pytest.approx(nm, abs=0.5)
        assert found["paper"].unit == "nm"
        assert found["full period"].value == pytest.approx(2 * found["paper"].value)
        assert found["half period"].value == pytest.approx(found["paper"].value)
        assert found["siFRC README"].value == pytest.approx(np.sqrt(2) * found["paper"].value)
        assert found["cycles/pixel"].value == place / 2
    koho_nm = [
        next(one.value for one in resolutions(place, True, 44e-9) if one.name == "Koho")
        for place in printed
    ]
    assert koho_nm == pytest.approx([219.3, 236.1, 207.4, 164.8], abs=0.1)


def test_two_images_know_periods_only():
    found = {one.name: one for one in resolutions(0.25, False, None)}
    assert found["full period"].text() == "4 px"
    assert found["half period"].value == 2
    assert [found[name].text() for name in ("paper", "siFRC README", "Koho")] == ["–"] * 3
    assert {one.value for one in resolutions(None, True, 1e-9)} == {None}
    assert [one.name for one in resolutions(None, True, None)] == [
        "P",
        "cycles/pixel",
        *CONVENTIONS,
    ]


# -- what the user is told, and what each option does


def test_a_processed_image_gets_a_warning_that_names_it(pair):
    image = replace(pair[0], processed="denoised (arch1)")
    said = frc(image).warnings[0]
    assert "denoised (arch1)" in said
    assert "not valid" in said
    assert frc(pair[0]).warnings == ()
    assert "invented alike" in frc(image, replace(pair[1], processed="denoised")).warnings[0]


def test_few_rings_and_too_few(rng):
    assert "Only 16 rings" in frc(Plane(rng.normal(size=(64, 64)))).warnings[0]
    with pytest.raises(OptionsError, match="24 x 24 pixels make 6 rings; need at least 8"):
        frc(Plane(rng.normal(size=(24, 24)), name="small"))
    with pytest.raises(OptionsError, match="no threshold is called '1/8'"):
        frc(Plane(rng.normal(size=(64, 64)))).crossing("1/8")


def test_only_the_rectangle_that_is_known_counts(pair, rng):
    area = np.zeros((256, 256), bool)
    area[40:200, 30:230] = True
    area[90, 100] = False  # a hole
    area[40:60, 30:40] = False  # a corner
    junk = [np.where(area, one.data, rng.normal(0, 9, one.shape)) for one in pair[:2]]
    a, b = (Plane(image, name=name, area=area) for image, name in zip(junk, "ab", strict=True))
    found = frc(a, b, PLAIN, AS_IS)
    good = frc(*(one.cut(slice(40, 200), slice(40, 230)) for one in (a, b)), PLAIN, AS_IS)
    np.testing.assert_allclose(found.raw, good.raw, atol=1e-9)
    assert "160 x 190 pixels" in found.notes[-1]
    spoilt = frc(a, b, replace(PLAIN, crop=False), AS_IS)
    assert len(spoilt.raw) == 128
    assert spoilt.raw[5:20].mean() < 0.5 * found.raw[5:20].mean()
    thin = np.zeros((256, 256), bool)
    thin[5:15] = True
    with pytest.raises(OptionsError, match="10 x 256 pixels; need 16 x 16"):
        frc(replace(a, area=thin))


def test_other_shapes_and_pixels_are_matched_and_said(pair):
    smaller = pair[1].cut(slice(0, 200), slice(0, 220))
    found = frc(pair[0], smaller)
    assert any("200 x 220 are compared" in note for note in found.notes)
    wide = replace(pair[0], pixel_m=(1e-9, 2e-9))
    assert any("not square" in note for note in frc(wide).notes)
    assert frc(wide).pixel_m == pytest.approx(np.sqrt(2) * 1e-9)
    assert any(
        "for one image only" in n for n in frc(*pair[:2], FrcOptions(convention="paper")).notes
    )


@pytest.mark.parametrize(
    "change",
    [
        {"window": "none"},
        {"window": "tukey"},
        {"rings": "floor"},
        {"smoothing": 1},
        {"compensate": False},
        {"mode": "Koho"},
        {"mode": "siFRC"},
    ],
)
def test_every_option_changes_the_curve(pair, change):
    before, after = frc(pair[0]), frc(pair[0], None, replace(FrcOptions(), **change))
    assert not np.allclose(before.curve.y[:120:2][:60], after.curve.y[:120:2][:60])


def test_threshold_convention_and_ignore_choose_what_is_told(pair):
    found = frc(pair[0], None, FrcOptions(threshold="0.5", convention="siFRC README"))
    assert found.crossing() == found.crossings["0.5"]
    assert found.resolution().name == "siFRC README"
    assert found.resolution("1/7").value == pytest.approx(2**0.5 / found.crossing("1/7").first)
    place = found.crossing().first
    later = frc(pair[0], None, FrcOptions(threshold="0.5", ignore=min(0.9, 2 * place + 0.1)))
    assert later.crossing().first is None


def test_a_curve_that_falls_twice_says_where_last(pair):
    found = frc(pair[0], None, replace(PLAIN, threshold="1/7"))
    crossing = found.crossing()
    assert crossing.last > crossing.first
    assert f"at {crossing.last:.4f}" in crossing.words
    assert found.at_nyquist == pytest.approx(found.raw[-3:].mean())


def test_modes_bring_their_own_defaults():
    assert FrcOptions.of("siFRC").as_dict() == {
        **FrcOptions().as_dict(),
        "mode": "siFRC",
        **MODES["siFRC"].defaults,
    }
    with pytest.raises(OptionsError, match="mode is 'sifrc'"):
        FrcOptions.of("sifrc")


def test_as_dict_is_plain(pair):
    import json

    values = json.loads(json.dumps(frc(pair[0], pair[0], None, AS_IS).as_dict(), allow_nan=False))
    assert values["crossings"]["half-bit"]["first"] is None
    assert values["images"] == 2
    assert values["crossings"]["1/7"]["resolutions"][2] == {
        "name": "full period",
        "value": None,
        "unit": "px",
    }
