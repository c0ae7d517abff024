"""PySide6 6.12.0 on Python before 3.12 kills the process after some hundred plot updates.

Every Qt call that returns nothing drops a reference to None, which only Python 3.12 made immortal.
"""

import sys

import qtpy
from napari.utils.notifications import show_warning

BROKEN = "6.12.0"
ADVICE = (
    f"PySide6 {BROKEN} crashes on Python {sys.version_info[0]}.{sys.version_info[1]} after a few "
    'minutes. Please install another version: pip install "PySide6-Essentials!=6.12.0"'
)
_told: list[str] = []


def check_binding() -> None:
    """Warn once if this Qt binding is the one that aborts the process."""
    broken = sys.version_info < (3, 12) and qtpy.PYSIDE_VERSION == BROKEN
    if broken and not _told:
        _told.append(ADVICE)
        show_warning(ADVICE)
