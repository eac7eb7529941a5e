"""`python -m proxy.cli.worker`: what a supervisor starts. Not a subcommand: nobody types the descriptors it needs."""

from __future__ import annotations

import signal
import sys

from proxy.cli.collector import spare_start
from proxy.cli.logs import log_to_stderr

# A terminal and a service manager tell every process of a group. What is to be done the supervisor says, so that
# requests under way are not cut.
_OF_THE_GROUP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


def main() -> int:
    """Be a worker until told to end."""
    for number in _OF_THE_GROUP:
        signal.signal(number, signal.SIG_IGN)
    spare_start()
    log_to_stderr("info", process=True)
    from proxy.server.worker import main as work

    return work(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
