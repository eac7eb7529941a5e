"""`python -m proxy.cli.worker`: what a supervisor starts. Not a subcommand: nobody types the descriptors it needs."""

from __future__ import annotations

import sys

from proxy.cli.logs import log_to_stderr


def main() -> int:
    """Be a worker until told to end."""
    log_to_stderr("info")
    from proxy.server.worker import main as work

    return work(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
