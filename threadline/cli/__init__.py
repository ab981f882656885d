"""The command line: `threadline COMMAND`."""

import os
import sys


def main() -> None:
    """Run the command line; errors end it with one message and an exit code that means something (`threadline.cli.exits`)."""
    from threadline.cli.exits import explained, interruptible

    interruptible()
    from threadline.cli.commands import app

    debug = bool(os.environ.get("THREADLINE_DEBUG"))
    sys.exit(explained(app, debug=debug))
