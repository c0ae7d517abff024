"""Keep and bin patterns once more as was done to another scan, by what its `sources` tell."""

import re
from collections.abc import Mapping

from napari_ptycho.model import Scan
from napari_ptycho.prepare.binning import bin_positions
from napari_ptycho.prepare.sparse import keep_every

STEP = re.compile(
    r"binned (?P<size>\d+x\d+|\d+)(?P<way> along the path| in space)? from"
    r"|kept 1 in (?P<every>\d+) from"
)


def sampled_as(scan: Scan, sources: Mapping[str, str]) -> Scan:
    """Keep and bin patterns as in the scan whose `sources` these are, the last steps first told.

    Args:
        scan: Of the same measurement. What was done to it already is not done again.
        sources: Of a scan, as its reconstruction's provenance has them in "scan_sources".

    Returns:
        The scan with as many patterns; itself if nothing is left to do.

    Raises:
        ScanError: As `bin_positions`.
    """
    steps = list(STEP.finditer(sources.get("patterns", "")))
    done = len(STEP.findall(scan.sources.get("patterns", "")))
    for step in reversed(steps[: max(0, len(steps) - done)]):
        if step["every"]:
            scan = keep_every(scan, int(step["every"]))
            continue
        rows, _, columns = step["size"].partition("x")
        size = (int(rows), int(columns)) if columns else int(rows)
        scan = bin_positions(scan, size, "space" if step["way"] == " in space" else "path")
    return scan
