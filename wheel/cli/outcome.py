"""Exit statuses, and the error whose message is printed as it is.

0   yes: done, or true
1   no: no such job, not cancelled, not sound
2   no answer: wrong usage, no such store, a store that cannot be read

"No" differs from "no answer" so that a script does not mistake a damaged store for a job that does not exist.
"""

from __future__ import annotations

from typing import Final

YES: Final = 0
NO: Final = 1
WRONG: Final = 2
BUG: Final = 70
INTERRUPTED: Final = 130
READER_GONE: Final = 141


class CommandError(Exception):
    """The command cannot be run. The message says why, and what to do."""
