import csv
import re

import pytest

from napari_ptycho.recipes.report import Report
from napari_ptycho.recipes.summary import write_summary
from napari_ptycho.recipes.tasks import Task

DONE = Report(
    "/in/<b>scan&1</b>.h5",
    "/out/scan 1.h5",
    "done",
    epochs=50,
    error=0.0123456,
    resolution_m=12.34e-9,
    warnings=('overlap "low"', "second <i>"),
    seconds=3.21,
    thumbnail="scan 1.h5.thumbnail.png",
    files=("scan 1.h5",),
)
FAILED = Report("/in/2.h5", "/out/2.h5", "failed", "2.h5: the file is empty (0 bytes)")


@pytest.fixture
def written(tmp_path):
    tasks = [Task("", report.scan, report.output) for report in (DONE, FAILED)]
    tasks.append(Task("", "/in/3.h5", "/out/3.h5"))
    write_summary(tmp_path, "A <title>", tasks, {DONE.scan: DONE, FAILED.scan: FAILED})
    return tmp_path


def test_the_table(written):
    with (written / "summary.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["done", "failed", "waiting"]
    assert rows[0]["scan"] == DONE.scan
    assert float(rows[0]["error"]) == DONE.error
    assert float(rows[0]["resolution_nm"]) == pytest.approx(12.34)
    assert rows[0]["warnings"] == 'overlap "low" | second <i>'
    assert rows[1]["message"] == FAILED.message
    assert rows[2]["output"] == "/out/3.h5"
    assert rows[2]["epochs"] == ""


def test_the_page(written):
    page = (written / "summary.html").read_text(encoding="utf-8")
    assert "<h1>A &lt;title&gt;</h1>" in page
    assert "3 scans: 1 done, 1 failed, 1 waiting" in page
    rows = re.findall(r'<tr class="(\w+)">(.*?)</tr>', page, re.DOTALL)
    assert [state for state, _ in rows] == ["done", "failed", "waiting"]
    done = rows[0][1]
    assert 'src="scan%201.h5.thumbnail.png"' in done
    assert 'href="scan%201.h5"' in done
    assert "12.3 nm" in done
    assert 'data-key="0.0123456"' in done
    assert "overlap &quot;low&quot;<br>second &lt;i&gt;" in done
    assert "<img" not in rows[1][1]
    assert FAILED.message in rows[1][1]
    assert "<b>" not in page
    assert "<i>" not in page
    assert len(re.findall("<th>", page)) == len(re.findall("<td", done)) == 8
    assert "http" not in page


def test_both_are_replaced_whole(written):
    write_summary(written, "", [Task("", FAILED.scan, FAILED.output)], {})
    assert "1 scan: 1 waiting" in (written / "summary.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in written.iterdir()) == ["summary.csv", "summary.html"]
