"""X's ids: numbers that hold the moment they were given out (https://docs.x.com/fundamentals/x-ids)."""

SNOWFLAKE_EPOCH = 1_288_834_974.657
"""Epoch seconds at which X's ids begin; an id holds its milliseconds since then above 22 lower bits."""


def id_at(epoch_seconds: float) -> int:
    """Return the least id of a moment."""
    return max(0, int((epoch_seconds - SNOWFLAKE_EPOCH) * 1000)) << 22
