"""Ctrl-C as a wish: the job under way ends well and keeps what it has reached."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STDERR = 2
SENTENCE = "stopping; what was reached will be written (Ctrl-C again to end at once)"


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether Ctrl-C was pressed; pressed twice, it ends the program.

    Works in the main thread, which is where commands run.
    """
    pressed = False

    def wish(_number: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True
        # sys.stderr may be in the middle of a line, and would raise
        os.write(STDERR, f"napari-ptycho: {SENTENCE}\n".encode())

    before = signal.signal(signal.SIGINT, wish)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
