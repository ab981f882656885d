"""The command line: `threadline COMMAND`."""

import gc
import os
import sys


def main() -> None:
    """Run the command line; errors end it with one message and an exit code that means something (`threadline.cli.exits`)."""
    # Imports make many objects and no garbage: they need not be searched for some every 700 objects, nor when all ends.
    gc.set_threshold(200_000)
    # To find plugins of pydantic, which nothing here uses, the metadata of every package is read.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    import io
    import logging

    from threadline.cli.exits import explained, interruptible

    interruptible()
    from threadline.cli.commands import app
    from threadline.sdk.shelf import SHELF, cache_folder

    SHELF.folder = cache_folder()

    debug = bool(os.environ.get("THREADLINE_DEBUG"))
    if not debug:
        # What libraries have to say is no message of ours, and may quote a record.
        logging.getLogger().addHandler(logging.NullHandler())
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal or a pipe that cannot show a sign is no reason to fail.
            stream.reconfigure(errors="replace")
    code = explained(app, debug=debug)
    if "_duckdb" not in sys.modules:  # it complains of what it does not see collected
        gc.freeze()
    sys.exit(code)
