"""`threadline drift`."""

from threadline.cli.context import CONFIG
from threadline.cli.output import print_json, print_table
from threadline.store.database import open_database
from threadline.sync import dead
from threadline.sync.drift import accept, drifts


def show_drift(source: str | None, stream: str | None, field: str | None, *, json: bool) -> None:
    """Print what has drifted and was not accepted, with a record that shows it."""
    config = CONFIG.load(entries=False)
    with open_database(config.database, create=False) as database, database.read() as transaction:
        found = [one for one in drifts(transaction, source) if stream in (None, one.stream) and field in (None, one.field)]
    if source and not found:
        # Nothing to tell is good news only of a source that is one.
        CONFIG.load().source(source)
    if json:
        print_json(found)
        return
    rows = [(f"{one.source}.{one.stream}", one.field, one.state, one.type, one.first_seen, one.example) for one in found]
    columns = ["stream", "field", "what", "type", "first seen", "example"]
    print_table(columns, rows, prose=["stream", "field", "example"], empty="nothing has drifted")


def accept_drift(source: str, stream: str | None, field: str | None, *, json: bool) -> None:
    """Take drifted fields for known, and tell of the records that were refused for them."""
    config = CONFIG.load(entries=False)
    with open_database(config.database, create=False) as database, database.write() as transaction:
        accepted = accept(transaction, source, stream, field)
        refused = len([one for one in dead.letters(transaction, source) if one.site == "drift" and stream in (None, one.stream)])
    if json:
        print_json({"accepted": accepted, "refused": refused})
        return
    print(f"{accepted:,} accepted")
    if refused:
        print(f"{refused:,} records were refused for drift: `threadline dead replay --source {source} --reason drift` maps them")
