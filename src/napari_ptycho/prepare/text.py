"""Numbers as a person reads and writes them."""

from napari_ptycho.errors import OptionsError


def plural(number: int, noun: str) -> str:
    """Return "1 mode", "2 modes"."""
    return f"{number} {noun}" + ("s" if number != 1 else "")


def percent(part: float | None) -> str:
    """Return "98 %", or "unknown"."""
    return "unknown" if part is None else f"{100 * part:.0f} %"


def length(length: float | None, unit: str) -> str:
    """Return "25 nm", "1.2 µm", "3 px", or "unknown"."""
    if length is None:
        return "unknown"
    if unit == "px":
        return f"{length:.3g} px"
    scale, name = (1e9, "nm") if length < 1e-6 else (1e6, "µm")
    return f"{length * scale:.3g} {name}"


def size(count: float) -> str:
    """Return a number of bytes as "134 MB", "500 bytes"."""
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if count >= 1000**power:
            return f"{count / 1000**power:.3g} {unit}"
    return f"{count:.0f} bytes"


def time(seconds: float) -> str:
    """Return "2.5 s", "12 min"."""
    return f"{seconds:.2g} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def parse_size(word: str) -> int | tuple[int, int]:
    """Turn "4" into 4 and "2x3" into (2, 3).

    Raises:
        OptionsError: It is neither.
    """
    sides = word.lower().split("x")
    if len(sides) > 2 or not all(side.isascii() and side.isdigit() for side in sides):
        raise OptionsError(f"bin size is '{word}'; it must be like 2x2 (a raster block) or 4")
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))
