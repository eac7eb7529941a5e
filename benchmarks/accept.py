"""How connections spread over several processes: one inherited listening socket, or one each with SO_REUSEPORT.

`python -m benchmarks.accept` starts four small asyncio servers on loopback, both ways in turn, and prints for each how
many of 400 kept connections every process has, how many short-lived connections a second it takes, and what becomes of
connections while one process of the four is stopped. It says what a supervisor should do with its listeners, apart from
anything a gateway does with a connection. It ends by itself within a minute.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

PROCESSES = 4
KEPT = 400
SECONDS = 4.0  # of short-lived connections
AT_ONCE = 16  # of these at a time
STOPPED = 80  # connections that are tried while one process is stopped
PATIENCE = 1.0  # seconds for each of these
_ADDRESS = ("127.0.0.1", 0)


def listener(address: tuple[str, int], *, shared: bool) -> socket.socket:
    """A listening socket. :param shared: whether others may listen on the same address (SO_REUSEPORT)."""
    sock = socket.socket()
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(address)
    sock.listen(1024)
    sock.setblocking(False)
    return sock


async def serve(sock: socket.socket) -> None:
    """Tell every connection which process has it, and keep it until its other end closes."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"%d\n" % os.getpid())
        await reader.read()
        writer.close()

    server = await asyncio.start_server(one, sock=sock, backlog=1024)
    await server.serve_forever()


def child(sock: socket.socket) -> int:
    """A process that serves. :returns: its id."""
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        asyncio.run(serve(sock))
        os._exit(0)
    return pid


@contextmanager
def servers(*, shared: bool) -> Iterator[tuple[tuple[str, int], list[int]]]:
    """The processes. :returns: where they listen, and their ids."""
    first = listener(_ADDRESS, shared=shared)
    address: tuple[str, int] = first.getsockname()
    sockets = [first, *(listener(address, shared=True) for _ in range(PROCESSES - 1) if shared)]
    pids = [child(sockets[index % len(sockets)]) for index in range(PROCESSES)]
    for sock in sockets:
        sock.close()  # the processes have them
    try:
        time.sleep(1.0)  # until all of them accept
        yield address, pids
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def spread(address: tuple[str, int], pids: list[int]) -> list[int]:
    """How many of the kept connections each process has."""
    with ExitStack() as stack:
        socks = [stack.enter_context(socket.create_connection(address, 10)) for _ in range(KEPT)]
        counted = Counter(int(sock.recv(32)) for sock in socks)
    return sorted((counted[pid] for pid in pids), reverse=True)


async def rate(address: tuple[str, int]) -> float:
    """Short-lived connections a second."""
    end, done = time.monotonic() + SECONDS, 0

    async def client() -> None:
        nonlocal done
        while time.monotonic() < end:
            reader, writer = await asyncio.open_connection(*address)
            await reader.readline()
            writer.close()
            await writer.wait_closed()
            done += 1

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    return done / SECONDS


def unanswered(address: tuple[str, int], victim: int) -> int:
    """How many connections get nothing while one process is stopped."""
    os.kill(victim, signal.SIGSTOP)
    try:
        with ExitStack() as stack:
            socks = [stack.enter_context(socket.create_connection(address, PATIENCE)) for _ in range(STOPPED)]
            end = time.monotonic() + PATIENCE
            return sum(not _answers(sock, end) for sock in socks)
    finally:
        os.kill(victim, signal.SIGCONT)


def _answers(sock: socket.socket, end: float) -> bool:
    sock.settimeout(max(0.01, end - time.monotonic()))
    try:
        return bool(sock.recv(32))
    except TimeoutError:
        return False


def main() -> int:
    """Print the table."""
    print(f"{'':14}{f'{KEPT} kept connections':28}{'short-lived/s':>14}{f'  lost of {STOPPED}, one stopped':>28}")
    for name, shared in (("inherited", False), ("SO_REUSEPORT", True)):
        with servers(shared=shared) as (address, pids):
            kept = " ".join(map(str, spread(address, pids)))
            print(f"{name:14}{kept:28}{asyncio.run(rate(address)):14.0f}{unanswered(address, pids[0]):28}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
