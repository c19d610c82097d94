"""What happens to tasks as they run, in Celery's words."""
