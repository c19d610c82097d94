"""What programs import from Celery's ``contrib``."""
