"""Plants bugs in copies of connectors, as somebody could have written them; `plants/` lists them."""

import re
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module, invalidate_caches
from itertools import count
from pathlib import Path
from shutil import copytree, ignore_patterns
from textwrap import indent
from typing import Any

import msgspec

from threadline.sdk import Connector
from threadline.sdk.yamlfile import read_yaml
from threadline.testing.conformance import Case, cases_of

CONNECTORS = Path(__file__).parents[2] / "connectors"
PLANTS = Path(__file__).with_name("plants")
_METHODS = {
    "pull": "def pull(self, stream: str, since: Cursor | None) -> Iterator[Page]:",
    "push": "def push(self, object: str, intents: Sequence[Intent]) -> Iterator[Receipt]:",
}
_NUMBERS = count(1)


class Plant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A bug, and the part of the kit that shall catch it.

    Either `old` of a file, however it is broken into lines, is written as `new`; or `pull` or `push` is the body of that method,
    for which the right one is there as `self.well_pulled` or `self.well_pushed`. `sandbox` names another stand-in.
    """

    bug: str
    part: str
    file: str = "connector.py"
    old: str = ""
    new: str = ""
    pull: str = ""
    push: str = ""
    sandbox: str | None = None

    def planted_in(self, text: str) -> str:
        """Return the file with the bug."""
        for name, body in (("pull", self.pull), ("push", self.push)):
            if body:
                method = _METHODS[name]
                return _replaced(text, method, f"{method}\n{indent(body, '    ')}\n{method.replace(name, f'well_{name}ed', 1)}", self.bug)
        return _replaced(text, self.old, self.new, self.bug)


class _Set(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bugs of `common.yaml`, with what stands for the names in their texts; `but` not these."""

    set: str
    values: Mapping[str, str]
    but: tuple[str, ...] = ()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    common: tuple[_Set, ...]
    own: tuple[Plant, ...]


def plants_of(connector: str) -> Iterator[Plant]:
    """Yield the bugs that are planted in a connector."""
    common = msgspec.convert(read_yaml(PLANTS / "common.yaml").value, dict[str, tuple[Plant, ...]])
    found = msgspec.convert(read_yaml(PLANTS / f"{connector}.yaml").value, _File)
    for each in found.common:
        yield from (_filled(plant, each.values) for plant in common[each.set] if plant.bug not in each.but)
    yield from found.own


def _filled(plant: Plant, values: Mapping[str, str]) -> Plant:
    texts = {name: getattr(plant, name) for name in ("part", "pull", "push")}
    for name, value in values.items():
        texts = {field: text.replace(f"<{name}>", value) for field, text in texts.items()}
    return msgspec.structs.replace(plant, **texts)


def _replaced(text: str, old: str, new: str, bug: str) -> str:
    places = list(re.finditer(r"\s+".join(map(re.escape, old.split())), text))
    assert len(places) == 1, f"there are {len(places)} places where {bug!r} could be planted: look for {old!r}"
    begin, end = places[0].span()
    margin = re.match(" *", text[text.rfind("\n", 0, begin) + 1 :])
    lines = new.rstrip().split("\n")
    written = "\n".join([lines[0], *(f"{margin[0] if margin and line else ''}{line}" for line in lines[1:])])
    return text[:begin] + written + text[end:]


@contextmanager
def planted(connector: str, plant: Plant | None, folder: Path, sandbox: str | None = None) -> Generator[type[Connector[Any]]]:
    """Copy a connector, but for its stand-in, into a package of its own, with the bug in it (None: as it is)."""
    package = f"planted_{connector}_{next(_NUMBERS)}"
    copytree(CONNECTORS / connector, folder / package, ignore=ignore_patterns("sandbox", "__pycache__"))
    if plant:
        file, sandbox = folder / package / plant.file, plant.sandbox
        file.write_text(plant.planted_in(file.read_text()))
    for file in (folder / package).rglob("*.py"):
        text = file.read_text().replace(f"connectors.{connector}", package)
        file.write_text(text.replace(f"{package}.sandbox", f"connectors.{connector}.sandbox"))
    sys.path.insert(0, str(folder))
    invalidate_caches()
    try:
        kind = _connector_in(import_module(package))
        yield type(kind.__name__, (kind,), {"sandbox": sandbox}) if sandbox else kind
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]


def _connector_in(module: Any) -> type[Connector[Any]]:
    exported: dict[str, type[Connector[Any]]] = {name: getattr(module, name) for name in module.__all__}
    (kind,) = exported.values()
    return kind


def case_named(kind: type[Connector[Any]], name: str) -> Case:
    """Return the case of a part."""
    found = {str(case): case for case in cases_of(kind)}
    assert name in found, f"the kit has no {name!r}; it has {', '.join(found)}"
    return found[name]
