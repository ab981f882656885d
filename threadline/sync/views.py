"""What came of a run and of a settings file: the shapes that the engine, the command line, the API and the pages share."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What became of the records read: read = new + changed + unchanged + filtered + dead."""

    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    filtered: int = 0
    dead: int = 0

    @property
    def missing(self) -> int:
        """Records read that are not accounted for; 0 when the ledger balances."""
        return self.read - (self.new + self.changed + self.unchanged + self.filtered + self.dead)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An entry of threadline.yaml that cannot be used; the others can."""

    entry: str
    """Such as "source helpdesk"."""
    message: str
