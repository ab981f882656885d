"""What the health page says of the accounts: what vendors allow them, and until when it lasts."""

from dataclasses import dataclass
from datetime import datetime

from threadline.api.words import duration
from threadline.sync.health import AccountHealth


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """One allowance."""

    name: str
    about: str
    icon: str
    tone: str
    word: str
    calm: bool
    used: int
    allowed: int
    left: int
    kept: int
    share: float
    """Of what may be taken, in percent, what is."""


def account_row(item: AccountHealth, as_of: datetime) -> AccountRow:
    """Put an allowance into words."""
    icon, tone, word = _state(item, as_of)
    allowed = max(item.calls - item.kept, 0)
    renewed = f"renewed in {duration((item.renewed - as_of).total_seconds())}" if item.renewed else "comes back bit by bit"
    return AccountRow(
        name=f"{item.account} {item.allowance}", about=renewed, icon=icon, tone=tone, word=word, calm=item.exhausted is None,
        used=item.used, allowed=allowed, left=item.left, kept=item.kept, share=min(100.0, round(100 * item.used / max(allowed, 1), 1)),
    )  # fmt: skip


def _state(item: AccountHealth, as_of: datetime) -> tuple[str, str, str]:
    if not item.left:
        return "pause", "warn", "Used up"
    if item.exhausted:
        return "warn", "warn", f"Used up in {duration((item.exhausted - as_of).total_seconds())}"
    return "ok", "good", "Lasts"
