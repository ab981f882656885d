"""Stand-in systems on loopback: `threadline sandbox`, and the demo's five."""

import shlex
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from threadline.cli.exits import until_told
from threadline.cli.output import console, working
from threadline.sdk.errors import ConfigError
from threadline.sdk.registry import connector_class, installed, load_object
from threadline.sync.offered import variable
from threadline.testing.company import Systems, make_company
from threadline.testing.sandbox import Sandbox


def standin(connector: str, folder: Path | None) -> Sandbox:
    """Make a connector's stand-in; ConfigError when it has none, or lacks a package."""
    reference = connector_class(connector).sandbox
    if reference is None:
        raise ConfigError(f"the connector {connector!r} has no stand-in")
    try:
        made: Sandbox = load_object(reference)(folder)
    except ImportError as error:
        raise ConfigError(f"the stand-in of {connector!r} needs {error.name}: pip install 'threadline[sandbox]'") from None
    return made


def run_sandboxes(names: list[str], folder: Path | None, seed: int | None) -> None:
    """Run stand-ins until Ctrl-C."""
    chosen = names or [name for name in installed() if connector_class(name).sandbox]
    with ExitStack() as stack:
        boxes = {name: stack.enter_context(standin(name, folder / name if folder else None)) for name in chosen}
        if seed is not None:
            _fill(boxes, seed)
        # Comments, so that the lines between them can be taken over as they are.
        print("# Stand-ins run on loopback. In threadline.yaml:")
        print("\n".join(_entries(boxes)))
        print("# In the environment:")
        for name, box in boxes.items():
            for field, value in box.secrets.items():
                print(f"export {variable(name, field)}={shlex.quote(value)}")
        sys.stdout.flush()
        console(error=True).print("Ctrl-C ends them.")
        with until_told() as told:
            told.wait()


def _entries(boxes: Mapping[str, Sandbox]) -> list[str]:
    # JSON is YAML, and shows the settings without a writer of our own.
    entries = {name: {"connector": name, "settings": dict(box.settings)} for name, box in boxes.items()}
    return msgspec.json.format(msgspec.json.encode({"sources": entries})).decode().splitlines()


def _fill(boxes: Mapping[str, Sandbox], seed: int) -> None:
    company = make_company(seed, datetime.now(UTC), systems=systems_of(boxes))
    with working("telling the story"):
        for event in company.events:
            if event.system in boxes:
                boxes[event.system].tell(event)


def systems_of(boxes: Mapping[str, Sandbox]) -> Systems:
    """Say which source plays which part in a company; parts that none plays keep their usual names."""
    return Systems(**{box.role: name for name, box in boxes.items()})
