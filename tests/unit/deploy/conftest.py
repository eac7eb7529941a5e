"""What holds for the tests of what is deployed.

jsonschema looks for a library of IRIs' syntax when it is imported, and that one compiles some forty grammars, for four
seconds in every process of a run. No schema here asks for an IRI.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # how Python spells "there is none"
