"""The two measures, of what was recorded and of what a stand-in and its connector say."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from threadline.sdk.yamlfile import is_list, is_mapping
from threadline.testing.faithfulness.document import OpenApi
from threadline.testing.faithfulness.exchange import Exchange
from threadline.testing.faithfulness.structure import Finding, Shape, compare, values_at
from threadline.testing.faithfulness.subject import Subject


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many."""

    good: int
    all: int

    @property
    def percent(self) -> float | None:
        """The share in percent; None of nothing."""
        return 100 * self.good / self.all if self.all else None

    def __str__(self) -> str:
        return "-" if self.percent is None else f"{self.percent:.1f}% ({self.good:,} of {self.all:,})"


@dataclass(frozen=True, slots=True)
class Validity:
    """How many exchanges of described endpoints are valid, what is wrong with the others, and which endpoints are not described."""

    share: Share
    problems: Mapping[str, int]
    undescribed: Sequence[str]


@dataclass(frozen=True, slots=True)
class Match:
    """An endpoint of the stand-in beside what was recorded of it, and of the endpoints in `alike`."""

    endpoint: str
    findings: Sequence[Finding]
    alike: Sequence[str] = ()

    @property
    def share(self) -> Share:
        """How many places are the same, of those that were recorded or should have been."""
        verdicts = [finding.verdict for finding in self.findings if finding.verdict != "described"]
        return Share(verdicts.count("same"), len(verdicts))


@dataclass(frozen=True, slots=True)
class Structure:
    """The endpoints that could be compared, and those of which nothing was recorded."""

    matches: Sequence[Match]
    unrecorded: Sequence[str]

    @property
    def keys(self) -> Share:
        """How many places of all endpoints are the same."""
        return Share(sum(match.share.good for match in self.matches), sum(match.share.all for match in self.matches))

    @property
    def endpoints(self) -> Share:
        """How many endpoints are the same in every place."""
        return Share(sum(match.share.good == match.share.all for match in self.matches), len(self.matches))


def validity(subject: Subject, document: OpenApi, exchanges: Sequence[Exchange]) -> Validity:
    """Validate exchanges against a document."""
    undescribed: set[str] = set()
    problems: Counter[str] = Counter()
    known: dict[tuple[Any, ...], list[str]] = {}
    good = described = 0
    for exchange in exchanges:
        if document.call(exchange) is None:
            undescribed.add(subject.endpoint(exchange))
            continue
        said = (exchange.method, exchange.url, exchange.sent, exchange.status, exchange.received)
        if said not in known:
            known[said] = document.problems(exchange)
        described += 1
        good += not known[said]
        problems.update({f"{subject.endpoint(exchange)}: {_general(problem)}" for problem in known[said]})
    return Validity(Share(good, described), dict(problems.most_common()), sorted(undescribed))


def _general(problem: str) -> str:
    return re.sub(r"\[\d+\]", "[]", problem)


def structure(subject: Subject, exchanges: Sequence[Exchange]) -> Structure:
    """Compare the answers in exchanges with those that were recorded of the same endpoints, or of those that have a part like theirs."""
    made, recorded = _answers(subject, exchanges), _answers(subject, subject.recorded)
    for endpoint, answer in subject.samples:
        recorded.setdefault(endpoint, []).append(answer)
    matches: list[Match] = []
    for endpoint, answers in made.items():
        like = [likeness for likeness in subject.file.alike if likeness.made == endpoint and likeness.recorded in recorded]
        if endpoint not in recorded and not like:
            continue
        known = Shape.of(recorded.get(endpoint, ()))
        for likeness in like:
            known.at(likeness.part).add_all(value for answer in recorded[likeness.recorded] for value in values_at(answer, likeness.part))
        described = _described_paths(subject, endpoint, exchanges)
        found = [
            Finding(one.path, "described") if one.verdict == "extra" and one.path in described else one
            for one in compare(Shape.of(answers), known, subject.file.open_keys)
        ]
        matches.append(Match(endpoint, found, [likeness.recorded for likeness in like]))
    verified = {match.endpoint for match in matches}
    return Structure(matches, sorted({subject.endpoint(exchange) for exchange in exchanges} - verified))


def _answers(subject: Subject, exchanges: Sequence[Exchange]) -> dict[str, list[Any]]:
    answers: dict[str, list[Any]] = {}
    for exchange in exchanges:
        if (answer := exchange.answer) is not None:
            answers.setdefault(subject.endpoint(exchange), []).append(answer)
    return dict(sorted(answers.items()))


def _described_paths(subject: Subject, endpoint: str, exchanges: Sequence[Exchange]) -> set[str]:
    same = [exchange for exchange in exchanges if subject.endpoint(exchange) == endpoint]
    return {path for exchange in same for path, known in _keys(subject, exchange) if known}


def described_keys(subject: Subject) -> Share:
    """Return how many keys of recorded answers, each counted once for its endpoint, the document has a word for."""
    found: dict[tuple[str, str], bool] = {}
    for exchange in subject.recorded:
        for path, known in _keys(subject, exchange):
            found[subject.endpoint(exchange), path] = known
    return Share(sum(found.values()), len(found))


def _keys(subject: Subject, exchange: Exchange) -> Iterator[tuple[str, bool]]:
    """Yield the path of each key in an answer, and whether the document has a word for it."""
    if (document := subject.corrected) and (schema := document.schema_of_answer(exchange)):
        yield from _described(document, [schema], exchange.answer, "$")


def _described(document: OpenApi, schemas: Sequence[str], value: Any, path: str) -> Iterator[tuple[str, bool]]:
    if is_list(value):
        items = [f"{place}/items" for place, schema in _plain(document, schemas) if "items" in schema]
        for inner in value if items else ():
            yield from _described(document, items, inner, f"{path}[]")
    elif is_mapping(value):
        plain = [(place, schema) for place, schema in _plain(document, schemas) if "properties" in schema]
        is_open = not plain or any(schema.get("additionalProperties") for _, schema in plain)
        for key, inner in value.items():
            where = [
                f"{place}/properties/{key.replace('~', '~0').replace('/', '~1')}" for place, schema in plain if key in schema["properties"]
            ]
            if where or not is_open:
                yield f"{path}.{key}", bool(where)
            if where:
                yield from _described(document, where, inner, f"{path}.{key}")


def _plain(document: OpenApi, schemas: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the schemas that these are made of."""
    for pointer in schemas:
        place, schema = document.at(pointer)
        yield place, schema
        for word in ("allOf", "anyOf", "oneOf"):
            yield from _plain(document, [f"{place}/{word}/{index}" for index in range(len(schema.get(word, ())))])
