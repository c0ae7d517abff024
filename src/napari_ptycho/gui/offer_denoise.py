"""What is remembered of a denoising that runs in the window, and how it is asked for again."""

from dataclasses import dataclass, replace
from typing import Any

from napari.layers import Layer
from napari.viewer import Viewer

from napari_ptycho.denoise import DenoiseOptions
from napari_ptycho.errors import FileError
from napari_ptycho.gui import canvas, offer_belongings
from napari_ptycho.gui.denoise_jobs import PLAIN, Request
from napari_ptycho.gui.offer_belongings import Belongings
from napari_ptycho.gui.offer_kept import Kept, kept_by
from napari_ptycho.gui.offer_rows import Offer
from napari_ptycho.gui.result_layers import ReconstructionLayers
from napari_ptycho.gui.session import Session, session_of
from napari_ptycho.gui.views import Picture, picture
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.recipes.recipe import DenoiseStep, Recipe, Source

HALVES = ("half_a", "half_b")


def kept_denoising(request: Request, session: Session) -> Kept | None:
    """Return where a denoising writes its checkpoints; None where nobody could go on from them.

    Args:
        request: The denoising.
        session: Whose scan is open.
    """
    options, automatic = request.options, request.makes_halves
    told, bins = session.told
    source = told if isinstance(told, Source) and automatic else Source()
    if not isinstance(options, DenoiseOptions) or (automatic and not source.file):
        return None
    channel: Any = "phase" if request.channel == PLAIN else request.channel
    recipe = Recipe(scan=source, binning=bins, denoise=DenoiseStep(channel, options))
    return kept_by(
        f"denoising of {request.name}",
        recipe,
        _given(request),
        name=request.name,
        channel=request.channel,
        device=request.device,
        automatic=automatic,
    )


def _given(request: Request) -> Belongings:
    things = {
        "of": request.reconstruction,
        "image": request.image if request.reconstruction is None else None,
        "reference": request.reference,
        "second": request.second,
        **dict(zip(HALVES, _halves(request) or (), strict=False)),
    }
    return {name: thing for name, thing in things.items() if thing is not None}


def _halves(request: Request) -> Any:
    return request.halves if request.resume is None else request.resume.halves


@dataclass(frozen=True, eq=False)
class Again:
    """A denoising to go on with."""

    offer: Offer
    request: Request
    picture: Picture | None
    """Of the reconstruction; None for a plain image."""


def asked_again(offer: Offer, scan: Scan | None) -> Again:
    """Return what was asked for; for a thread.

    Args:
        offer: The denoising.
        scan: The scan that is open.

    Raises:
        FileError: What it was given is gone or damaged.
    """
    about, step = offer.checkpoint.about, offer.recipe.denoise
    things = offer_belongings.read(offer.path)
    of, image = things.get("of"), things.get("image")
    if step is None or (of is None and image is None):
        raise FileError(f"{offer.path.name}: the image that was denoised is gone; start anew")
    halves = [things[name] for name in HALVES if name in things]
    request = Request(
        name=str(about.get("name", "image")),
        image=image,
        reconstruction=of if isinstance(of, Reconstruction) else None,
        channel=str(about.get("channel", step.channel)),
        options=step.options,
        device=str(about.get("device", "auto")),
        reference=things.get("reference"),
        second=things.get("second"),
        scan=scan if about.get("automatic") else None,
        halves=tuple(halves) if halves else None,  # type: ignore[arg-type]
    )
    kept = Kept.of(offer.path, about)
    shown = picture(of) if isinstance(of, Reconstruction) else None
    return Again(offer, replace(request, kept=kept), shown)


def shown_again(viewer: Viewer, again: Again) -> Layer:
    """Show what was denoised, and return the layer of it."""
    request, of = again.request, again.request.reconstruction
    if again.picture is None or of is None:
        return viewer.add_image(request.image, name=request.name)
    ReconstructionLayers(viewer).begin(again.picture)
    session_of(viewer).show_reconstruction(of)
    role = canvas.AMPLITUDE if request.channel == canvas.AMPLITUDE else canvas.PHASE
    shown = canvas.layer_of(viewer.layers, of, role)
    assert shown is not None  # it was just made
    return shown
