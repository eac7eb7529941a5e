"""Files beside the YAML whose text is part of what is served: sources of plugins, and templates of error pages.

They are told apart by their text, so that the revision is another one when one of them has changed. Values that
`${file:…}` names stand in the settings themselves; certificates and keys are not among these, since they are renewed
while one configuration is served.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from proxy.settings.models import Settings


def texts(settings: Settings) -> dict[Path, str]:
    """A digest of each file's text, by path; `""` for one that cannot be read, of which whoever needs it will tell."""
    plugins = {plugin.file for plugin in settings.named_plugins if plugin.file is not None}
    return {file: _digest(file) for file in sorted(plugins | set(settings.error_files))}


def _digest(file: Path) -> str:
    try:
        if not file.is_file():  # nobody would ever write into a pipe
            return ""
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""
