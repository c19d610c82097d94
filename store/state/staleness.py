"""Staleness: when it is too late to run a job, and why."""

from __future__ import annotations

from ...job import Job


def is_stale(job: Job, now_ms: int) -> bool:
    """Whether it is too late to run a due job: it has expired, or nobody took it in time."""
    if job.expires_ms is not None and job.expires_ms <= now_ms:
        return True
    return job.grace_ms is not None and job.due_ms + job.grace_ms < now_ms


def why_unrun(job: Job, now_ms: int) -> str:
    """Why a job that has just ended unrun did."""
    if job.expires_ms is not None and job.expires_ms <= now_ms:
        return "it had expired before its turn came"
    return f"nobody took it within {(job.grace_ms or 0) / 1000:,.10g} s after it was due"
