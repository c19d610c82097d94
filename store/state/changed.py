"""What a retry changes of its job, beside the time."""

from __future__ import annotations

from typing import Any

from ...job import Job, Retried


def changed(job: Job, asked: Retried) -> Job:
    """The job as its next attempt finds it.

    Arguments that are given anew are all of them: what the job waited for, and was given in front, is not given again.
    """
    changes: dict[str, Any] = {
        name: value for name in ("queue", "priority", "expires_ms") if (value := getattr(asked, name)) is not None
    }
    if asked.payload is not None:
        changes["payload"] = asked.payload
        if job.after is not None:
            changes["after"] = job.after._replace(gives="nothing")
    return job._replace(**changes) if changes else job
