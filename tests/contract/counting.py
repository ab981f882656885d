"""Connectors whose calls are counted in a store, as the engine has them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from threadline.sdk import Connector
from threadline.sync.budget import SharedBudget

C = TypeVar("C", bound=Connector[Any])


@contextmanager
def counted(connector: C, folder: Path) -> Iterator[C]:
    """Let a connector that has made no call yet share a store's counts with all others of its kind."""
    budget = SharedBudget(f"sqlite:///{folder}/store.db", connector.name, connector.allowances())
    connector.budget = budget
    with closing(budget):
        yield connector
