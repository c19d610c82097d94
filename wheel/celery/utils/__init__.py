"""What programs import from Celery's ``utils``."""

from .uuids import gen_unique_id, uuid

__all__ = ["gen_unique_id", "uuid"]
