"""Vertex AI: custom jobs, hyperparameter tuning jobs and pipelines of a project, with their labels.

Custom and tuning jobs can be listed by when they were made, pipelines also by when they changed: a
night asks for these, for what runs, and for what was not over the last time. Google copies a job's
labels to the lines of its bill; where the detailed export names the job itself, what it cost is its
own. A pipeline's tasks name the custom jobs that ran them, and the data that they read and wrote.

Commands, arguments, environments and errors may hold secrets and are not copied.

Verified against answers written by the types of Google's own client (google-cloud-aiplatform 2.7),
served by the tests; not against Google itself, nor with a bill that names a job.
Source: https://docs.cloud.google.com/vertex-ai/docs/reference/rest
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final

from connectors.base import SourceError
from connectors.platforms import ABSENT, days_of, moment, objects, opened
from connectors.run_changes import changes
from connectors.vertex_answers import JOBS, KINDS, record_of, trials_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Delivery, Known, Table
    from connectors.http import Answer, JsonService
    from connectors.platforms import Json
    from connectors.run_changes import Record
    from connectors.vertex_answers import Kind

_log = logging.getLogger(__name__)
_WHERE = "[connectors.vertex]"
_LOOPBACK = ("http://127.0.0.1:", "http://localhost:")
_SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)
_NAMED = re.compile(r"projects/[^/]+/locations/(?P<region>[a-z0-9-]+)/(?P<kind>[A-Za-z]+)/[^/]+")
_UNKNOWN_TO_US, _DENIED = 401, 403


@dataclass(frozen=True, slots=True)
class Vertex:
    """Vertex AI in one project, with the credentials that Google's library finds."""

    project: str
    """The project's id or number."""
    regions: tuple[str, ...]
    """Regions to look at, such as `us-central1`; each has an address of its own."""
    endpoint_url: str = ""
    """Another address than Google's own, for all regions."""
    overlap_days: int = 1
    """What was made or changed in the days before the last extraction is read again."""
    rescan_days: int = 35
    """How far back late edits of labels are looked for."""
    rescan_every_days: int = 7
    """How often that is done."""
    backfill_days: int = 400
    """Days to look back on the first night; 0: to the first job."""
    timeout_seconds: int = 120
    """How long one request may take."""

    name: ClassVar[str] = "vertex"
    tables: ClassVar[Sequence[Table]] = (JOBS,)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield the jobs that are new, changed or not over.

        Raises: SourceError
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield what there is to deliver at the time `at`."""
        back = (self.overlap_days, self.rescan_days, self.rescan_every_days, self.backfill_days)
        days = days_of(*back, kind=self.name)
        self.check()
        jobs = _Jobs(self, _Account())
        try:
            yield from changes(JOBS, jobs, known, at, days)
        finally:
            jobs.close()

    def check(self) -> None:
        """Refuse settings that contradict each other.

        Raises: SourceError
        """
        if not self.regions or not all(re.fullmatch("[a-z0-9-]+", one) for one in self.regions):
            raise SourceError(
                "regions names none, or one that cannot be",
                where=_WHERE,
                fix='write them as Google does: regions = ["us-central1"]',
            )
        if self.endpoint_url and not self.endpoint_url.startswith(("https://", *_LOOPBACK)):
            raise SourceError(
                "endpoint_url is not https, and credentials would be sent in the open",
                where=_WHERE,
                fix="write https://",
            )


class _Account:
    """Who asks, as Google's library knows it."""

    def headers(self) -> dict[str, str]:
        """Return what tells Google who asks, and whose quota it is.

        Raises: SourceError where Google does not know us.
        """
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415 - loads a cloud
        from google.auth.transport.requests import Request  # noqa: PLC0415 - loads a cloud

        try:
            if not self._credentials.valid:
                self._credentials.refresh(Request())
        except GoogleAuthError as error:
            raise no_credentials(type(error).__name__) from error
        quota = getattr(self._credentials, "quota_project_id", None)
        headers = {"authorization": f"Bearer {self._credentials.token}"}
        return headers | ({"x-goog-user-project": quota} if quota else {})

    @cached_property
    def _credentials(self) -> Any:
        import google.auth  # noqa: PLC0415 - loads a cloud

        return google.auth.default(scopes=_SCOPES)[0]


