"""A release says what the changelog says of it, and cannot be made when that is nothing."""

from __future__ import annotations

import pytest

from deploy.release.notes import Disagree, notes

CHANGELOG = """\
# Changelog

## [Unreleased]

- To come.

## [1.2.0] - 2026-11-23

### Added

- A thing.

## [1.1.0] - 2026-10-01

## [1.10.0] - 2026-09-01

- Another thing.
"""


@pytest.mark.parametrize(
    ("version", "text"), [("1.2.0", "### Added\n\n- A thing.\n"), ("1.10.0", "- Another thing.\n")]
)
def test_the_section_of_the_version_is_what_is_told(version: str, text: str) -> None:
    assert notes(f"v{version}", version, CHANGELOG) == text


@pytest.mark.parametrize(
    ("tag", "version", "says"),
    [
        ("v1.2.1", "1.2.0", "the tag is v1.2.1, the version 1.2.0"),
        ("1.2.0", "1.2.0", "the tag is 1.2.0"),
        ("v1.1.0", "1.1.0", "says nothing under '## [1.1.0]"),
        ("v1.3.0", "1.3.0", "says nothing under '## [1.3.0]"),
        ("v1x2.0", "1x2.0", "says nothing"),
    ],
)
def test_what_does_not_fit_is_no_release(tag: str, version: str, says: str) -> None:
    with pytest.raises(Disagree) as refused:
        notes(tag, version, CHANGELOG)
    assert says in str(refused.value)
