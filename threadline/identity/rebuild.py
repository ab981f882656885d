"""Makes all profiles anew from what records, decisions and matches say: after the rules have changed, or to be sure."""

from threadline.identity.graph import Regrouped, settle
from threadline.identity.neighbourhood import survey
from threadline.identity.rules import Rules
from threadline.model.collector import uncollected
from threadline.store.database import Transaction


def rebuild(transaction: Transaction, rules: Rules, cause: str) -> Regrouped:
    """Regroup everybody who shares anything. Others wait meanwhile: about half a minute for a million records."""
    transaction.lock("identity")
    with uncollected():
        return settle(transaction, survey(transaction, rules), rules, cause)


__all__ = ["rebuild"]
