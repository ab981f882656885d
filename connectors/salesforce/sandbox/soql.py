"""Answers the SOQL that reads one object: SELECT fields or COUNT() FROM object [WHERE ...] [ORDER BY ...] [LIMIT n].

WHERE knows comparisons, IN, AND, OR and brackets. Everything else is refused as a malformed query, in Salesforce's words
where the statement is wrong, and saying so where only this stand-in lacks it.
"""

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from connectors.salesforce.sandbox.schema import SOBJECTS, Field, SObject

Record = dict[str, Any]
Test = Callable[[Record], bool]
Between = Callable[[str, str], Iterator[Record]]
"""Gives the records from one SystemModstamp to another, in the order (SystemModstamp, Id)."""

_TOKEN = re.compile(
    r"\s*(?:(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))|(?P<number>\d+)|(?P<text>'(?:[^'\\]|\\.)*')"
    r"|(?P<word>[A-Za-z_][\w.]*)|(?P<sign><=|>=|!=|[=<>(),]))"
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_UNSUPPORTED = ("GROUP", "HAVING", "OFFSET", "FOR", "WITH", "USING", "LIKE", "NOT", "TYPEOF")
_TIMELINE = [("SystemModstamp", False), ("Id", False)]
_ESCAPE = re.compile(r"\\(.)")


class SoqlError(Exception):
    """A refused statement: Salesforce's error code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Query:
    """A statement that was understood; without fields it counts. What it finds has a SystemModstamp from `lower` to `upper`."""

    sobject: SObject
    fields: Sequence[Field]
    test: Test
    lower: str
    upper: str
    order: Sequence[tuple[str, bool]]
    limit: int | None

    def run(self, between: Between) -> list[Record]:
        """Return the records that match, in order; missing values come first."""
        found = (record for record in between(self.lower, self.upper) if self.test(record))
        if list(self.order) == _TIMELINE:
            return list(islice(found, self.limit))
        records = list(found)
        for name, descending in reversed(self.order):
            records.sort(key=lambda record: (record[name] is not None, record[name]), reverse=descending)
        return records[: self.limit]

    def row(self, record: Record, version: str) -> Record:
        """Return the selected fields as a response shows them."""
        url = f"/services/data/v{version}/sobjects/{self.sobject.name}/{record['Id']}"
        return {"attributes": {"type": self.sobject.name, "url": url}, **{field.name: record[field.name] for field in self.fields}}


def stamp(moment: datetime) -> str:
    """Write a time as responses do; equal length makes text order time order."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def _everything(_: Record) -> bool:
    return True


def parse(statement: str) -> Query:
    """Understand a statement, or raise SoqlError."""
    return _Parser(statement).query()


class _Parser:
    def __init__(self, statement: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        place = 0
        while statement[place:].strip():
            found = _TOKEN.match(statement, place)
            if not found:
                raise SoqlError("MALFORMED_QUERY", f"unexpected token: '{statement[place:].strip()[:20]}'")
            self._tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
            place = found.end()
        self._at = 0
        self._depth = 0
        # What every record found must keep; what stands in brackets, or beside OR, need not hold.
        self._lower: list[str] = []
        self._upper: list[str] = []

    def query(self) -> Query:
        self._expect("SELECT")
        names = self._names()
        self._expect("FROM")
        self._sobject = self._object(self._next("word"))
        fields = [self._field(name) for name in names]
        if len(set(fields)) < len(fields):
            raise SoqlError("MALFORMED_QUERY", "duplicate field selected")
        test = self._either() if self._skip("WHERE") else _everything
        order = self._order() if self._skip("ORDER") else []
        limit = int(self._next("number")) if self._skip("LIMIT") else None
        if self._at < len(self._tokens):
            raise self._unexpected()
        return Query(self._sobject, fields, test, max(self._lower, default=""), min(self._upper, default="9999"), order, limit)

    def _names(self) -> list[str]:
        if self._skip("COUNT"):
            self._expect("(")
            self._expect(")")
            return []
        names = [self._next("word")]
        while self._skip(","):
            names.append(self._next("word"))
        return names

    def _object(self, name: str) -> SObject:
        sobject = SOBJECTS.get(name.lower())
        if sobject is None:
            raise SoqlError(
                "INVALID_TYPE", f"sObject type '{name}' is not supported. If you are attempting to use a custom object, append '__c'."
            )
        return sobject

    def _field(self, name: str) -> Field:
        field = self._sobject.field(name)
        if field is None and "." in name:
            raise SoqlError("INVALID_FIELD", f"Didn't understand relationship '{name.partition('.')[0]}' in field path.")
        if field is None:
            raise SoqlError("INVALID_FIELD", f"\nERROR at Row:1:Column:8\nNo such column '{name}' on entity '{self._sobject.name}'.")
        return field

    def _either(self) -> Test:
        tests = [self._one()]
        joiner = "AND" if self._peek("AND") else "OR"
        while self._skip(joiner):
            tests.append(self._one())
        if self._peek("AND") or self._peek("OR"):
            raise SoqlError("MALFORMED_QUERY", "AND and OR must be told apart by brackets")
        if joiner == "OR" and len(tests) > 1 and not self._depth:
            self._lower, self._upper = [], []
        combine = all if joiner == "AND" else any
        return lambda record: combine(test(record) for test in tests)

    def _one(self) -> Test:
        if self._skip("("):
            self._depth += 1
            test = self._either()
            self._depth -= 1
            self._expect(")")
            return test
        field = self._field(self._next("word"))
        if self._skip("IN"):
            return self._among(field)
        sign = self._next("sign")
        if sign not in _COMPARE:
            raise self._unexpected(back=1)
        compare, value, name = _COMPARE[sign], self._literal(field), field.name
        if value is None or isinstance(value, bool):
            return lambda record: compare(record[name], value)
        if name == "SystemModstamp" and not self._depth:
            self._lower += [value] if sign in ("=", ">", ">=") else []
            self._upper += [value] if sign in ("=", "<", "<=") else []
        return lambda record: record[name] is not None and compare(record[name], value)

    def _among(self, field: Field) -> Test:
        self._expect("(")
        values = {self._literal(field)}
        while self._skip(","):
            values.add(self._literal(field))
        self._expect(")")
        return lambda record: record[field.name] in values

    def _literal(self, field: Field) -> Any:
        kind, text = self._take()
        if kind == "word" and text.lower() in ("null", "true", "false"):
            return {"null": None, "true": True, "false": False}[text.lower()]
        if (kind == "time") != (field.type == "datetime"):
            wrong = f"value of filter criterion for field '{field.name}' must be of type {field.type}"
            raise SoqlError("INVALID_FIELD", wrong)
        if kind == "time":
            return stamp(datetime.fromisoformat(text))
        if kind != "text":
            raise self._unexpected(back=1)
        return _ESCAPE.sub(r"\1", text[1:-1])

    def _order(self) -> list[tuple[str, bool]]:
        self._expect("BY")
        order: list[tuple[str, bool]] = []
        while True:
            name = self._field(self._next("word")).name
            descending = self._skip("DESC")
            if not descending:
                self._skip("ASC")
            order.append((name, descending))
            if not self._skip(","):
                return order

    def _peek(self, word: str) -> bool:
        return self._at < len(self._tokens) and self._tokens[self._at][0] != "text" and self._tokens[self._at][1].upper() == word

    def _skip(self, word: str) -> bool:
        found = self._peek(word)
        self._at += found
        return found

    def _expect(self, word: str) -> None:
        if not self._skip(word):
            raise self._unexpected()

    def _take(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise self._unexpected()
        self._at += 1
        return self._tokens[self._at - 1]

    def _next(self, kind: str) -> str:
        found, text = self._take()
        if found != kind:
            raise self._unexpected(back=1)
        return text

    def _unexpected(self, back: int = 0) -> SoqlError:
        text = self._tokens[self._at - back][1] if self._at - back < len(self._tokens) else "<EOF>"
        hint = " (this stand-in reads one object without aggregates)" if text.upper() in _UNSUPPORTED else ""
        return SoqlError("MALFORMED_QUERY", f"unexpected token: '{text}'{hint}")
