"""Shows threadline's pages inside Airflow, to whoever may see plugins' pages there.

Every process of Airflow imports this file; only the API server, on its first request to the pages, builds the app and opens the database.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

PREFIX = "/threadline"


class CurrentReader:
    """Reads threadline.yaml for each question, as the DAGs do: a change of it shows at once."""

    def __getattr__(self, question: str) -> Any:
        from threadline.sync.config import load_config
        from threadline.sync.reader import open_reader

        return getattr(open_reader(load_config()), question)


class Pages:
    """An ASGI app that is built on its first request. Airflow does not guard what it mounts, so that the app guards itself."""

    def __init__(self) -> None:
        self._app: Any = None
        self._building = asyncio.Lock()

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Answer with the app."""
        async with self._building:
            if self._app is None:
                # In a thread: this server also answers running tasks, which must not wait for it.
                self._app = await asyncio.to_thread(build)
        inner = dict(scope)
        # Airflow logs the query of each request that it passes on; a search for a customer stands there.
        scope["query_string"] = b""
        await self._app(inner, receive, send)


def build() -> Any:
    """Build the app, denied to anonymous callers and to accounts that may not see plugins."""
    from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
    from airflow.api_fastapi.core_api.security import requires_access_view

    from threadline.api.app import create_app

    return create_app(CurrentReader(), requires_access_view(AccessView.PLUGINS))


def view(name: str, page: str, destination: str) -> dict[str, Any]:
    """Put a page into Airflow's navigation, or on each DAG's page. Addresses are relative, as Airflow itself may stand under a prefix."""
    return {
        "name": name,
        "href": f"threadline/{page}",
        "icon": f"threadline/static/nav-{page}.svg",
        "destination": destination,
        "url_route": f"threadline-{page}-{destination}",
        "nav_top_level": True,
    }


class ThreadlinePlugin(AirflowPlugin):
    """The pages Sync health and Customers."""

    name = "threadline"
    fastapi_apps: ClassVar[list[dict[str, Any]]] = [{"app": Pages(), "url_prefix": PREFIX, "name": "threadline"}]
    external_views: ClassVar[list[dict[str, Any]]] = [
        view("Sync health", "health", "nav"),
        view("Customers", "customers", "nav"),
        view("Sync health", "health", "dag"),
    ]
