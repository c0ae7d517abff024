"""Runs the benchmarks and writes what they print into the pages of docs.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/tables.py [NAME ...]

What stands between `<!-- benchmark: NAME -->` and `<!-- end -->` is replaced. Some take long and
have commands of their own, as `python benchmarks/peers/run.py`, `python
benchmarks/hallucination.py` and those of benchmarks/networks; their results are taken from where
they write them.
"""

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = (
    "performance",
    "denoising",
    "inspect",
    "hallucination",
    "networks",
    "formats",
    "orientation",
    "reconstruction",
    "robustness",
    "scale",
)
PAGES = [HERE.parent / "docs" / f"{name}.md" for name in NAMES]


def printed(name: str) -> str:
    """Return what one benchmark prints; of one that writes a page, what it has written."""
    for written in (HERE / name / "results.md", HERE / f"{name}.md"):
        if written.exists():
            return written.read_text().partition("\n\n")[2].strip()
    script = HERE / f"{name}.py"
    if not script.exists():  # of a study that several share, which has not been run
        return "Not run yet."
    command = [sys.executable, "-W", "ignore", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    text = done.stdout.strip()
    return text if "|---" in text else f"```\n{text}\n```"


def main() -> None:
    """Bring the named tables up to date, or all."""
    for path in PAGES:
        page = path.read_text()
        names = re.findall(r"<!-- benchmark: ([\w/]+) -->", page)
        for name in names:
            if sys.argv[1:] and name not in sys.argv[1:]:
                continue
            fresh = f"<!-- benchmark: {name} -->\n{printed(name)}\n<!-- end -->"
            pattern = rf"<!-- benchmark: {name} -->.*?<!-- end -->"
            page = re.sub(pattern, lambda _, fresh=fresh: fresh, page, flags=re.DOTALL)
            path.write_text(page)
            print(f"{name} done")


if __name__ == "__main__":
    main()
