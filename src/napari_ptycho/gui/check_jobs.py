"""What the hallucination check of the window is about: the layer, its original, its scan."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari.layers import Layer
from napari.viewer import Viewer

from napari_ptycho.assess.plane import processing
from napari_ptycho.gui import canvas
from napari_ptycho.gui.denoise_jobs import belongs
from napari_ptycho.gui.planes import plane_of_layer
from napari_ptycho.gui.session import session_of
from napari_ptycho.job import Update
from napari_ptycho.model import Reconstruction, Scan

if TYPE_CHECKING:
    from napari_ptycho.assess.check_options import CheckOptions
    from napari_ptycho.assess.verdict import Check
    from napari_ptycho.gui.session import Halves


NO_IMAGES = (canvas.CHECK, canvas.SPREAD, *canvas.MAPS)


@dataclass(frozen=True, eq=False)
class Case:
    """What would be checked, or why nothing can be."""

    layer: Layer | None = None
    of: Reconstruction | None = None
    """What the layer shows."""
    original: Reconstruction | None = None
    scan: Scan | None = None
    halves: "Halves | None" = None
    lines: tuple[str, ...] = ()
    problem: str = ""


def case_of_layer(viewer: Viewer, layer: Layer | None, other: Layer | None) -> Case:
    """Find what belongs to a layer: its reconstruction, the original, the scan, halves."""
    if layer is None:
        return Case(problem="Choose a denoised or predicted layer.")
    if layer.metadata.get(canvas.ROLE) in NO_IMAGES:
        return Case(problem="This layer is a map. Choose a denoised or predicted layer.")
    session, held = session_of(viewer), canvas.shown_by(layer)
    original = original_of(viewer, layer, other)
    of = held or original
    if of is None:
        return Case(
            problem="This layer does not know its origin. Choose the layer of the reconstruction "
            "that it was made from, with the same pixels, under 'Reference'."
        )
    known = canvas.made_of(layer) or processing(of.provenance)
    if held is of and not known and original in (None, of):
        return Case(
            problem="This is an original, or does not know better. Choose a denoised or predicted "
            "layer, or its original under 'Reference'."
        )
    scan = session.scan if belongs(session.scan, of) else None
    lines = [f"original  {'unknown' if original is None else original.name}"]
    lines.append(f"photons  {'no scan of it is open' if scan is None else scan.name}")
    if scan is None and original is None:
        return Case(problem="Open the scan of this reconstruction, or choose its original.")
    halves = None if original is None else session.halves.get(original)
    return Case(layer, of, original, scan, halves, tuple(lines))


def original_of(viewer: Viewer, layer: Layer, other: Layer | None) -> Reconstruction | None:
    """Return the reconstruction that a layer was made from: the chosen one, or the one shown."""
    chosen, made = _original_by(other, layer), canvas.made_of(layer)
    if chosen is not None or made is None:
        return chosen
    shown = (_original_by(one, layer) for one in reversed(viewer.layers))
    return next((one for one in shown if one is not None and one.name == made.of), None)


def _original_by(shows: Layer | None, layer: Layer) -> Reconstruction | None:
    """Return what a layer shows, if it may be the original of another layer."""
    held = canvas.shown_by(shows)
    if held is None or processing(held.provenance):
        return None
    fits = held.object.shape == layer.data.shape and "half" not in held.provenance
    return held if fits else None


def make_check(case: Case, options: "CheckOptions", device: str) -> Iterator[Update["Check"]]:
    """Return the job that the thread runs.

    Raises:
        OptionsError: The layer shows no image that can be inspected.
    """
    from napari_ptycho.assess.hallucination import check

    assert case.layer is not None  # there is no problem
    plane = plane_of_layer(case.layer)
    yield from check(plane, case.original, case.scan, options, halves=case.halves, device=device)
