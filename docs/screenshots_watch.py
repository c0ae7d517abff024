"""Watch a scan in the real window while a process writes it, and save docs/images/watch.png.

xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots_watch.py
"""

import sys
import tempfile
from pathlib import Path

from screenshots import Window, parser, wait

from napari_ptycho import io
from napari_ptycho.engines import RpieOptions

sys.path.append(str(Path(__file__).parents[1] / "benchmarks" / "scale"))
FRAMES, RATE, STEP_NM = 900, 4.0, 600.0
SHOWN_AT = 0.4
"""Share of the frames that are there when the picture is taken."""


def main() -> None:
    """Take the picture."""
    from live_writer import source_of, start_writer

    arguments = parser(__doc__)
    arguments.add_argument("--rate", type=float, default=RATE, help="frames per second")
    given = arguments.parse_args()
    window = Window(given.images)
    dock, engines = window.scan, window.reconstruct
    engines.stages.show_stages((RpieOptions(),))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, _, truth = source_of(folder, FRAMES, "star-64", STEP_NM)
        start = folder / "last-scan.h5"
        io.write_reconstruction(truth, start)
        engines.start_box.set_path(start)  # whose probe is taken
        dock.bar.predicting.setChecked(True)
        path = folder / "scan_042.h5"
        dock.watch(path)
        process = start_writer(source, path, given.rate)
        runner = dock.watcher.runner

        def far_enough() -> bool:
            last = runner.last
            return last is not None and last.result.watched.arrived > SHOWN_AT * FRAMES

        wait(far_enough, 2 * FRAMES / given.rate)
        window.dock("Scan")
        window.shoot("watch", 3)
        print(dock.watcher.status.text())
        process.kill()
        process.wait()
        runner.stop()
        wait(lambda: not runner.running, 60)
    window.viewer.close()


if __name__ == "__main__":
    main()
