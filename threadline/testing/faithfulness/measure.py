"""The two measures, of what was recorded and of what a stand-in and its connector say."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from threadline.testing.faithfulness.document import OpenApi
from threadline.testing.faithfulness.exchange import Exchange
from threadline.testing.faithfulness.keys import Vocabulary
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
    described = _described(subject, exchanges)
    matches: list[Match] = []
    for endpoint, answers in made.items():
        like = [likeness for likeness in subject.file.alike if likeness.made == endpoint and likeness.recorded in recorded]
        if endpoint not in recorded and not like:
            continue
        known = Shape.of(recorded.get(endpoint, ()))
        for likeness in like:
            there = likeness.part if likeness.there is None else likeness.there
            known.at(likeness.part).add_all(value for answer in recorded[likeness.recorded] for value in values_at(answer, there))
        found = [
            Finding(one.path, "described") if one.verdict == "extra" and (endpoint, one.path) in described else one
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


def described_keys(subject: Subject, document: OpenApi) -> Share:
    """Return how many keys of recorded answers, each counted once for its endpoint, a document has a word for."""
    words = Vocabulary(document)
    found: dict[tuple[str, str], bool] = {}
    for exchange in _each_once(subject.recorded):
        endpoint = subject.endpoint(exchange)
        found |= {(endpoint, path): known for path, known in words.keys(exchange)}
    return Share(sum(found.values()), len(found))


def _described(subject: Subject, exchanges: Sequence[Exchange]) -> set[tuple[str, str]]:
    """Return the endpoint and path of every key that the document has a word for."""
    if subject.corrected is None:
        return set()
    words = Vocabulary(subject.corrected)
    found: set[tuple[str, str]] = set()
    for exchange in _each_once(exchanges):
        endpoint = subject.endpoint(exchange)
        found |= {(endpoint, path) for path, known in words.keys(exchange) if known}
    return found


def _each_once(exchanges: Iterable[Exchange]) -> Iterable[Exchange]:
    return {(exchange.path, exchange.status, exchange.received): exchange for exchange in exchanges}.values()
