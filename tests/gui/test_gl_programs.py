"""napari does not crash in software rendering while our docks are there."""

import subprocess
import sys

CRASHES = """
import sys
import napari, numpy as np
from qtpy.QtTest import QTest
from napari_ptycho.gui.session import session_of

viewer = napari.Viewer(show_welcome_screen=False)
if sys.argv[1] == "ours":
    session_of(viewer)
grey = np.random.default_rng(0).random((25, 64, 64), np.float32)
viewer.add_image(grey, name="stack")
viewer.add_image(grey[0], name="image")
viewer.add_points(np.argwhere(grey[0] > 0.99), name="points")
viewer.window.resize(900, 650)
QTest.qWait(100)
for name in ("image", "points", "stack"):
    viewer.layers[name].visible = False
    QTest.qWait(100)
viewer.layers.remove(viewer.layers["image"])
viewer.add_image(grey[0].repeat(2, 0).repeat(2, 1).astype(float), name="image")
QTest.qWait(100)
viewer.layers["image"].data = grey[1]
QTest.qWait(300)
print("alive", flush=True)
"""


def test_an_image_replaced_while_all_else_is_hidden():
    words = [sys.executable, "-c", CRASHES, "ours"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert "alive" in done.stdout, (done.returncode, done.stderr[-2000:])
