"""Asks X again for what it showed once, since no list says what was deleted (https://docs.x.com/x-api/posts/get-posts-by-ids)."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

from connectors.x.api import XApi
from connectors.x.ids import id_at
from connectors.x.posts import Posts
from connectors.x.session import RefusedError
from threadline.sdk import JSON

AT_ONCE = 100
"""Posts in one call."""
KEPT = timedelta(days=29)
"""X shows direct messages of 30 days; what is older is not there either way."""
NOT_FOUND = "resource-not-found"
"""Last word of the type of X's problem about what was deleted; what is only hidden from us has another."""


def posts_gone(api: XApi, posts: Posts, ids: Iterable[str], younger: timedelta) -> Iterator[Sequence[str]]:
    """Yield, call by call, those of the posts that X has no longer; newest first, none older than `younger`."""
    asked = _younger(ids, younger)
    for start in range(0, len(asked), AT_ONCE):
        some = asked[start : start + AT_ONCE]
        posts.take(len(some), len(some))
        shown = 0
        try:
            answer = api.look_up("/2/tweets", {"ids": ",".join(some)})
            shown = len(answer.get("data") or ())
        finally:
            posts.give_back(len(some) - shown)
        yield _not_found(answer, some)


def messages_gone(api: XApi, ids: Iterable[str], younger: timedelta) -> Iterator[Sequence[str]]:
    """Yield those of the direct messages that X has no longer, as `posts_gone` does; each takes a call."""
    for identity in _younger(ids, min(younger, KEPT)):
        try:
            answer = api.look_up(f"/2/dm_events/{identity}", {})
        except RefusedError as refused:
            if refused.status != 404:
                raise
            yield [identity]
        else:
            yield _not_found(answer, [identity])


def _younger(ids: Iterable[str], age: timedelta) -> list[str]:
    oldest = id_at(time.time() - age.total_seconds())
    numbers = {int(identity) for identity in ids if identity.isascii() and identity.isdigit()}
    return [str(number) for number in sorted(numbers, reverse=True) if number >= oldest]


def _not_found(answer: Mapping[str, JSON], asked: Sequence[str]) -> list[str]:
    problems = [problem for problem in answer.get("errors") or () if str(problem.get("type", "")).endswith(NOT_FOUND)]
    # Beside a post, its author may be what was not found.
    told = {str(problem.get("resource_id") or problem.get("value")) for problem in problems if problem.get("resource_type") != "user"}
    return [identity for identity in asked if identity in told]
