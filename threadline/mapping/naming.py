"""What names parties: a mapping's identifiers, as lines of its function."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from threadline.mapping.codegen import Base, Code, Wanted, missing
from threadline.mapping.errors import MappingError
from threadline.mapping.language import Expression, Identifiers, Path
from threadline.model.identifiers import Identifier, identify, normalize_email, normalize_handle, normalize_id
from threadline.model.ids import entity_id, parse_id

_LATEST = 1_000
_SHORT = 500
"""Characters of a text whose identifier is kept."""
_LONGEST = 10_000
"""Characters of a text that names anybody: as many as a record's key may have."""
_MOST_IDENTIFIERS = 1_000
"""Identifiers that an array gives one party."""


class Naming:
    """Emits what makes the identifiers of parties, as those of one source."""

    def __init__(self, code: Code, source: str) -> None:
        self.code = code
        self.source = source

    def identifiers(self, identifiers: Identifiers) -> tuple[str, str]:
        """Emit a list of identifiers; return the names of the party's id and of the list."""
        code, found = self.code, self.code.local()
        code.put(f"{found} = []")
        for kind, expression in identifiers:
            name = code.constant(_naming(kind, _normalizer(kind, code), self.source))
            if expression.each:
                self._name_all(expression, expression.each, name, found)
                continue
            with self._leniently(expression):
                value = code.value(expression, Wanted("text"), code.record)
                code.put(f"if {value} is not None:")
                code.indent()
                self._name(expression, f"{name}({value})", found, code.record)
                code.indent(-1)
        name = code.local()
        code.put(f"{name} = {code.constant(_party_id)}({self.code.constant(self.source)}, {found}[0]) if {found} else None")
        return name, found

    def _name_all(self, expression: Expression, array: Path, name: str, found: str) -> None:
        """Emit what adds an identifier for each element of an array."""
        code, before = self.code, self.code.local()
        code.blame(expression)
        if expression.when:
            code.put(f"if {code.condition(expression.when, code.record)}:")
            code.indent()
        code.put(f"{before} = len({found})")
        element, taken = code.loop(expression, array, code.record)
        code.put(f"if {taken} is None or {taken} == '': continue")
        code.put(f"v = {taken}")
        with self._leniently(expression):
            convert = code.constant(code.converters[expression.convert or "text"])
            self._name(expression, f"{name}({convert}({taken}))", found, element)
        code.indent(-1)
        code.put(f"{code.constant(_few)}({found})")
        if not expression.optional:
            code.put(f"if len({found}) == {before}: raise {code.constant(missing)}({code.constant(expression)})")
        code.indent(-1 if expression.when else 0)

    def _name(self, expression: Expression, identifier: str, found: str, base: Base) -> None:
        self.code.put(f"{found}.append({identifier})")
        if expression.verified:
            holds = self.code.condition(expression.verified, base)
            self.code.put(f"if {holds}: {found}[-1] = {self.code.constant(_verified)}({found}[-1])")

    @contextmanager
    def _leniently(self, expression: Expression) -> Generator[None]:
        """Let junk in an optional field (a phone "n/a") name nobody: it must not cost the record."""
        if not expression.optional:
            yield
            return
        self.code.put("try:")
        self.code.indent()
        yield
        self.code.indent(-1)
        self.code.put("except ValueError: pass")


def _naming(kind: str, normalize: Callable[[str], str], source: str) -> Callable[[str], Identifier]:
    """Return what makes identifiers of texts. The latest are kept: the same few people are in most records."""
    latest: dict[str, Identifier] = {}

    def name(value: str) -> Identifier:
        identifier = latest.get(value)
        if identifier is None:
            if len(value) > _LONGEST:
                raise ValueError(f"a text of {len(value):,} characters names nobody; at most {_LONGEST:,} make an identifier")
            identifier = identify(kind, value, normalize(value), source)
            if len(latest) >= _LATEST:
                latest.clear()
            if len(value) <= _SHORT:
                latest[value] = identifier
        return identifier

    return name


def _verified(identifier: Identifier) -> Identifier:
    return msgspec.structs.replace(identifier, verified=True)


def _party_id(source: str, first: Identifier) -> bytes:
    return first.id if first.owner == source else entity_id(source, first.kind, first.normalized)


def _normalizer(kind: str, code: Code) -> Callable[[str], str]:
    special: Mapping[str, Callable[[str], str]] = {
        "email": normalize_email,
        "phone": code.converters["phone"],
        "handle": normalize_handle,
        "threadline": _profile_id,
    }
    return special.get(kind, normalize_id)


def _profile_id(value: str) -> str:
    if parse_id(value) is None:
        raise ValueError("not a profile id of threadline")
    return value.upper()


def nobody(identifiers: Identifiers) -> MappingError:
    """Make the error of a record about somebody whom nothing in it names."""
    kinds = ", ".join(dict.fromkeys(kind for kind, _ in identifiers))
    first = identifiers[0][1]
    return MappingError(f"the party has no name: none of its identifiers ({kinds}) is there", path=first.shown, site=first.site)


def _few(found: Sequence[Identifier]) -> None:
    if len(found) > _MOST_IDENTIFIERS:
        raise ValueError(f"more than {_MOST_IDENTIFIERS:,} identifiers: nobody has so many")
