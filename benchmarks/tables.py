"""Runs the benchmarks and writes what they print into docs/performance.md.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/tables.py [NAME ...]

What stands between `<!-- benchmark: NAME -->` and `<!-- end -->` is replaced. The comparison with
other packages has a command of its own, `python benchmarks/peers/run.py`; its results are taken
from where it writes them.
"""

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"


def printed(name: str) -> str:
    """Return what one benchmark prints; of one that is a folder, what its last run has written."""
    written = HERE / name / "results.md"
    if written.exists():
        return written.read_text().partition("\n\n")[2].strip()
    command = [sys.executable, "-W", "ignore", str(HERE / f"{name}.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    text = done.stdout.strip()
    return text if "|---" in text else f"```\n{text}\n```"


def main() -> None:
    """Bring the named tables up to date, or all."""
    page = PAGE.read_text()
    names = re.findall(r"<!-- benchmark: (\w+) -->", page)
    for name in sys.argv[1:] or names:
        fresh = f"<!-- benchmark: {name} -->\n{printed(name)}\n<!-- end -->"
        pattern = rf"<!-- benchmark: {name} -->.*?<!-- end -->"
        page = re.sub(pattern, lambda _, fresh=fresh: fresh, page, flags=re.DOTALL)
        PAGE.write_text(page)
        print(f"{name} done")


if __name__ == "__main__":
    main()
