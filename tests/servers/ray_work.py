"""What Ray's own client does for the tests, run in Ray's environment: a task by name, with JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from ray.job_submission import JobSubmissionClient  # type: ignore[import-not-found]


def submit(client: Any, given: dict[str, Any]) -> str:
    """Submit a job; return its id."""
    submitted: str = client.submit_job(**given)
    return submitted


def stop(client: Any, given: dict[str, Any]) -> bool:
    """Stop a job."""
    stopped: bool = client.stop_job(given["id"])
    return stopped


if __name__ == "__main__":
    address, task, text = sys.argv[1:]
    done = {"submit": submit, "stop": stop}[task](JobSubmissionClient(address), json.loads(text))
    sys.stdout.write(json.dumps(done))
