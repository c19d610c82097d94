"""What is done about a store that was damaged, or edited by hand."""

from .damage import Damage
from .document import EditRefused
from .edit import Accepted, accept_edit
from .glance import Glance, glance, is_large
from .restore import Repaired, repair, survey
from .salvage import Salvage

__all__ = [
    "Accepted",
    "Damage",
    "EditRefused",
    "Glance",
    "Repaired",
    "Salvage",
    "accept_edit",
    "glance",
    "is_large",
    "repair",
    "survey",
]
