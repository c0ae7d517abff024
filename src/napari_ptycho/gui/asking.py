"""The dialogs that ask for files: each begins in the folder that the last one like it ended in."""

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_ptycho.gui.kept import kept

OPEN, SAVE = "Files.opened from", "Files.saved to"


def ask_file(parent: QWidget, title: str, kinds: str) -> Path | None:
    """Ask for a file to read; None for none."""
    path, _ = QFileDialog.getOpenFileName(parent, title, _folder(OPEN), kinds)
    return _kept(OPEN, path)


def ask_files(parent: QWidget, title: str, kinds: str) -> list[Path]:
    """Ask for any number of files to read."""
    paths, _ = QFileDialog.getOpenFileNames(parent, title, _folder(OPEN), kinds)
    return [path for one in paths if (path := _kept(OPEN, one))]


def ask_folder(parent: QWidget, title: str, where: str = OPEN) -> Path | None:
    """Ask for a folder, to read from or (`SAVE`) to write into; None for none."""
    path = QFileDialog.getExistingDirectory(parent, title, _folder(where))
    return _kept(where, path)


def ask_target(
    parent: QWidget, title: str, name: str, kinds: str, confirm: bool = True
) -> tuple[Path | None, str]:
    """Ask for a file to write.

    Args:
        parent: Of the dialog.
        title: Of the dialog.
        name: Of the file, as it is suggested; with a folder if that is not to be the last one.
        kinds: What can be chosen.
        confirm: Whether to ask before a file is replaced.

    Returns:
        The file (None for none), and the kind that was chosen.
    """
    begin = str(Path(_folder(SAVE) or _folder(OPEN)) / name) if name else _folder(SAVE)
    if confirm:
        path, kind = QFileDialog.getSaveFileName(parent, title, begin, kinds)
    else:
        over = QFileDialog.Option.DontConfirmOverwrite
        path, kind = QFileDialog.getSaveFileName(parent, title, begin, kinds, options=over)
    return _kept(SAVE, path), kind


def _folder(where: str) -> str:
    """Return the last folder, if it is still there; "" leaves it to Qt."""
    folder = kept().get(where, str)
    return folder if folder and Path(folder).is_dir() else ""


def _kept(where: str, path: str) -> Path | None:
    if not path:
        return None
    chosen = Path(path)
    kept().put(where, str((chosen if chosen.is_dir() else chosen.parent).absolute()))
    return chosen
