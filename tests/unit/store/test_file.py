"""A file for an outbox is private, on a disk of this machine, and sound; what is not is told or moved aside."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.store.file import File, NotUsable, file_system
from proxy.store.repositories import StoreUnavailable

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:36 / /srv/shared rw,relatime shared:9 master:2 - nfs4 server:/export rw
41 22 0:37 / /srv/shared-not rw - tmpfs tmpfs rw
"""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[File]:
    made = File(tmp_path / "state" / "outbox.sqlite3")
    yield made
    made.close()


def test_directory_and_file_are_private(file: File) -> None:
    file.connection()
    assert file.path.parent.stat().st_mode & 0o777 == 0o700
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_what_somebody_else_has_said_about_it_stays(file: File) -> None:
    file.connection()
    file.close()
    file.path.chmod(0o640)
    file.connection()
    assert file.path.stat().st_mode & 0o777 == 0o640


def test_every_commit_is_on_disk(file: File) -> None:
    connection = file.connection()
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA busy_timeout").fetchone() == (5000,)


def test_a_connection_is_kept(file: File) -> None:
    assert file.connection() is file.connection()


def test_a_file_that_was_replaced_is_opened_anew(file: File) -> None:
    first = file.connection()
    file.path.unlink()
    second = file.connection()
    assert second is not first
    assert second.execute("SELECT count(*) FROM event").fetchone() == (0,)


def test_a_corrupt_file_is_moved_aside(file: File, caplog: pytest.LogCaptureFixture) -> None:
    file.path.write_bytes(b"this is no database" * 1000)
    with pytest.raises(sqlite3.DatabaseError) as caught:
        file.connection()
    assert isinstance(file.failed(caught.value), StoreUnavailable)
    (aside,) = file.path.parent.glob("outbox.sqlite3.corrupt-*")
    assert aside.read_bytes().startswith(b"this is no database")
    assert file.connection().execute("SELECT count(*) FROM event").fetchone() == (0,)
    assert "is corrupt" in caplog.text


def test_a_full_disk_is_no_reason_to_move_it(file: File) -> None:
    file.connection()
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    assert "full" in str(file.failed(error))
    assert file.path.exists()


def test_a_file_of_another_version_is_left_alone(file: File) -> None:
    file.connection().execute("PRAGMA user_version = 99")
    file.close()
    with pytest.raises(sqlite3.OperationalError, match="another version"):
        file.connection()
    assert file.path.exists()


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(NotUsable, match="cannot be made"):
        File(tmp_path / "state" / "outbox.sqlite3")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/srv", "ext4"),
        ("/srv/shared", "nfs4"),
        ("/srv/shared/a/b", "nfs4"),
        ("/srv/shared-not", "tmpfs"),
    ],
)
def test_file_systems_are_told_apart(tmp_path: Path, path: str, kind: str) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS)
    assert file_system(Path(path), str(table)) == kind


def test_where_mounts_are_not_known_nothing_is_said(tmp_path: Path) -> None:
    assert file_system(tmp_path, str(tmp_path / "none")) == ""


def test_network_file_systems_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.store.file.file_system", lambda _: "nfs4")
    with pytest.raises(NotUsable, match="network file system"):
        File(tmp_path / "outbox.sqlite3")
