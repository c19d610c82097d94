"""How a command ends: the exit statuses, and the one error that is shown to the user as it is.

0   yes: it was done, it is so
1   no: no such job, not cancelled, not sound
2   it could not be answered: wrong use, no store there, a store that cannot be read

"No" and "cannot say" are kept apart so that a script never takes a damaged store for a job that does not exist.
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
    """The command cannot be carried out; the message says why, and what to do about it."""
