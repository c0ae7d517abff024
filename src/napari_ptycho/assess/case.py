"""What a hallucination check is about: an image, its original, and the experiment behind them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptycho.assess.plane import Plane, plane_of, recipes
from napari_ptycho.denoise.subject import subject_of
from napari_ptycho.errors import OptionsError
from napari_ptycho.model import Reconstruction
from napari_ptycho.model.arrays import Bools, Floats
from napari_ptycho.physics.align import illuminated

Object = NDArray[np.complexfloating]
Pair = tuple[Reconstruction, Reconstruction]


@dataclass(frozen=True, eq=False)
class Case:
    """A denoised (or predicted) image beside its original."""

    name: str
    channel: str
    """"phase" or "amplitude": what is looked at."""
    area: Bools
    """(H, W) where there is light."""
    image: Object
    """(H, W) the object with the image in it."""
    values: Floats
    """(H, W) the image itself, real."""
    of: Reconstruction
    """Knows probe, positions and the rest of the experiment."""
    turn: Object
    """(H, W) phase factor between the object and what is shown of it."""
    original: Object | None = None
    """(H, W) the object before."""
    before: Floats | None = None
    """(H, W) the image before."""
    recipe: Mapping[str, Any] | None = None
    """How it was denoised, an entry of the provenance; None where that is unknown."""
    spread: Floats | None = None
    """(H, W) over the networks of an ensemble."""
    notes: tuple[str, ...] = ()

    @property
    def residual(self) -> Floats | None:
        """(H, W) what was taken away."""
        return None if self.before is None else self.before - self.values

    def with_halves(self, halves: Pair) -> "Case":
        """Return the case with the mean of two halves as its original, if it has none."""
        if self.original is not None:
            return self
        mean = (halves[0].object + halves[1].object) / 2
        note = "the original is the mean of two half reconstructions: none was given"
        return replace(
            self,
            original=mean,
            before=self.shown(mean),
            notes=(*self.notes, note),
        )

    def shown(self, image: Object) -> Floats:
        """Return the channel of an object (H, W), its phase on the branch of the image's."""
        return _values(image * self.turn.conj(), self.channel, self.values)


def case_of(denoised: Reconstruction | Plane, original: Reconstruction | None = None) -> Case:
    """Put an image beside its original.

    Args:
        denoised: The reconstruction; or an image that shows a channel of `original`, over all of
            its pixels. The phase of an image from elsewhere may differ by a plane, which is
            removed.
        original: Before it was denoised; None: unknown.

    Raises:
        OptionsError: A plain image without its original; or of other pixels.
    """
    if isinstance(denoised, Plane):
        return _of_plane(denoised, original)
    if original is not None and original.object.shape != denoised.object.shape:
        raise OptionsError(
            f"{denoised.name}: object of {denoised.object.shape} pixels, but the original "
            f"'{original.name}' has {original.object.shape}; need the one it was made from"
        )
    recipe = _recipe(denoised.provenance)
    channel = "amplitude" if recipe and recipe.get("channel") == "amplitude" else "phase"
    base = subject_of(original or denoised, channel)
    assert base.shown is not None  # of a reconstruction it never is
    assert base.turn is not None
    return Case(
        name=denoised.name,
        channel=channel,
        area=illuminated(denoised),
        image=denoised.object,
        values=_values(denoised.object * base.turn.conj(), channel, base.shown),
        of=denoised,
        turn=base.turn,
        original=None if original is None else original.object,
        before=None if original is None else np.asarray(base.shown, np.float64),
        recipe=recipe,
        spread=_spread(denoised),
    )


def _of_plane(plane: Plane, original: Reconstruction | None) -> Case:
    if original is None and plane.of is not None and plane.processed:
        return replace(case_of(plane.of), name=plane.name)
    if original is None:
        raise OptionsError(
            f"{plane.name}: a plain image; the photons need the reconstruction that it was made "
            "from (the original) for probe and positions"
        )
    channel = plane.channel if plane.channel in ("phase", "amplitude") else "phase"
    before = plane_of(original, channel)
    turn = subject_of(original, channel).turn
    assert turn is not None  # of a reconstruction it never is
    if before.shape != plane.shape or np.iscomplexobj(plane.data):
        raise OptionsError(
            f"{plane.name}: {plane.shape} pixels; the original '{original.name}' has "
            f"{before.shape}; need a real image of the same pixels"
        )
    area = before.area & plane.area
    values, notes = plane.data, tuple[str, ...]()
    if plane.of is None and channel == "phase":
        values, notes = _without_plane(values, before.data, area)
    size = np.abs(original.object)
    now = np.exp(1j * (np.angle(original.object) + np.where(area, values - before.data, 0)))
    if channel == "amplitude":
        now = np.exp(1j * np.angle(original.object))
        size = np.where(area, values, size)
    return Case(
        name=plane.name,
        channel=channel,
        area=area,
        image=(size * now).astype(np.complex64),
        values=np.where(area, values, before.data),
        of=original,
        turn=turn,
        original=original.object,
        before=before.data,
        recipe=_recipe(plane.about if plane.of is None else plane.of.provenance),
        spread=None if plane.of is None else _spread(plane.of),
        notes=notes,
    )


def _recipe(provenance: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return how a reconstruction was denoised last."""
    return next(reversed(recipes(provenance)), None)


def _without_plane(values: Floats, before: Floats, area: Bools) -> tuple[Floats, tuple[str, ...]]:
    """Remove the offset and ramp by which an image differs from its original."""
    y, x = np.nonzero(area)
    columns = np.stack([np.ones(len(y)), y, x], axis=1)
    fit = np.linalg.lstsq(columns, (values - before)[area], rcond=None)[0]
    rows, across = np.indices(values.shape)
    ramp = f"({fit[1]:.2g}, {fit[2]:.2g}) rad per pixel"
    note = f"an offset of {fit[0]:.2g} rad and a ramp of {ramp} from the original were removed"
    return values - (fit[0] + fit[1] * rows + fit[2] * across), (note,)


def _values(image: Object, channel: str, near: Any) -> Floats:
    """Return a channel of an object (H, W), its phase on the same branch as another one."""
    if channel == "amplitude":
        return np.abs(image).astype(np.float64)
    shown = np.angle(image)
    return np.asarray(shown + 2 * np.pi * np.rint((near - shown) / (2 * np.pi)), np.float64)


def _spread(of: Reconstruction) -> Floats | None:
    """Return the spread of an ensemble at its place in the object; 0 elsewhere."""
    found = of.extras.get("spread")
    if found is None:
        return None
    whole = np.zeros(of.object.shape)
    box = subject_of(of, "amplitude").box
    if whole[box].shape != found.shape:
        return None
    whole[box] = found
    return whole
