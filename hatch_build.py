"""The README as the package index and the napari hub show it; hatchling calls this when it builds.

In the repository its links and pictures are relative. Elsewhere those lead nowhere, so here they
get the address of the sources of this very version.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"(!?)(\[[^\]]*\]\()(?![a-z]+:|#)([^)]+)\)")
"""A Markdown link or picture whose target is neither an address nor a place on the page."""


def absolute(text: str, source: str, tag: str) -> str:
    """Return Markdown whose relative links lead to a repository on GitHub, at a tag.

    Args:
        text: The README.
        source: Address of the repository.
        tag: Tag, branch or commit.
    """

    def link(found: re.Match[str]) -> str:
        picture, words, path = found.groups()
        return f"{picture}{words}{source}/{'raw' if picture else 'blob'}/{tag}/{path})"

    return LINK.sub(link, text)


class ReadmeHook(MetadataHookInterface):
    """Fills `project.readme`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Put the README into the metadata of the package."""
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        text = absolute(readme, metadata["urls"]["Source"], f"v{metadata['version']}")
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
