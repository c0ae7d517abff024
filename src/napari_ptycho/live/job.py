"""Watching as a job: look, show, predict, go over what has arrived; at the end, all of it."""

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from napari_ptycho import device as devices
from napari_ptycho.engines.live import LiveEngine
from napari_ptycho.engines.options import EngineOptions
from napari_ptycho.errors import JobError, OptionsError, ScanError
from napari_ptycho.io.growing import Growing
from napari_ptycho.job import Update, run
from napari_ptycho.live.arrivals import Arrivals
from napari_ptycho.live.backlog import Backlog
from napari_ptycho.live.options import WatchOptions
from napari_ptycho.live.patterns import Patterns, part_of
from napari_ptycho.live.predicting import LivePrediction
from napari_ptycho.live.watched import Phase, Watched
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.model.arrays import Complexes, Floats
from napari_ptycho.networks.network import Network
from napari_ptycho.networks.result import Predicted

FIRST = 16
"""Frames that a first guess of the probe is made from."""
PREDICTED = 32
"""Frames that are predicted before the clock is asked."""
LOOK_S = 0.1
"""Between two looks while an engine is at work."""
TAKE_S = 0.5
"""Frames are read and shown for so long at once: they go before all else."""
PAUSE_S = 0.02
"""Between two looks while there is nothing to do."""
Wanted = tuple[Network | None, tuple[EngineOptions, ...] | None, Complexes | None]


def watch_job(
    growing: Growing, wanted: Wanted, options: WatchOptions, device: str
) -> Iterator[Update[Watched]]:
    """Watch a scan; arguments as in `live.watch`, network, chain and probe together."""
    watching = Watching(growing, wanted, options, device)
    states = run(watching.states(), 0.0, Watching.freeze, notes=lambda: tuple(watching.notes))
    try:
        for update in states:
            yield replace(update, total=watching.total)
    finally:
        getattr(states, "close", lambda: None)()


