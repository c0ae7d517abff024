"""A prediction that grows: only the frames that are new are predicted and stitched."""

import math
from dataclasses import replace

import numpy as np
import torch

from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Complexes, Floats
from napari_ptycho.networks.central import Enlarging, central, coarser, reduction, told
from napari_ptycho.networks.ground import Digest, ground, known_probe, provenance_of
from napari_ptycho.networks.inputs import Sums, counts_of, fitting
from napari_ptycho.networks.network import Network
from napari_ptycho.networks.options import PredictOptions
from napari_ptycho.networks.patches import SingleShot
from napari_ptycho.networks.prediction import ASKED, Asked, agreement, disbelief, predicted
from napari_ptycho.networks.result import Predicted
from napari_ptycho.networks.stitch import Stitcher, weight_of
from napari_ptycho.prepare.start import windows_of


class LivePrediction:
    """The object as a network sees it in the frames so far."""

    def __init__(self, network: Network, device: torch.device, probe: Complexes | None) -> None:
        """Begin with nothing; arguments as in `networks.predict`."""
        self.network, self.device, self.probe = network, device, probe
        self.options = PredictOptions()
        self.notes: list[str] = []
        self.count = 0
        """Frames that are predicted."""
        self._k = 1
        self._whole: Reconstruction  # windows and probe of the scan itself,
        self._start: Reconstruction  # and of the part of the detector that the network looks at
        self._sums: Sums
        self._refresh = 0  # frames from which on the scaling is asked for again
        self._shot: SingleShot
        self._stitcher: Stitcher
        self._origin: Floats
        self._asked: list[Asked] = []
        self._stride = 1
        self._digest = Digest()
        self._r = (math.nan, math.nan)

    @torch.inference_mode()
    def add(self, part: Scan, places: Floats) -> None:
        """Predict and stitch frames.

        Args:
            part: The next frames, in memory; the first ones need light.
            places: (N, 2) positions of all frames so far (y, x) in object pixels.

        Raises:
            OptionsError: The network was taught with patterns of another size.
        """
        if self.count == 0:
            self._begin(part)
        self._digest.add(part.patterns)
        seen = central(part, self._k) if self._k > 1 else part
        places = places / self._k
        self._scale(seen)
        self._make_room(places, seen.frame_shape)
        counts = torch.from_numpy(counts_of(seen, slice(None), seen.patterns)).to(self.device)
        corners = torch.from_numpy(self._start.positions_px[self.count :].copy())
        for first in range(0, len(counts), self._shot.batch):
            some = slice(first, first + self._shot.batch)
            self._stitcher.add(self._shot(counts[some]), corners[some])
        self._ask(seen, counts)
        self.count = len(places)

    def _begin(self, part: Scan) -> None:
        network, shape = self.network, self.network.preparation.shape
        self._k = reduction(part, shape)
        known = known_probe(part, network, self.probe)
        self._whole = ground(part, known)
        self._start, seen = self._whole, part
        if self._k > 1:
            seen = central(part, self._k)
            self._start = ground(seen, None if known is None else coarser(known, self._k))
            self.notes.append(told(part, self._k))
        notes = fitting(network.preparation, seen, False, network.kind.multiple)[1]  # or it raises
        self.notes += notes
        self._sums = Sums(network.preparation.scaling, seen.frame_shape)

    def _scale(self, seen: Scan) -> None:
        """Take the mean pattern of the frames so far whenever there are twice as many."""
        self._sums.add(counts_of(seen, slice(None), seen.patterns))
        if self.count + len(seen) < self._refresh:
            return
        self._refresh = 2 * (self.count + len(seen))
        self._shot = SingleShot(self.network, self._sums.preparation(), self.options, self.device)

    def _make_room(self, places: Floats, frame_shape: tuple[int, int]) -> None:
        """Lay the windows out, and move what is stitched to where it lies now."""
        corners, shape = windows_of(places, frame_shape)
        origin = np.floor(places.min(axis=0))
        object_ = np.ones(shape, np.complex64)
        self._start = replace(self._start, object=object_, positions_px=corners)
        if self.count == 0:
            rule = self.options.stitching
            weight = torch.from_numpy(weight_of(rule, self._start.probe, corners)).to(self.device)
            self._stitcher = self._empty(shape, weight)
        elif shape != self._stitcher.shape:
            (top, left), (h, w) = (self._origin - origin).astype(int), self._stitcher.shape
            larger = self._empty(shape, self._stitcher.weight)
            larger.sums[top : top + h, left : left + w] = self._stitcher.sums
            self._stitcher = larger
        self._origin = origin

    def _empty(self, shape: tuple[int, int], weight: torch.Tensor) -> Stitcher:
        return Stitcher(shape, weight, self.options.stitching == "uniform")

    def _ask(self, seen: Scan, counts: torch.Tensor) -> None:
        """Keep every so many patterns, to compare the stitched object with."""
        valid = torch.from_numpy(np.array(seen.valid_of(slice(None))))
        for k, number in enumerate(range(self.count, self.count + len(counts))):
            if number % self._stride == 0:
                good = valid if valid.ndim == 2 else valid[k]
                self._asked.append((number, counts[k].cpu(), good))
        while len(self._asked) > ASKED:
            self._asked, self._stride = self._asked[::2], 2 * self._stride

    @torch.inference_mode()
    def judge(self) -> None:
        """Ask some of the patterns about the object; say so if they do not believe it."""
        corners = torch.from_numpy(self._start.positions_px.copy())
        self._r = agreement(self._stitcher, self._start, corners, self._asked)
        self.notes += disbelief(*self._r)

    @torch.inference_mode()
    def result(self, scan: Scan, places: Floats) -> Predicted:
        """Copy what is stitched into an immutable result on the CPU.

        Args:
            scan: What the frames belong to.
            places: (N, 2) positions of the frames that are predicted.
        """
        made = provenance_of(scan, self.network, self._start, self.device)
        made["predicted"]["options"] = self.options.as_dict()
        made["scan_checksum"] = self._digest.text()
        start = replace(self._start, provenance=made)
        found = predicted(self._stitcher, start, self._r, np.arange(self.count))
        if self._k == 1:
            return found
        corners, shape = windows_of(places, scan.frame_shape)
        whole = replace(self._whole, object=np.ones(shape, np.complex64), positions_px=corners)
        return Enlarging(whole, self._k).laid(found)
