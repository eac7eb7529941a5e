"""The real command on a system that looks names up in a file: `names_app.py FILE ARGUMENTS...`.

FILE is JSON, read at each look-up: `{name: [address, ...]}`. What asks the system, keeps the answers and follows them
is the command's own.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

from proxy.cli.main import main

FILE = Path(sys.argv[1])
SYSTEM = socket.getaddrinfo


def lookup(host: Any, port: Any, *rest: Any, **named: Any) -> list[Any]:
    """As `socket.getaddrinfo`, which still knows addresses and all names that are not in the file."""
    found = json.loads(FILE.read_text()).get(host, [host])
    return [one for address in found for one in SYSTEM(address, port, *rest, **named)]


if __name__ == "__main__":
    socket.getaddrinfo = lookup
    sys.modules["uvloop"] = None  # type: ignore[assignment]  # it asks the system by itself; this is how it is missing
    sys.exit(main(sys.argv[2:]))
