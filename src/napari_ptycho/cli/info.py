"""`napari-ptycho info FILE`: what a file holds, and from where each value came."""

from dataclasses import asdict, dataclass

from napari_ptycho.cli import show
from napari_ptycho.cli.flags import File, Json
from napari_ptycho.cli.reading import ReadFlags, read_scan


@dataclass(frozen=True)
class InfoFlags(ReadFlags):
    """Show what a scan holds: values, units, where each came from, and what looks wrong."""

    file: File
    json: Json = False


def info(flags: InfoFlags) -> int:
    """Print a table, or JSON."""
    from rich.table import Table

    from napari_ptycho.model.summary import summary

    with show.busy(f"reading {flags.file.name}"):
        scan = read_scan(flags.file, flags)
        rows = summary(scan)
    if flags.json:
        values = {"file": str(flags.file), "name": scan.name, "notes": list(scan.notes)}
        show.as_json({**values, "rows": [asdict(row) for row in rows]})
        return 0
    table = Table(title=scan.name, title_justify="left", box=None, pad_edge=False)
    for column in ("", "value", "from"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(row.name, f"{row.value} {row.unit}".strip(), row.source)
    show.out().print(table)
    show.lines(f"! {row.warning}" for row in rows if row.warning)
    show.lines(f"- {note}" for note in scan.notes)
    return 0
