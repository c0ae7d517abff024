"""The errors a user can meet: a message names the file, the thing, the finding, the need."""


class PtychoError(Exception):
    """Base of every error this package raises on purpose; the user reads its text as it is."""


class OptionsError(PtychoError):
    """A parameter is out of its range, of the wrong type, or unknown."""


class ScanError(PtychoError):
    """A scan or a reconstruction contradicts itself or lacks what the task needs."""


class NeedsPositions(ScanError):
    """The file holds frames, but where the probe stood must come from elsewhere."""


class FileError(PtychoError):
    """A file cannot be read or written: absent, broken, or of no known format."""


class NeedsLayout(FileError):
    """The file can be opened, but nobody has said yet which part of it is what."""


class JobError(PtychoError):
    """A long computation could not go on."""
