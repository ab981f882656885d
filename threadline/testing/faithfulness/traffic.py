"""What a connector and its stand-in say to each other."""

from collections.abc import Collection, Generator
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from threadline.sdk import Connector
from threadline.testing.conformance import Outcome, cases_of, run_case
from threadline.testing.faithfulness.exchange import Exchange

_BROKEN_ON_PURPOSE = "sets poison aside"


@contextmanager
def overheard() -> Generator[list[Exchange]]:
    """Note every exchange that any `requests` session of this process completes, as it went over the wire."""
    heard: list[Exchange] = []
    send = HTTPAdapter.send

    def listen(self: HTTPAdapter, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        url = request.url or ""
        response = send(self, request, **options)
        heard.append(_exchange(request, url, response))
        return response

    HTTPAdapter.send = listen  # type: ignore[method-assign, assignment]  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield heard
    finally:
        HTTPAdapter.send = send  # type: ignore[method-assign]


def _exchange(request: requests.PreparedRequest, url: str, response: requests.Response) -> Exchange:
    sent = request.body or b""
    return Exchange(
        method=request.method or "",
        url=url,
        sent_type=request.headers.get("Content-Type", ""),
        sent=sent.encode() if isinstance(sent, str) else bytes(sent),
        status=response.status_code,
        received_type=response.headers.get("Content-Type", ""),
        received=response.content,
    )


def kit_traffic(kind: type[Connector[Any]], parts: Collection[str] = ()) -> tuple[list[Exchange], list[Outcome]]:
    """Return what is said during the quick cases of the conformance kit, which pull every stream and push every object, and how they ended.

    Only those of the `parts`, where some are named; never the one in which the stand-in's records are broken on purpose, nor the
    outages (5xx) that the kit puts between the two.
    """
    cases = [case for case in cases_of(kind) if not case.part.slow and case.part.name != _BROKEN_ON_PURPOSE]
    with overheard() as heard:
        outcomes = [run_case(case) for case in cases if not parts or case.part.name in parts]
    return [exchange for exchange in heard if exchange.status < 500], outcomes
