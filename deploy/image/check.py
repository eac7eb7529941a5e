"""Build the image without a container engine, start it, and look whether it keeps what it promises.

`make image-test` runs this. Debian's buildah builds it (chroot isolation, the host's network) on a base made by
debootstrap, unless BASE_IMAGE names another one, and starts it the same way. What chroot isolation lacks is then made
with unshare: a process table of its own, in which the command is process 1, and a root file system that is read-only.

Where root, a tool or the base cannot be had it says so in a line that begins `image-test: skipped`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).parents[2]
IMAGE = "passerelle:test"
BASE = "localhost/passerelle-base:bookworm"
STATE = "/var/lib/passerelle"
CONFIG = "/etc/passerelle/passerelle.yaml"

TOOLS = ("buildah", "unshare", "mount", "chroot", "tar")
PACKAGES = "python3,python3-venv,ca-certificates"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"  # this machine's, for the build only, unless CA_BUNDLE names others
SOURCE = "https://example.com/passerelle"
PATIENCE = 60.0  # seconds for anything that is waited for
IN_TIME = 10.0  # seconds from TERM to the end, with nothing under way

SECRET = f"whsec_{'A' * 32}"  # of a webhook that nobody hears
SETTINGS = """\
listen: [http://127.0.0.1:{port}]
admin: {{listen: http://127.0.0.1:{admin}}}
state: {state}
workers: {workers}
plugins:
  - request_id
  - webhook:
      endpoints:
        - {{id: nobody, url: http://127.0.0.1:9, secret: {secret}, allow_private: true}}
  - events
routes: [{{name: all, plugins: {{respond: {{status: 200, body: {body}}}}}}}]
"""

# Runs in the image as its user: every directory that it could write to, one a line.
WRITABLE = """\
import os
for folder, folders, _ in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in ("/proc", "/sys", "/dev")]
    if os.access(folder, os.W_OK): print(folder)
"""
TRIES = """\
import os, sys
refused = 0
for place in sys.argv[1:]:
    try: open(os.path.join(place, "written"), "w").close()
    except OSError: refused += 1
print(refused)
"""


class Skipped(Exception):
    """It cannot be tried here; the words say why."""


class Failed(Exception):
    """The image does not keep a promise."""


def say(text: str) -> None:
    """One line of the report."""
    print(f"image-test: {text}", flush=True)


def holds(what: str, found: object, wanted: object = True) -> None:
    """Report that something is so. :raises Failed: when it is not."""
    if found != wanted:
        raise Failed(f"{what}: {found!r}, not {wanted!r}")
    say(f"{what}: yes" if wanted is True else f"{what}: {found}")


def output(*command: str, **options: Any) -> str:
    """What a command writes. :raises Failed: with what it said, when it fails."""
    done = subprocess.run(  # noqa: S603 (commands of this file only)
        command, check=False, capture_output=True, text=True, **options
    )
    if done.returncode:
        raise Failed(f"{' '.join(command[:4])}: {done.returncode}: {done.stderr.strip()[-800:]}")
    return str(done.stdout).strip()


def code(*command: str) -> int:
    """The exit code of a command."""
    return subprocess.run(command, check=False, capture_output=True).returncode  # noqa: S603 (as above)


def until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> float:
    """Wait for something, and tell how long it took. :raises Failed: when it takes too long."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise Failed(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.05)
    return time.monotonic() - began


# what is built


def prepared() -> str:
    """The base image's name. :raises Skipped: when something is missing to make it, or to go on at all."""
    if os.geteuid() != 0:
        raise Skipped("root is needed to build and start without a container engine")
    base = os.environ.get("BASE_IMAGE", "")
    tools = TOOLS if base else (*TOOLS, "debootstrap")
    if missing := [tool for tool in tools if shutil.which(tool) is None]:
        raise Skipped(f"missing here: {', '.join(missing)} (apt install buildah debootstrap util-linux)")
    if code("unshare", "--mount", "--pid", "--fork", "true"):
        raise Skipped("namespaces cannot be made here")
    if not base and code("buildah", "inspect", "--type", "image", BASE):
        make_base()
    return base or BASE


def make_base() -> None:
    """A Debian with Python, in the local store. :raises Skipped: when its packages cannot be fetched."""
    say("making a base image by debootstrap")
    with tempfile.TemporaryDirectory() as place:
        tree = Path(place, "tree")
        command = ("debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(tree))
        done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 (a fixed command)
        if done.returncode:
            raise Skipped(f"debootstrap ended with {done.returncode}: {done.stdout.strip()[-200:]}")
        for kept in (tree / "var/cache/apt/archives", tree / "var/lib/apt/lists"):
            shutil.rmtree(kept, ignore_errors=True)
        (tree / "etc/resolv.conf").unlink(missing_ok=True)
        container = output("buildah", "from", "scratch")
        output("buildah", "add", "--quiet", container, str(tree), "/")
        output("buildah", "commit", "--quiet", "--rm", container, BASE)


def build(base: str) -> None:
    """Build it as `make image` does, and print its size."""
    given = {
        "BUILDER": "buildah",
        "BASE_IMAGE": base,
        "CA_BUNDLE": os.environ.get("CA_BUNDLE") or (AUTHORITIES if Path(AUTHORITIES).is_file() else ""),
        "SOURCE": SOURCE,
        "BUILD_ARGUMENTS": "--isolation chroot --network host --pull-never --quiet",
    }
    told = output(str(ROOT / "deploy/image/build.sh"), IMAGE, env={**os.environ, **given})
    say(told.splitlines()[-1])


# what it is


def promises() -> dict[str, Any]:
    """Check what the image says of itself. :returns: its configuration."""
    config: dict[str, Any] = json.loads(output("buildah", "inspect", "--type", "image", IMAGE))["Docker"]["config"]
    holds("its user is a number, and not root", config["User"], "65532:65532")
    holds("its health is told by the command", config["Healthcheck"]["Test"], ["CMD", "passerelle", "status"])
    holds("its state is a volume", list(config["Volumes"]), [STATE])
    labels = config["Labels"]
    commit = output("git", "-C", str(ROOT), "rev-parse", "HEAD")
    holds("it is labelled with its commit", labels["org.opencontainers.image.revision"], commit)
    holds("it is labelled with where its sources are", labels["org.opencontainers.image.source"], SOURCE)
    return config


def inside(container: str, *command: str) -> list[str]:
    """Run something in the image as its user."""
    return ["buildah", "run", "--isolation", "chroot", container, "--", *command]


def contents(container: str) -> None:
    """Check what is in it, and what is not."""
    version = output(*inside(container, "passerelle", "--version"))
    commit = output("git", "-C", str(ROOT), "rev-parse", "HEAD")
    holds("the command tells version and commit", commit[:12] in version)
    holds("it runs as", output(*inside(container, "id", "-u")), "65532")
    for tool in ("gcc", "cc", "pip", "pip3", "/opt/passerelle/bin/pip"):
        holds(f"it has no {tool}", code(*inside(container, "sh", "-c", f"command -v {tool}")) != 0)
    tree = Path(output("buildah", "mount", container))
    left = [name for name in ("root/.cache", "wheels", "dist", "src", "tools") if (tree / name).exists()]
    holds("what is left of the build", left, [])
    folders = set(output(*inside(container, "/opt/passerelle/bin/python", "-c", WRITABLE)).splitlines())
    holds("where it may write", sorted(folders - {"/tmp", "/var/tmp", "/run/lock"}), [STATE])  # noqa: S108 (compared)


# how it runs


class Started:
    """The image as a running process, with its configuration and state in a directory of this test."""

    def __init__(self, place: Path, workers: int) -> None:
        self.place = place
        self.port, self.admin = free_ports()
        self.workers = workers
        self.state = place / "state"
        self.state.mkdir(mode=0o700)
        os.chown(self.state, 65532, 65532)
        self.config = place / "passerelle.yaml"
        self.configure("hello")

    def configure(self, body: str) -> None:
        """Write its configuration, in place: it is mounted."""
        told = {"port": self.port, "admin": self.admin, "state": STATE, "workers": self.workers, "body": body}
        self.config.write_text(SETTINGS.format(**told, secret=SECRET))

    def answers(self, body: str) -> bool:
        """Whether a request is answered so."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as answer:
                return bool(answer.read().decode() == body)
        except (URLError, OSError):
            return False


def free_ports() -> tuple[int, int]:
    """Two that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


def main_process(launcher: int) -> int:
    """The gateway's first process, which is the first Python of the image's user below the launcher; 0: none yet."""
    below = [launcher]
    for pid in below:
        try:
            if os.stat(f"/proc/{pid}").st_uid == 65532 and "python" in os.readlink(f"/proc/{pid}/exe"):
                return pid
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                below += map(int, children.read_text().split())
        except OSError:
            continue
    return 0


@contextmanager
def running(started: Started, command: list[str]) -> Iterator[int]:
    """Start it, and give the number of its first process; at the end it has to stop on TERM, in time, with 0."""
    with open(started.place / "log", "wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603 (as above)
    try:
        until(lambda: started.answers("hello") or process.poll() is not None, "it answers a request")
        if process.poll() is not None:
            raise Failed(f"it ended: {(started.place / 'log').read_text()[-1500:]}")
        holds("it answers a request", started.answers("hello"))
        pid = main_process(process.pid)
        yield pid
        os.kill(pid, signal.SIGTERM)
        took = until(lambda: process.poll() is not None, "it stops on TERM", IN_TIME)
        say(f"it stops on TERM: in {took:.1f} s")
        holds("its exit code", process.returncode, 0)
    finally:
        if process.poll() is None:
            if pid := main_process(process.pid):
                os.kill(pid, signal.SIGKILL)
            process.kill()
            process.wait()


def by_buildah(container: str, place: Path) -> None:
    """Start it by what built it."""
    say("started by buildah, in a chroot")
    started = Started(place, workers=1)
    volumes = ("--volume", f"{started.config}:{CONFIG}:ro")  # that for the state it makes by itself
    run = inside(container, "passerelle", "serve")
    run[2:2] = volumes
    status = inside(container, "passerelle", "status")
    status[2:2] = volumes
    with running(started, run) as pid:
        holds("its user while it runs", Path(f"/proc/{pid}").stat().st_uid, 65532)
        holds("its health check while it runs", code(*status), 0)
        until(Path(f"/proc/{pid}/root{STATE}/webhooks.sqlite3").is_file, "its state is in the volume")
        say("its state is in the volume: yes")
    holds("its health check afterwards", code(*status), 1)


def as_process_one(container: str, config: dict[str, Any], place: Path) -> None:
    """Start it as process 1 on a read-only root, with two workers."""
    say("started by unshare: process 1, on a read-only root")
    started = Started(place, workers=2)
    tree = output("buildah", "mount", container)
    mounts = f"""set -eu
mount --make-rprivate /
mount --bind {tree} {tree}
mount -t proc proc {tree}/proc
mount --bind /dev {tree}/dev
mount --bind {started.state} {tree}{STATE}
mount --bind {started.config} {tree}{CONFIG}
mount -o remount,bind,ro {tree}{CONFIG}
mount -o remount,bind,ro {tree}
exec chroot --userspec={config["User"]} {tree} /usr/bin/env -i {" ".join(config["Env"])} \\
    sh -c 'cd {config["WorkingDir"]} && exec "$@"' sh {" ".join([*config["Entrypoint"], *config["Cmd"]])}
"""
    launcher = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", mounts]
    with running(started, launcher) as pid:
        status = Path(f"/proc/{pid}/status").read_text()
        holds("its number in its own process table", status.split("NSpid:")[1].split()[1], "1")
        written = ("nsenter", "--target", str(pid), "--mount", "--root", "--setuid", "0", "--setgid", "0", "--")
        places = ("/", "/etc/passerelle", "/opt/passerelle", "/tmp", "/var/lib", STATE)  # noqa: S108 (tried, not used)
        until((started.state / "webhooks.sqlite3").is_file, "its state is what was mounted")
        say("its state is what was mounted: yes")
        refused = output(*written, "/opt/passerelle/bin/python", "-c", TRIES, *places)
        holds("places outside its state that refuse even root", refused, str(len(places) - 1))
        started.configure("again")
        os.kill(pid, signal.SIGHUP)
        until(lambda: all(started.answers("again") for _ in range(20)), "every worker reloads on HUP")
        say("every worker reloads on HUP: yes")


def main() -> int:
    """Try it all; 0 when everything holds, or cannot be tried here."""
    began = time.monotonic()
    try:
        build(prepared())
        config = promises()
        container = output("buildah", "from", "--pull-never", IMAGE)
        try:
            contents(container)
            with tempfile.TemporaryDirectory() as place:
                for name in ("one", "two"):
                    Path(place, name).mkdir()
                os.chmod(place, 0o755)  # noqa: S103 (the image's user has to get through)
                by_buildah(container, Path(place, "one"))
                as_process_one(container, config, Path(place, "two"))
        finally:
            output("buildah", "rm", container)
    except Skipped as reason:
        say(f"skipped: {reason}")
        return 0
    except Failed as reason:
        say(f"FAILED: {reason}")
        return 1
    say(f"passed in {time.monotonic() - began:.0f} s; the image is {IMAGE} in the local store")
    return 0


if __name__ == "__main__":
    sys.exit(main())
