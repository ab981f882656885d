"""Ratings on scales of any kind, made comparable."""


def normalize_rating(rating: float | None, lowest: float | None, highest: float | None) -> float | None:
    """Return where a rating stands on its scale, from 0 to 1; None without a rating or a scale, ValueError for one that is not on it."""
    if rating is None or lowest is None or highest is None:
        return None
    if not lowest <= rating <= highest or lowest == highest:
        raise ValueError(f"a rating of {rating:g} is not on a scale from {lowest:g} to {highest:g}")
    return (rating - lowest) / (highest - lowest)