class Watching:
    """The live state: everything that is known of the frames so far."""

    def __init__(
        self, growing: Growing, wanted: Wanted, options: WatchOptions, device: str
    ) -> None:
        self.growing, self.options, self._device = growing, options, device
        self._network, self._stages, self._probe = wanted
        self.notes: list[str] = []
        self.phase: Phase = "waiting"
        self.scan: Scan | None = None
        self.patterns, self.arrivals = Patterns(options.newest), Arrivals()
        self.engine: LiveEngine | None = None
        self.prediction: LivePrediction | None = None
        self._digest = hashlib.blake2b(digest_size=16)
        self._complete = False
        self._behind_s = self._epochs = 0.0
        self._look_due = 0.0
        self._held = Backlog()  # the first frames, until there are enough
        self._first = 0  # how many these were
        self._unpredicted, self._coming = Backlog(), Backlog()  # for network and engine
        self._predicted: Predicted | None = None

    # -- as a job sees it

    @property
    def done(self) -> float:
        """Frames so far; at the end, epochs of the chain."""
        return self._epochs if self.phase == "finishing" else float(self.patterns.count)

    @property
    def total(self) -> float:
        """Frames that are expected; at the end, epochs of the chain."""
        if self.phase == "finishing" and self.engine is not None:
            return self.engine.total(self.options.epochs)
        return float(self.growing.expected or self.patterns.count)

    @property
    def history(self) -> Mapping[str, list[float]]:
        """The errors of rounds and epochs."""
        return {} if self.engine is None else self.engine.history

    def states(self) -> Iterator["Watching"]:
        """Watch until the writer has ended, then finish; yield after every small step.

        Raises:
            JobError: No frame came.
        """
        try:
            yield self
            yield from self._watch()
            yield from self._finish()
        finally:
            self.growing.close()

    def freeze(self) -> Watched:
        """Copy what is known into an immutable result on the CPU."""
        scan = self.scan
        if scan is None or self.patterns.count == 0:
            growing, phase = self.growing, self.phase
            return Watched(growing.name, phase, 0, growing.expected, 0.0, growing.waiting)
        engine = self.engine if self.engine is not None and len(self.engine) else None
        shown = self.patterns.shown(scan)
        return Watched(
            name=self.growing.name,
            phase=self.phase,
            arrived=self.patterns.count,
            expected=self.growing.expected,
            per_second=self.arrivals.per_second,
            shown=shown,
            predicted=self._freeze_prediction(shown.scan),
            behind_s=self._behind_s,
            reconstruction=None if engine is None else self._told(engine.result(shown.scan)),
            epochs=0.0 if engine is None else engine.epochs,
            error=float("nan") if engine is None else engine.error,
            checksum=self._digest.hexdigest(),
        )

    def _freeze_prediction(self, scan: Scan) -> Predicted | None:
        prediction = self.prediction
        if prediction is None or prediction.count == 0:
            return None
        known = self._predicted
        if known is None or len(known.frames) < prediction.count or self.phase == "ended":
            found = prediction.result(scan, self._places(prediction.count))
            named = replace(found.reconstruction, name=f"{scan.name} · predicted")
            self._predicted = replace(found, reconstruction=self._told(named))
        return self._predicted

    def _told(self, found: Reconstruction) -> Reconstruction:
        """Return a result whose provenance says how it was watched."""
        watched = {
            "frames": len(found.positions_px),
            "expected": self.growing.expected,
            "complete": self._complete,
            "order": "as written",
        }
        return replace(found, provenance={**found.provenance, "watched": watched})

    # -- while frames come

    def _watch(self) -> Iterator["Watching"]:
        while True:
            came = self._attend()
            if came:
                yield self  # shown before the engine has them
            elif self._has_ended():
                return
            self._extend()
            if not self._lags() and not (self._complete and len(self._unpredicted)):
                yield from self._go_over(idle=not came)

    def _go_over(self, idle: bool) -> Iterator["Watching"]:
        """Let the engine do a round, while new frames are shown; without one, wait a little."""
        if self.engine is not None and len(self.engine):
            for _ in self.engine.round():
                yield self
                if time.monotonic() >= self._look_due:
                    self._attend()
        elif idle:
            time.sleep(PAUSE_S)
        yield self

    def _attend(self) -> bool:
        """Look and show, and predict for a while; return whether there was something to do."""
        arrived = self.growing.look()
        if arrived is not None:
            self.scan, self._complete = arrived.scan, arrived.complete
            self.phase = "watching"
            self.arrivals.note(len(arrived.scan))
        busy, until = self._lags() or len(self._unpredicted) > 0, time.monotonic() + TAKE_S
        while self.scan is not None and self._lags():
            self._take(part_of(self.scan, self.patterns.count))
            if time.monotonic() > until:
                break
        until = time.monotonic() + LOOK_S
        while len(self._unpredicted) and time.monotonic() < until:
            self._predict_some()
        self._look_due = time.monotonic() + LOOK_S
        return busy

    def _lags(self) -> bool:
        """Whether there are frames that are not taken yet."""
        return self.scan is not None and self.patterns.count < len(self.scan)

    def _has_ended(self) -> bool:
        """Whether no frame is to be waited for.

        Raises:
            JobError: None came.
        """
        silent, name = self.growing.silent_s, self.growing.name
        if self.scan is None:
            if silent > self.options.wait_s:
                raise JobError(
                    f"{name}: no frame came in {self.options.wait_s:g} s "
                    f"({self.growing.waiting}); is this what the detector writes?"
                )
            return False
        if not self._complete and silent > self.options.patience_s:
            self.notes.append(
                f"no frame for {self.options.patience_s:g} s: the writer has stopped or died; "
                "going on with what is there"
            )
            return True
        return self._complete

    def _take(self, part: Scan) -> None:
        """Show frames, and hand them on as soon as there are enough to begin with."""
        self._digest.update(np.ascontiguousarray(part.patterns).data)
        self.patterns.add(part)
        self._held.put(part)
        if self.patterns.count >= FIRST and self.patterns.lit:
            self._hand_on()

    def _hand_on(self) -> None:
        """Let network and engine have the frames that were held."""
        part = self._held.take()
        self._first = self._first or len(part)
        if self._network is not None:
            self._unpredicted.put(part)
        if self._stages is not None:
            self._coming.put(part)

    def _predict_some(self) -> None:
        """Predict the frames that have waited longest; those to begin with all at once."""
        part = self._unpredicted.take(PREDICTED if self.prediction is not None else self._first)
        if self._network is None:
            return
        try:
            if self.prediction is None:
                where = devices.pick(self._device)
                self.prediction = LivePrediction(self._network, where, self._probe)
                self.prediction.notes = self.notes
            first = self.prediction.count
            with devices.at_most(devices.window_threads()):
                self.prediction.add(part, self._places(first + len(part)))
        except (OptionsError, ScanError) as error:
            self._network = self.prediction = None
            self.notes.append(f"nothing is predicted: {error}")
            return
        self._behind_s = self.arrivals.age_s(first)

    def _extend(self) -> None:
        """Let the frames that have come join the reconstruction."""
        if not len(self._coming) or self._stages is None:
            return
        part = self._coming.take()
        try:
            if self.engine is None:
                where = devices.pick(self._device)
                self.engine = LiveEngine(self._stages, where, self.growing.expected)
                self.engine.notes = self.notes
                if self._probe is not None:
                    part = replace(part, probe=self._probe)
            self.engine.extend(part, self._places(len(self.engine) + len(part)))
        except ScanError as error:
            self._stages = self.engine = None
            self.notes.append(f"nothing is reconstructed: {error}")

    def _places(self, count: int) -> Floats:
        """Return the positions of the first frames in object pixels.

        Raises:
            ScanError: The object pixel size is unknown.
        """
        assert self.scan is not None  # there are frames
        return self.scan.in_pixels()[:count]

    # -- when all are there

    def _finish(self) -> Iterator["Watching"]:
        if len(self._held) and self.patterns.lit:
            self._hand_on()
        while len(self._unpredicted):
            self._predict_some()
            yield self
        self._extend()
        scan, engine = self.scan, self.engine
        if scan is not None and engine is not None and len(engine):
            self.phase = "finishing"
            for epochs in engine.finish(scan, self.options.epochs):
                self._epochs = epochs
                yield self
        if self.prediction is not None:
            self.prediction.judge()
        self.phase = "ended"
        yield self
