"""Which pixels a stored mask calls good: files do not agree on what its numbers mean."""

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.model.arrays import Bools

HAS_SIGNAL = 0x1000
"""The one bit of a CXI mask that does not make a pixel bad."""
NX_BAD = 0xFFFF
"""The bits of a NeXus mask that make a pixel bad."""
CXI_PLACE = "detector_1/mask"


def good_pixels(mask: NDArray[np.generic], name: str, means: str) -> tuple[Bools, str]:
    """Return where a mask calls pixels good, and a sentence if that was not told.

    Args:
        mask: Numbers of any shape.
        name: Its path, which may tell.
        means: "1 good", "1 bad", "CXI bits", "NX bits", or "auto": found from name and numbers.
    """
    bits = _bits(np.asarray(mask))
    assumed = _meaning(bits, name.lower()) if means == "auto" else means
    good: Bools = bits != 0 if assumed == "1 good" else (bits & _wrong(bits, assumed)) == 0
    words = {"1 good": "1 = good", "1 bad": "1 = bad", "CXI bits": "the bits of CXI (0 = good)"}
    told = words.get(assumed, "the bits of NeXus (0 = good)")
    return good, "" if means != "auto" else f"The mask {name} was read as {told}."


def _bits(mask: NDArray[np.generic]) -> NDArray[np.unsignedinteger]:
    """Return numbers as unsigned whole ones of the same size; what is not finite has a bit set."""
    if mask.dtype.kind == "f":
        mask = np.nan_to_num(mask, nan=1, posinf=1, neginf=1).astype(np.int64)
    mask = mask.astype(mask.dtype.newbyteorder("="), copy=False)
    return mask.view(f"u{mask.dtype.itemsize}")


def _wrong(bits: NDArray[np.unsignedinteger], means: str) -> np.unsignedinteger:
    """Return the bits that make a pixel bad."""
    every = int(np.iinfo(bits.dtype).max)
    wrong = {"CXI bits": every & ~HAS_SIGNAL, "NX bits": every & NX_BAD}.get(means, every)
    return bits.dtype.type(wrong)


def _meaning(bits: NDArray[np.unsignedinteger], name: str) -> str:
    if name.endswith(CXI_PLACE):
        return "CXI bits"
    if (bits > 1).any():
        return "NX bits"
    if "bad" in name or "pixel_mask" in name:
        return "1 bad"
    if "good" in name or "valid" in name:
        return "1 good"
    return "1 good" if 2 * np.count_nonzero(bits) >= bits.size else "1 bad"
