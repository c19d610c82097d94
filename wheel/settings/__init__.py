"""The table of settings, where they are read from, and their names in Celery."""
