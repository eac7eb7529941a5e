"""`python -m benchmarks.regress`: instructions for a request on fixed paths, held against what is recorded.

A path that takes over 5 % more than `regress.json` says fails. What makes it longer on purpose raises the recorded
count in the same commit, with the reason: `--write --reason "..."`. Where another build of Python counts, the tree of
the commit that recorded the counts is counted as well and stands in for them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.baseline import FILE, Baseline, NoReason, rows
from benchmarks.callgrind import CountFailed, build_of_python, count, missing
from benchmarks.paths import BARS, PATHS

_ROOT = Path(__file__).parent.parent
EXIT_FINE, EXIT_GREW, EXIT_USAGE = 0, 1, 2


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    names = [path.name for path in PATHS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regress", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)}")
    parser.add_argument("--write", action="store_true", help="record the counts; what grew needs a reason")
    parser.add_argument("--reason", default="", help="why paths take more than before")
    chosen = parser.parse_args(argv)
    chosen.names = [name for name in names if not chosen.only or name in chosen.only]
    return chosen


def say(line: str) -> None:
    """Print at once: counting takes a minute."""
    print(line, flush=True)


def recorded_tree(root: Path, directory: Path) -> str | None:
    """Put the tree that the recorded counts are of into `directory` and return its commit; None when git lacks it.

    :param root: a working tree.
    """
    try:
        asked = ["git", "log", "-1", "--format=%H", "--", f"benchmarks/{FILE.name}"]
        commit = subprocess.run(asked, cwd=root, capture_output=True, text=True, check=True).stdout.strip()
        if not commit:
            return None
        packed = ["git", "archive", "--format=tar", commit]
        archive = subprocess.run(packed, cwd=root, capture_output=True, check=True).stdout
        # by the program: the module has no safe way to unpack before Python 3.11.4, which Debian 12 does not have
        subprocess.run(["tar", "-xf", "-", "-C", str(directory)], input=archive, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit[:12]


def before(baseline: Baseline, build: Mapping[str, str], names: Sequence[str]) -> Mapping[str, int] | None:
    """The counts to compare with: the recorded ones, or those of the recorded tree by this build of Python.

    None, said why, when there are none.

    :raises CountFailed: when that tree cannot be counted.
    """
    if baseline.holds_for(build):
        return {name: known.instructions for name, known in baseline.paths.items()}
    other = [
        f"{key} is {build[key]}, not {baseline.build.get(key)}"
        for key in build
        if build[key] != baseline.build.get(key)
    ]
    say(f"the recorded counts are of another build of Python: {'; '.join(other)}")
    with TemporaryDirectory(prefix="passerelle-recorded-") as where:
        commit = recorded_tree(_ROOT, Path(where))
        if commit is None:
            say("NOT COMPARED: git has not the commit that recorded them")
            return None
        say(f"counting the tree that they are of, {commit}, by this build")
        return count(Path(where), [name for name in names if name in baseline.paths])


def remarks(counts: Mapping[str, int]) -> list[str]:
    """What the paths cost beside each other, where there is a bar for it."""
    lines = []
    for name, against, most in BARS:
        if name in counts and against in counts:
            found = counts[name] / counts[against]
            lines.append(
                f"{'met' if found <= most else 'MISSED'}: {name} is {found:.3f} of {against}, at most {most:g}"
            )
    return lines


def compare(baseline: Baseline, build: Mapping[str, str], names: Sequence[str], counts: Mapping[str, int]) -> int:
    """Print the table and return the exit code.

    :raises CountFailed: see `before`.
    """
    earlier = before(baseline, build, names)
    compared = rows(counts, earlier or {})
    for row in compared:
        say(row.line() if earlier is not None else f"{row.name:<16} {row.instructions:>10,}")
    for line in remarks(counts):
        say(line)
    bad = [row.name for row in compared if row.bad]
    if earlier is None or not bad:
        return EXIT_FINE
    say(f"{', '.join(bad)}: shorten what grew, or record it with its reason:")
    say('    python -m benchmarks.regress --write --reason "..."')
    return EXIT_GREW


def record(
    baseline: Baseline, build: Mapping[str, str], counts: Mapping[str, int], reason: str, file: Path = FILE
) -> int:
    """Write the counts into `file` and return the exit code."""
    if len(counts) < len(PATHS) and not baseline.holds_for(build):
        say("the recorded counts are of another build of Python: record all paths at once")
        return EXIT_USAGE
    present = {path.name for path in PATHS}
    kept = Baseline(baseline.build, {name: known for name, known in baseline.paths.items() if name in present})
    try:
        kept.renewed(build, counts, reason).write(file)
    except NoReason as error:
        say(f"{error}, with --reason")
        return EXIT_USAGE
    say(f"recorded in {file.name}")
    return EXIT_FINE


def main(argv: Sequence[str] | None = None) -> int:
    """Count, compare or record; the exit code is 1 when a path grew or could not be counted."""
    chosen = arguments(argv)
    if (reason := missing()) is not None:
        say(f"NOT COUNTED: {reason}")
        return EXIT_FINE
    baseline, build = Baseline.read(), build_of_python()
    try:
        counts = count(_ROOT, chosen.names)
        if chosen.write:
            return record(baseline, build, counts, chosen.reason)
        return compare(baseline, build, chosen.names, counts)
    except CountFailed as error:
        say(f"FAILED: {error}")
        return EXIT_GREW


if __name__ == "__main__":
    sys.exit(main())
