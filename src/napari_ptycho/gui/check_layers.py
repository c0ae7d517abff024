"""The layers of a hallucination check: what the photons object to, and where to look."""

from typing import Any

import numpy as np
from napari.layers import Layer

from napari_ptycho.assess.check_report import LOOKS, limits_of
from napari_ptycho.assess.verdict import Check
from napari_ptycho.gui import canvas
from napari_ptycho.gui.layers import ViewerLayers, spot_size
from napari_ptycho.model import Reconstruction

NAMES = {
    "lattice": "contradicted lattice",
    "score": "photons object (S)",
    "local grid": "local grid",
    "blobs": "blobs taken away (z)",
    "spread": "spread of networks",
}
FRAMES, PLACES = "photons per pattern", "contradicted places"
MADE = "napari_ptycho_checked"
"""Key of the metadata: name of the image, and what the layer shows of its check."""


class CheckLayers(ViewerLayers):
    """Maps, places and frames of the newest check of each image."""

    def show(self, found: Check, of: Reconstruction) -> None:
        """Show a check in place of an earlier one of the same image.

        Args:
            found: The check.
            of: What was checked; says where the pixels lie.
        """
        with canvas.beside(self._viewer) as shown:
            keep = [layer for layer in self._viewer.layers if layer.name == found.name]
            self._remove(found.name)
            for kind, values in found.maps.items():
                self._add_map(found, of, kind, values)
                if kind == "score" and found.invented:
                    self._add_places(found, of)
            if found.support is not None:
                self._add_frames(found, of)
            first = self._made(found.name, "score") or self._made(found.name, "local grid")
            lattice, marks = (self._made(found.name, kind) for kind in ("lattice", PLACES))
            shown += [layer for layer in (*keep, lattice, first, marks) if layer is not None]
            if marks is not None and first is not None:
                self._make_pair(first)
        if marks is not None:
            self._viewer.canvas.grid.stride = 2  # the places lie over the map below them
            self._viewer.reset_view()

    def _make_pair(self, below: Layer) -> None:
        """Let a layer and the one above it share a cell of the grid: napari pairs by their index.

        The layer above both goes below them if that is needed; there is one, of the frames.
        """
        at = self._viewer.layers.index(below)
        if at % 2:
            self._viewer.layers.move(at + 2, at)

    def _made(self, name: str, kind: str) -> Layer | None:
        key = (name, kind)
        return next((one for one in self._viewer.layers if one.metadata.get(MADE) == key), None)

    def _remove(self, name: str) -> None:
        for layer in list(self._viewer.layers):
            made: Any = layer.metadata.get(MADE)
            if made and made[0] == name:
                self._viewer.layers.remove(layer)

    def _meta(self, found: Check, of: Reconstruction, kind: str) -> dict[str, Any]:
        return {**canvas.metadata(canvas.CHECK, of), MADE: (found.name, kind)}

    def _add_map(self, found: Check, of: Reconstruction, kind: str, values: Any) -> None:
        layer = self._add_image(
            values.astype(np.float32),
            self._meta(found, of, kind),
            name=f"{found.name} · {NAMES[kind]}",
            colormap=LOOKS[kind][1],
            contrast_limits=limits_of(kind, values),
            visible=False,
        )
        layer.colorbar.visible = True
        layer.colorbar.size, layer.colorbar.font_size = (12, 90), 8
        layer.colorbar.position = "bottom_left"

    def _add_frames(self, found: Check, of: Reconstruction) -> None:
        assert found.support is not None  # asked before
        gap = found.support.per_frame
        most = max(float(np.percentile(np.abs(gap), 98)), 1e-9)
        self._add_points(
            found.centres_px,
            self._meta(found, of, FRAMES),
            name=f"{found.name} · {FRAMES}",
            size=spot_size(found.centres_px),
            features={"nats": gap},
            face_color="nats",
            face_colormap="RdBu_r",
            face_contrast_limits=(-most, most),
            visible=False,
        )

    def _add_places(self, found: Check, of: Reconstruction) -> None:
        centres = np.array([(place.y, place.x) for place in found.invented], float)
        meta = self._meta(found, of, PLACES)
        layer = self._viewer.add_points(
            centres,
            name=f"{found.name} · {PLACES}",
            size=16,
            symbol="ring",
            face_color="#ff5252",
            border_width=0,
            features={"S": [round(place.score, 1) for place in found.invented]},
            text={
                "string": "{S}",
                "color": "#ff5252",
                "size": 9,
                "translation": np.array([-12, 0]),
            },
            metadata=meta,
            **canvas.placing(self._viewer, meta, 2),
        )
        self._ready(layer)
        layer.name_overlay.visible = False
