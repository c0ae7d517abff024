"""Natural images to make objects of: those inside the scikit-image wheel, and our phantoms."""

import os
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.errors import FileError, OptionsError
from napari_ptycho.phantoms import phantom

Grey = NDArray[np.float32]

FILES = {
    "astronaut": "astronaut.png",
    "camera": "camera.png",
    "cell": "cell.png",
    "coffee": "coffee.png",
    "coins": "coins.png",
    "grass": "grass.png",
    "gravel": "gravel.png",
    "horse": "horse.png",
    "hubble": "hubble_deep_field.jpg",
    "immunohistochemistry": "ihc.png",
    "logo": "logo.png",
    "motorcycle": "motorcycle_left.png",
    "page": "page.png",
    "retina": "retina.jpg",
    "text": "text.png",
    "brick": "brick.png",
    "chelsea": "chelsea.png",
    "clock": "clock_motion.png",
    "moon": "moon.png",
    "rocket": "rocket.jpg",
}
"""Name -> file in the `data` folder of scikit-image, which every wheel of it has."""
DRAWN = ("fibres", "star")
"""Our phantoms, which teach too."""
DRAWN_SIDE = 384
HELD_OUT = ("brick", "chelsea", "clock", "moon", "rocket")
"""These only validate."""
TAUGHT = (*(name for name in FILES if name not in HELD_OUT), *DRAWN)
"""These only teach."""


@cache
def image(name: str) -> Grey:
    """Return an image (H, W) in grey, from 0 to 1; read once in a process, nothing is fetched.

    Raises:
        OptionsError: There is no image of this name.
        FileError: scikit-image was installed without its images.
    """
    if name in DRAWN:
        return _frozen(phantom(name, DRAWN_SIDE))
    if name not in FILES:
        raise OptionsError(f"no image is called '{name}'; there is {', '.join((*FILES, *DRAWN))}")
    import skimage
    from skimage.io import imread

    path = Path(skimage.__file__).parent / "data" / FILES[name]
    if not path.is_file():
        raise FileError(f"{path} is missing; install scikit-image again, from its wheel")
    values = np.asarray(imread(path), np.float32)
    if values.ndim == 3:
        values = values[..., :3] @ np.array([0.2125, 0.7154, 0.0721], np.float32)  # ITU-R BT.709
    return _frozen(values)


def read(path: str | os.PathLike[str]) -> Grey:
    """Read an image file (PNG, JPEG, TIFF ...) in grey, from 0 to 1.

    Raises:
        FileError: It is absent or no image, or has no contrast.
    """
    from skimage.io import imread

    try:
        values = np.asarray(imread(os.fspath(path), as_gray=True), np.float32)
    except (OSError, ValueError, TypeError, SyntaxError) as error:  # what image readers raise
        raise FileError(f"{Path(path).name}: no image that can be read ({error})") from error
    if values.ndim != 2 or not np.isfinite(values).all() or not np.ptp(values) > 0:
        raise FileError(
            f"{Path(path).name}: an array of shape {values.shape}; need one image with contrast"
        )
    return _frozen(values)


def _frozen(values: NDArray[np.floating]) -> Grey:
    low, high = float(values.min()), float(values.max())
    grey = np.asarray((values - low) / (high - low), np.float32)
    grey.flags.writeable = False
    return grey
