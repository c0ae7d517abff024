"""A network to choose in the window."""

from dataclasses import dataclass

from napari_ptycho import networks
from napari_ptycho.networks import FinetuneOptions
from napari_ptycho.networks.network import Network


@dataclass(frozen=True, eq=False)
class Named:
    """A network to choose: in memory, or one that comes with the plugin and is read when used."""

    title: str
    network: Network | None = None
    key: str = ""
    """Of a network that comes with the plugin."""
    file: str = ""
    """That it was read from, or saved to."""
    taught: FinetuneOptions | None = None
    """How it was fine-tuned after that, if it was."""

    @property
    def told(self) -> str:
        """What a recipe calls it; empty for one that is in memory only."""
        return self.key or self.file

    def load(self) -> Network:
        """Return the network.

        Raises:
            FileError: The file that comes with the plugin is missing.
        """
        return networks.shipped(self.key) if self.network is None else self.network