class _Jobs:
    """The jobs of a project, in all regions."""

    def __init__(self, settings: Vertex, account: _Account) -> None:
        """Ask nothing yet."""
        self.settings = settings
        self.account = account
        self.services: dict[str, JsonService] = {}

    def changed(self, since: int) -> Iterator[Record]:
        """Yield jobs that were made or changed since, or run."""
        for region in self.settings.regions:
            for kind in KINDS:
                yield from self._listed(region, kind, since)

    def by_key(self, key: str) -> Record | None:
        """Return a job; none for one that was deleted."""
        named = _NAMED.fullmatch(key)
        kind = next((one for one in KINDS if named and one.path == named["kind"]), None)
        if named is None or kind is None:
            return None
        answer = self._asked(named["region"], f"v1/{key}", {})
        if answer.status == ABSENT and _error_of(answer):
            return None
        if not answer.is_success:
            raise self._refusal(answer, named["region"], kind, f"v1/{key}")
        return record_of(kind, answer.json, self.services[named["region"]].where)

    def close(self) -> None:
        """Close the connections."""
        _log.info("vertex: %d requests", sum(one.requests for one in self.services.values()))
        for service in self.services.values():
            service.client.close()

    def _listed(self, region: str, kind: Kind, since: int) -> Iterator[Record]:
        path = f"v1/projects/{self.settings.project}/locations/{region}/{kind.path}"
        params = {"pageSize": "100"}
        if since:
            params["filter"] = kind.filter_since(moment(since))
        while True:
            answer = self._asked(region, path, params)
            found = objects(answer, kind.path)
            if found is None:
                raise self._refusal(answer, region, kind, path)
            for job in found:
                yield record_of(kind, job, self.services[region].where)
                trials = (self.by_key(name) for name in trials_of(job))
                yield from (trial for trial in trials if trial)
            params["pageToken"] = str(answer.json.get("nextPageToken") or "")
            if not params["pageToken"]:
                return

    def _asked(self, region: str, path: str, params: dict[str, str]) -> Answer:
        if region not in self.services:
            address = f"https://{region}-aiplatform.googleapis.com"
            self.services[region] = opened(
                "Vertex AI",
                self.settings.endpoint_url or address,
                dict,
                kind=self.settings.name,
                timeout_seconds=self.settings.timeout_seconds,
            )
        headers = self.account.headers()
        answer = self.services[region].ask("GET", path, params=params, headers=headers)
        if answer.status == _UNKNOWN_TO_US:
            raise no_credentials(str(_error_of(answer).get("status") or answer.status))
        return answer

    def _refusal(self, answer: Answer, region: str, kind: Kind, path: str) -> SourceError:
        said = str(_error_of(answer).get("message") or answer.reason)[:200]
        if answer.status == _DENIED:
            right = f"aiplatform.{kind.path}.list and .get"
            fix = f"grant {right} on the project (the role Vertex AI Viewer), or take {region} out"
        else:
            fix = "check project and regions; `gcloud ai custom-jobs list` tells what there is"
        return SourceError(
            f"Vertex AI answers {answer.status} {said}", where=f"{_WHERE} {path}", fix=fix
        )


def _error_of(answer: Answer) -> Json:
    error = answer.json.get("error")
    return error if isinstance(error, dict) else {}


def no_credentials(code: str) -> SourceError:
    """Return the error for credentials that are wanting, or that Google does not accept."""
    return SourceError(
        f"Google does not accept the credentials, or there are none ({code})",
        where=_WHERE,
        fix="give the machine a service account, or let GOOGLE_APPLICATION_CREDENTIALS name its "
        "key; it needs the role Vertex AI Viewer",
    )
