"""Loggers of tasks."""

from __future__ import annotations

import logging


def get_logger(name: str) -> logging.Logger:
    """A logger by its name."""
    return logging.getLogger(name)


def get_task_logger(name: str) -> logging.Logger:
    """A logger for a module of tasks; below "celery.task", as in Celery, so that one handler serves all."""
    logger = logging.getLogger(name)
    if logger.parent is logging.root and name not in ("celery", "celery.task"):
        logger.parent = logging.getLogger("celery.task")
    return logger
