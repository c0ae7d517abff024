"""The command `napari-ptycho`: one thin module per command, each no more than the library does."""

import sys
from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 some scans failed, 2 bad input, 130 stopped.

    Args:
        words: What follows the program's name; None takes it from the shell.
    """
    from napari_ptycho.cli.app import run

    sys.exit(run(sys.argv[1:] if words is None else list(words)))
