"""Reads the parts of a mapping file: a checked tree, or an error with file:line and the nearest spelling."""

from collections.abc import Mapping
from string import Formatter
from typing import Any

from threadline.mapping.convert import MAKES
from threadline.mapping.language import MISSING, PRESENT, Condition, Example, Expression, Identifiers, Path
from threadline.sdk.errors import ConfigError
from threadline.sdk.yamlfile import Document, Location, is_list, is_mapping, kind_of, nearest

_VERBS = (
    "from", "as", "currency", "lookup", "otherwise", "default", "optional", "when", "where", "take", "template", "each", "call",
)  # fmt: skip
VERIFIED = "verified"
"""The verb of identifiers alone: the condition under which the source has made sure that a value is the party's."""


class Reader:
    """Reads the parts of one document."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def error(self, at: Location, message: str) -> ConfigError:
        """Make the error for a location in the file."""
        return self.document.error(at, message)

    def keys(self, at: Location, value: Any, allowed: tuple[str, ...], what: str, required: tuple[str, ...] = ()) -> Mapping[str, Any]:
        """Return a mapping that has only allowed and all required keys."""
        entries = self.document.check_keys(at, value, allowed, what)
        for name in required:
            if entries.get(name) in (None, ""):
                raise self.error(at, f"{what} needs {name!r}")
        return entries

    def path(self, at: Location, value: Any) -> Path:
        """Read a path: "a.b", or a list of names."""
        names: list[Any] = value if is_list(value) else value.split(".") if isinstance(value, str) else []
        if not names or not all(isinstance(name, str) and name for name in names):
            raise self.error(at, "a path is names joined by dots, such as via.channel, or a list of names")
        if "$" in names and len(names) > 1:
            raise self.error(at, "$ is the whole record: write the path without it")
        return tuple(names)

    def condition(self, at: Location, value: Any) -> Condition:
        """Read a `when`."""
        site = self.document.at(at)
        if not is_mapping(value):
            return Condition(site, ((self.path(at, value), PRESENT),))
        tests: list[tuple[Path, Any]] = []
        for key, wanted in value.items():
            if isinstance(wanted, dict):
                raise self.error((*at, key), "a condition compares with a value, a list of values, or null")
            tests.append((self.path((*at, key), key), wanted))
        if not tests:
            raise self.error(at, "a condition needs at least one path")
        return Condition(site, tuple(tests))

    def expression(self, at: Location, value: Any, inside: str = "$", more: tuple[str, ...] = ()) -> Expression:
        """Read where a value comes from; `inside` is the JSON path where its paths begin, `more` are verbs that are known here as well."""
        site = self.document.at(at)
        if isinstance(value, str):
            return Expression(site, source=self.path(at, value), inside=inside)
        verbs = self.keys(at, value, (*_VERBS, *more), "a value")
        self._check_verbs(at, verbs)
        return Expression(
            site,
            source=self._path(at, verbs, "from"),
            convert=verbs.get("as"),
            currency=self.expression((*at, "currency"), verbs["currency"], inside) if "currency" in verbs else None,
            lookup=self._lookup(at, verbs),
            otherwise=verbs.get("otherwise", MISSING),
            default=verbs.get("default", MISSING),
            optional=verbs.get("optional", False),
            when=self.condition((*at, "when"), verbs["when"]) if "when" in verbs else None,
            where=self._where(at, verbs),
            take=self._path(at, verbs, "take"),
            template=self._template(at, verbs),
            each=self._path(at, verbs, "each"),
            call=verbs.get("call"),
            verified=self.condition((*at, VERIFIED), verbs[VERIFIED]) if VERIFIED in verbs else None,
            inside=inside,
        )

    def _check_verbs(self, at: Location, verbs: Mapping[str, Any]) -> None:
        origins = [name for name in ("from", "template", "each") if name in verbs]
        if len(origins) > 1:
            raise self.error(at, f"a value comes from one place: {' or '.join(origins)}, not both")
        if not origins and "default" not in verbs:
            raise self.error(at, "a value needs `from`, `template`, `each`, or a `default` alone")
        for name, needs in (("where", ("from", "each")), ("otherwise", ("lookup",)), ("call", ("from",)), ("take", ("where", "each"))):
            if name in verbs and not any(other in verbs for other in needs):
                raise self.error((*at, name), f"`{name}` needs {' or '.join(f'`{other}`' for other in needs)}")
        if "lookup" in verbs and "each" in verbs:
            raise self.error((*at, "lookup"), "`lookup` translates one value, and `each` gives a list")
        self._check_settings(at, verbs)

    def _check_settings(self, at: Location, verbs: Mapping[str, Any]) -> None:
        if not isinstance(verbs.get("optional", False), bool):
            raise self.error((*at, "optional"), "`optional` is true or false")
        for name in ("as", "call", "template"):
            if name in verbs and not isinstance(verbs[name], str):
                raise self.error((*at, name), f"`{name}` is a text, not {kind_of(verbs[name])}")
        if "as" in verbs and verbs["as"] not in MAKES:
            raise self.error((*at, "as"), f"no conversion named {verbs['as']!r}{nearest(verbs['as'], MAKES)}")
        if "currency" in verbs and verbs.get("as", "money") != "money":
            raise self.error((*at, "currency"), "`currency` belongs to `as: money`")

    def _path(self, at: Location, verbs: Mapping[str, Any], name: str) -> Path | None:
        return self.path((*at, name), verbs[name]) if name in verbs else None

    def _lookup(self, at: Location, verbs: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if "lookup" not in verbs:
            return None
        table = verbs["lookup"]
        if not is_mapping(table) or not table:
            raise self.error((*at, "lookup"), "a lookup is a mapping of the source's values to canonical ones")
        return table

    def _where(self, at: Location, verbs: Mapping[str, Any]) -> Mapping[Path, Any] | None:
        if "where" not in verbs:
            return None
        wanted = verbs["where"]
        if not is_mapping(wanted) or not wanted:
            raise self.error((*at, "where"), "`where` says which element: {name: value}")
        return {self.path((*at, "where", name), name): value for name, value in wanted.items()}

    def _template(self, at: Location, verbs: Mapping[str, Any]) -> tuple[str | Path, ...] | None:
        if "template" not in verbs:
            return None
        place = (*at, "template")
        try:
            pieces = list(Formatter().parse(verbs["template"]))
        except ValueError as error:
            raise self.error(place, f"the template's braces do not match: {error}") from None
        parts: list[str | Path] = []
        for text, name, form, conversion in pieces:
            # A doubled brace ends a piece: texts in a row are one text.
            if text and parts and isinstance(parts[-1], str):
                parts[-1] += text
            elif text:
                parts.append(text)
            if name is not None:
                if form or conversion or not name:
                    raise self.error(place, "braces hold a path and nothing else, such as {author.username}")
                parts.append(self.path(place, name))
        return tuple(parts)

    def expressions(self, at: Location, value: Any, inside: str = "$") -> Mapping[str, Expression]:
        """Read a block of names and where their values come from."""
        if value is None:
            return {}
        if not is_mapping(value):
            raise self.error(at, "must be a mapping of names to where their values come from")
        return {name: self.expression((*at, name), entry, inside) for name, entry in value.items()}

    def identifiers(self, at: Location, value: Any, more: tuple[str, ...] = ()) -> Identifiers:
        """Read a block of kinds of identifiers, each with where its value comes from, or a list of such places."""
        if not is_mapping(value) or not value:
            raise self.error(at, "a party needs `identifiers`: at least one value that names it")
        found: list[tuple[str, Expression]] = []
        for kind, entry in value.items():
            places = [((*at, kind, index), one) for index, one in enumerate(entry)] if is_list(entry) else [((*at, kind), entry)]
            if not places:
                raise self.error((*at, kind), f"{kind} needs a place where it stands, or a list of at least one")
            for place, one in places:
                expression = self.expression(place, one, more=more)
                if expression.each and expression.default is not MISSING:
                    raise self.error((*place, "default"), "`default` is one value, and `each` gives as many identifiers as there are")
                found.append((kind, expression))
        return tuple(found)

    def examples(self, at: Location, value: Any) -> tuple[Example, ...]:
        """Read `examples`."""
        found: list[Example] = []
        if value is not None and not is_list(value):
            raise self.error(at, "examples are a list: each begins with `- given:`")
        for index, entry in enumerate(value or ()):
            place = (*at, index)
            keys = self.keys(place, entry, ("given", "gives"), "an example")
            if not is_mapping(keys.get("given")) or not isinstance(keys.get("gives", ""), dict | None):
                raise self.error(place, "an example has `given`, a record, and `gives`, what becomes of it (null: it is filtered)")
            found.append(Example(self.document.at(place), keys["given"], keys["gives"]))
        return tuple(found)
