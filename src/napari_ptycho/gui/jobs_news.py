"""What the Jobs dock says in words: how many there are, and which have ended since."""

from collections.abc import Sequence

from napari.utils.notifications import show_info, show_warning

from napari_ptycho.gui.jobs_model import TROUBLE, Row
from napari_ptycho.jobs import Job

STATES = ("running", "waiting", "failed", "interrupted", "stopped", "done")
"""In the order in which they are counted."""
TOGETHER = "\N{NO-BREAK SPACE}"


def counted(rows: Sequence[Row]) -> str:
    """Return "1 running · 3 waiting · 4 done"; empty if there is nothing."""
    counts = {state: sum(row.state == state for row in rows) for state in STATES}
    return " · ".join(f"{count}{TOGETHER}{state}" for state, count in counts.items() if count)


def notify(ended: Sequence[Job]) -> None:
    """Say what has ended: in full if it is one, else how many."""
    bad = [job for job in ended if job.state in TROUBLE]
    good = [job for job in ended if job.state == "done"]
    if len(bad) == 1:
        show_warning(f"{bad[0].title}: {bad[0].message}")
    elif bad:
        show_warning(f"{len(bad)} jobs failed: {', '.join(job.title for job in bad[:3])}, …")
    if len(good) == 1:
        show_info(f"{good[0].title} is done. {good[0].text}".strip())
    elif good:
        show_info(f"{len(good)} jobs are done.")
