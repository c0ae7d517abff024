"""Ptychography in napari: scans, position binning, reconstruction, and what they show.

The core (everything but `gui`) runs without Qt. Start with `io.read_scan`, then
`prepare.bin_positions`, `engines.reconstruct` and `io.write_reconstruction`.
"""

__version__ = "0.1.0"
