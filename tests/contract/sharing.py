"""Connectors that share a store with others, as the engine has them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from cryptography.fernet import Fernet

from threadline.sdk import Connector
from threadline.sync.budget import SharedBudget
from threadline.sync.tokens import SharedTokens

C = TypeVar("C", bound=Connector[Any])
KEY = Fernet.generate_key().decode()


@contextmanager
def shared(connector: C, folder: Path) -> Iterator[C]:
    """Let a connector that has made no call yet share its calls and tokens with all others of its kind."""
    url = f"sqlite:///{folder}/store.db"
    budget = SharedBudget(url, connector.name, connector.allowances())
    connector.budget, connector.tokens = budget, SharedTokens(url, connector.name, KEY)
    with closing(budget):
        yield connector
