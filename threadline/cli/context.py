"""What all commands share: the settings file chosen, and the option for machines."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from threadline.sync.config import Config

JSON: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON for machines")]
STREAMS: TypeAlias = Annotated[list[str] | None, typer.Option("--stream", "-s", help="Only this stream; may be given several times")]
ONLY: TypeAlias = Annotated[str | None, typer.Option("--stream", "-s", help="Only this stream")]


class _Chosen:
    """The settings file given before the command."""

    def __init__(self) -> None:
        self._path: Path | None = None

    def set(self, path: Path | None) -> None:
        """Remember what --config says."""
        self._path = path

    def load(self, *, entries: bool = True, only: str | None = None) -> "Config":
        """Read the settings."""
        from threadline.sync.config import load_config

        return load_config(self._path, entries=entries, only=only)

    def load_where_there(self) -> "Config | None":
        """Read the settings, without sources and targets; None outside a project that none was named of."""
        from threadline.sync.config import config_path

        return self.load(entries=False) if self._path or config_path(None).is_file() else None


CONFIG = _Chosen()
