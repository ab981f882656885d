"""What X allows: calls of each endpoint in 15 minutes, writes of a day, and posts of a month (https://docs.x.com/x-api/fundamentals/rate-limits).

How many that is depends on the plan, so it is X that says so, with each answer.
"""

from collections.abc import Mapping, Sequence

from connectors.x.settings import XSettings
from threadline.sdk.budget import MONTH, Allowance, limit_headers

POSTS = "posts"
"""The posts of a month: not calls, but what they show."""
_WINDOW, _USER, _APP = (limit_headers(name) for name in ("x-rate-limit", "x-user-limit-24hour", "x-app-limit-24hour"))
_QUARTER, _DAY = 15 * 60, 24 * 3600
_LISTS = {
    "mentions": r"^GET .*/2/users/\d+/mentions\b",
    "timeline": r"^GET .*/2/users/\d+/tweets\b",
    "searches": r"^GET .*/2/tweets/search/recent\b",
    "direct_messages": r"^GET .*/2/dm_events(\?|$)",
}
_SINGLE = {
    "own_account": r"^GET .*/2/users/me\b",
    "post_lookups": r"^GET .*/2/tweets(\?|$)",
    "message_lookups": r"^GET .*/2/dm_events/\d",
    "conversations": r"^GET .*/2/dm_conversations/",
    "usage": r"^GET .*/2/usage/tweets\b",
}
_WRITES = {"replies": r"^POST .*/2/tweets\b", "sent_messages": r"^POST .*/2/dm_conversations/"}


def allowances(settings: XSettings) -> Sequence[Allowance]:
    """Return them all; of the lists, `calls_kept_back` are left to others."""
    found = [Allowance(name, None, _QUARTER, call, _WINDOW, kept=settings.calls_kept_back) for name, call in _LISTS.items()]
    found += [Allowance(name, None, _QUARTER, call, _WINDOW) for name, call in (_SINGLE | _WRITES).items()]
    for name, call in _WRITES.items():
        found += [Allowance(f"{name}_a_day", None, _DAY, call, _USER), Allowance(f"{name}_a_day_of_the_app", None, _DAY, call, _APP)]
    if settings.posts_per_month is not None:
        found.append(Allowance(POSTS, settings.posts_per_month, MONTH, None, kind="month"))
    return found


def seconds_until_reset(headers: Mapping[str, str]) -> float | None:
    """Return how long a call that was refused has to wait: until the last of the limits that it met is renewed."""
    met = [left.seconds for told in (_WINDOW, _USER, _APP) if (left := told(headers)) and left.calls == 0]
    return max((seconds for seconds in met if seconds is not None), default=None)
