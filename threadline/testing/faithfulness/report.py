"""A vendor's figures, as a table and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from threadline.testing.conformance import Outcome
from threadline.testing.faithfulness.document import OpenApi
from threadline.testing.faithfulness.exchange import Exchange
from threadline.testing.faithfulness.measure import Share, Structure, Validity, described_keys, structure, validity
from threadline.testing.faithfulness.review import review
from threadline.testing.faithfulness.subject import Subject


@dataclass(frozen=True, slots=True)
class Recorded:
    """The real traffic beside the vendor's document: as published, with general errata alone, with all, and what is held back of that."""

    as_published: Share
    with_general: Share
    with_errata: Validity
    held_back: Share
    described_keys: Share


@dataclass(frozen=True, slots=True)
class Report:
    """What is measured of one vendor. Where it has no document, there is no validity."""

    name: str
    recorded: Recorded | None
    made: Validity | None
    structure: Structure
    faults: Sequence[str]
    """What is wrong with errata, and which cases of the kit failed."""


def report(subject: Subject, made: Sequence[Exchange], outcomes: Sequence[Outcome] = ()) -> Report:
    """Measure a vendor's recordings, and the traffic that its connector and stand-in made."""
    failed = [f"{outcome.case} failed: {outcome.said}" for outcome in outcomes if outcome.state == "failed"]
    return Report(
        name=subject.kind.name,
        recorded=recorded(subject),
        made=validity(subject, subject.current, made) if subject.current else None,
        structure=structure(subject, made),
        faults=[*review(subject, made), *failed],
    )


def recorded(subject: Subject) -> Recorded | None:
    """Measure a vendor's recordings; None where it has no document."""
    if subject.published is None or subject.corrected is None:
        return None
    held_back = [exchange for exchange in subject.recorded if exchange.source in subject.held_back]
    published, general = OpenApi(subject.published), OpenApi(subject.published, [one for one in subject.file.errata if one.general])
    # The same exchanges: without errata the paths of some are not even recognized.
    described = [exchange for exchange in subject.recorded if subject.corrected.call(exchange)]
    return Recorded(
        as_published=Share(validity(subject, published, described).share.good, len(described)),
        with_general=validity(subject, general, described).share,
        with_errata=validity(subject, subject.corrected, subject.recorded),
        held_back=validity(subject, subject.corrected, held_back).share,
        described_keys=described_keys(subject, subject.corrected),
    )


def rows(one: Report) -> Iterator[tuple[str, Share]]:
    """Yield the lines of a vendor's table: what, and the figure."""
    if one.recorded:
        yield "recorded: valid as published", one.recorded.as_published
        yield "recorded: valid with general errata alone", one.recorded.with_general
        yield "recorded: valid with errata", one.recorded.with_errata.share
        yield "recorded: valid with errata, held back", one.recorded.held_back
        yield "recorded: keys that the document has", one.recorded.described_keys
    if one.made:
        yield "stand-in: valid with errata", one.made.share
    yield "stand-in: keys and types as recorded", one.structure.keys
    yield "stand-in: endpoints as recorded throughout", one.structure.endpoints


def details(one: Report) -> Iterator[str]:
    """Yield what differs, and what nothing is known of, a line each."""
    for place, measured in (("recorded", one.recorded.with_errata if one.recorded else None), ("stand-in", one.made)):
        if measured:
            yield from (f"{place}, {times} times: {problem}" for problem, times in measured.problems.items())
    for match in one.structure.matches:
        yield from (f"{match.endpoint}: {finding}" for finding in match.findings if finding.verdict not in ("same", "described"))
    yield from (f"{endpoint}: nothing like it was recorded" for endpoint in one.structure.unrecorded)
    if one.made:
        yield from (f"{endpoint}: the document does not describe it" for endpoint in one.made.undescribed)
    yield from one.faults


def as_json(one: Report) -> Mapping[str, Any]:
    """Return a report's JSON document: the shares by name, and what `details` says."""
    return {
        "vendor": one.name,
        "figures": {name: _figure(share) for name, share in rows(one)},
        "endpoints": {match.endpoint: _figure(match.share) for match in one.structure.matches},
        "details": list(details(one)),
    }


def _figure(share: Share) -> Mapping[str, Any]:
    return {"good": share.good, "all": share.all, "percent": None if share.percent is None else round(share.percent, 1)}
