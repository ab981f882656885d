"""Ways to find what is new in a source, each with the completeness that it promises (docs: connectors).

A stream declares its kind, `Stream(..., cursor=Window("changed_at"))`, and the connector's `pull` hands the kind's `scan`
a function that reads one page. The scan decides what is read, and where each page's cursor stands: whatever page was the
last to be saved, the next scan loses nothing. Each scan first finishes the one that was broken off, then makes its own.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from threadline.sdk.cursors.keyset import KeyOrder, Position, Rows, Span, Window
    from threadline.sdk.cursors.newest_first import Below, ForgottenError, Listing, NewestFirst
    from threadline.sdk.cursors.offsets import Offsets, Slice, Sliced
    from threadline.sdk.cursors.opaque import Following, Opaque
    from threadline.sdk.cursors.saved import foreign_cursor
    from threadline.sdk.cursors.uids import Before, Noticed, Numbered, Uids

__all__ = [
    "Before",
    "Below",
    "Following",
    "ForgottenError",
    "KeyOrder",
    "Listing",
    "NewestFirst",
    "Noticed",
    "Numbered",
    "Offsets",
    "Opaque",
    "Position",
    "Rows",
    "Slice",
    "Sliced",
    "Span",
    "Uids",
    "Window",
    "foreign_cursor",
]

_HOMES = {
    "keyset": ("KeyOrder", "Position", "Rows", "Span", "Window"),
    "newest_first": ("Below", "ForgottenError", "Listing", "NewestFirst"),
    "offsets": ("Offsets", "Slice", "Sliced"),
    "opaque": ("Following", "Opaque"),
    "saved": ("foreign_cursor",),
    "uids": ("Before", "Noticed", "Numbered", "Uids"),
}


def __getattr__(name: str) -> Any:
    """Import the kind that is asked for when it is asked for (PEP 562): a connector needs one or two."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
