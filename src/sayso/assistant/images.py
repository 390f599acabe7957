"""Pictures: what a model that draws them must do. None is trained yet."""

from typing import Protocol

from sayso.workspace import Workspace


class ImageModel(Protocol):
    """Draws pictures; may be called from any thread."""

    @property
    def name(self) -> str:
        """What it is called in the list of models."""

    def draw(self, prompt: str, width: int, height: int, seed: int) -> bytes:
        """Draw a picture of width x height pixels; the same seed draws the same one.

        Returns:
            A PNG file.

        Raises:
            UsageError: it cannot draw pictures of this size.
        """


def model(workspace: Workspace) -> ImageModel | None:
    """Return the community's model for pictures; None as long as there is none."""
    return None
