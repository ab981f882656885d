"""Whether each erratum is still borne out: by what is valid with it, or by keys that the document has a word for only then."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from threadline.testing.faithfulness.document import OpenApi
from threadline.testing.faithfulness.errata import Erratum
from threadline.testing.faithfulness.exchange import Exchange
from threadline.testing.faithfulness.keys import Vocabulary
from threadline.testing.faithfulness.subject import Subject


def review(subject: Subject, made: Sequence[Exchange] = ()) -> Iterator[str]:
    """Yield what is wrong with errata: what is cited is not there, or is as well described without the erratum.

    What stands on a vendor's page must be needed by the traffic that was `made`, where there is any.
    """
    for erratum in subject.file.errata:
        if erratum.page is not None:
            if made and not _needed(subject, erratum, made):
                yield f"{erratum.name} is not needed by anything that the stand-in or its connector say"
            continue
        cited = [exchange for exchange in subject.recorded if exchange.source == erratum.recording]
        if not cited:
            yield f"{erratum.name} cites {erratum.recording!r}, which is no recording"
        elif not _needed(subject, erratum, cited):
            yield f"{erratum.name} is not needed by {erratum.recording}"


def _needed(subject: Subject, erratum: Erratum, exchanges: Sequence[Exchange]) -> bool:
    if subject.published is None:
        return False
    return any(_changes(subject.published, errata, erratum, exchanges) for errata in (subject.file.errata, subject.current_errata))


def _changes(published: Mapping[str, Any], errata: Sequence[Erratum], erratum: Erratum, exchanges: Sequence[Exchange]) -> bool:
    document, without = OpenApi(published, errata), OpenApi(published, [other for other in errata if other is not erratum])
    return any(_said(document, exchange) != _said(without, exchange) for exchange in exchanges)


def _said(document: OpenApi, exchange: Exchange) -> tuple[list[str], list[tuple[str, bool]]]:
    return document.problems(exchange), list(Vocabulary(document).keys(exchange))
