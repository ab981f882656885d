"""One vendor: its stand-in, what was recorded of it, and its document with errata."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from threadline.sdk import Connector
from threadline.sdk.errors import ConfigError
from threadline.sdk.registry import connector_class, installed
from threadline.testing.faithfulness.dialect import OLDER_ANSWERS
from threadline.testing.faithfulness.document import OpenApi, Paths, read_document, read_json
from threadline.testing.faithfulness.errata import ErrataFile, Erratum, read_errata
from threadline.testing.faithfulness.exchange import Exchange, read_recording

HELD_BACK = 3
"""Every so many-th recording, by name, is not looked at when errata are written: its share of validity is that of unseen ones."""


@dataclass(frozen=True)
class Subject:
    """A connector with an errata file beside its stand-in. `contracts` is the folder of the vendors' documents and recordings."""

    kind: type[Connector[Any]]
    contracts: Path
    file: ErrataFile

    @cached_property
    def recordings(self) -> Sequence[Path]:
        """The recordings, by name."""
        return sorted((path for pattern in self.file.recorded for path in self.contracts.glob(pattern)), key=lambda path: path.name)

    @cached_property
    def recorded(self) -> Sequence[Exchange]:
        """All that was recorded."""
        return [exchange for path in self.recordings for exchange in read_recording(path)]

    @cached_property
    def samples(self) -> Sequence[tuple[str, Any]]:
        """The endpoint and the JSON value of each sample."""
        return [(sample.endpoint, read_json(self.contracts / sample.file)) for sample in self.file.samples]

    @cached_property
    def held_back(self) -> frozenset[str]:
        """The names of the recordings that are held back; one that an erratum cites has been looked at."""
        cited = {erratum.recording for erratum in self.file.errata}
        return frozenset(path.name for path in self.recordings[HELD_BACK - 1 :: HELD_BACK]) - cited

    @cached_property
    def published(self) -> Mapping[str, Any] | None:
        """The vendor's document as published; None where there is none."""
        return read_document(self.contracts / self.file.document) if self.file.document else None

    @cached_property
    def corrected(self) -> OpenApi | None:
        """The document with its errata."""
        return OpenApi(self.published, self.file.errata) if self.published else None

    @cached_property
    def current(self) -> OpenApi | None:
        """The document with the errata that hold for what is made now, too."""
        return OpenApi(self.published, self.current_errata) if self.published else None

    @cached_property
    def current_errata(self) -> Sequence[Erratum]:
        """The errata without those that only excuse old recordings."""
        return [erratum for erratum in self.file.errata if erratum.name != OLDER_ANSWERS]

    def endpoint(self, exchange: Exchange) -> str:
        """Name the endpoint of an answer: "GET /users/{id} 200"; where nothing describes the path, words with digits are parameters."""
        call = self._paths.find(exchange.path)
        template = call.template if call else re.sub(r"/[^/]*\d{2}[^/]*", "/{id}", exchange.path.rstrip("/").removesuffix(".json"))
        return f"{exchange.method} {template} {exchange.status}"

    @cached_property
    def _paths(self) -> Paths:
        templates = [*self.file.paths, *(self.published or {"paths": ()})["paths"]]
        return Paths(templates, json_suffix=any(erratum.name == "json suffix" for erratum in self.file.errata))


def subjects(contracts: Path) -> Iterator[Subject]:
    """Yield every installed connector that has an errata file; ConfigError where the folder of contracts is absent."""
    for name in installed():
        if _errata_of(connector_class(name)) is not None:
            yield load_subject(name, contracts)


def load_subject(name: str, contracts: Path) -> Subject:
    """Return a connector's subject; ConfigError where the folder of contracts, or its errata file, is absent."""
    kind = connector_class(name)
    path = _errata_of(kind)
    if path is None:
        raise ConfigError(f"{name} has no errata.yaml beside its stand-in, which says where its document and recordings are")
    if not contracts.is_dir():
        raise ConfigError(
            f"{contracts}: there is no such folder; it holds the vendors' documents and recordings, which are not distributed"
        )
    return Subject(kind, contracts, read_errata(path))


def _errata_of(kind: type[Connector[Any]]) -> Path | None:
    if kind.sandbox is None:
        return None
    module = find_spec(kind.sandbox.partition(":")[0])
    if module is None or module.origin is None:
        return None
    path = Path(module.origin).with_name("errata.yaml")
    return path if path.is_file() else None
