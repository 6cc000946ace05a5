"""Azure Machine Learning: the jobs of workspaces, and what pipelines, sweeps and AutoML started.

Resource Manager lists the jobs that somebody started, without any filter by time: a night reads as
far back as it needs where the newest come first, as they do, and else all of them. What a job
started is asked of the workspace's run history. What was not over is asked for again by its id.

Commands, environments, literal inputs and errors may hold secrets and are not copied; addresses of
data lose what comes after a question mark. A job is a run of the workspace's MLflow by the same id.

Verified against answers written by the types of Azure's own client (azure-ai-ml 1.35: API
2025-12-01, run history 1.0) and a published sample of a job, served by the tests; not against
Azure itself, nor with a bill.
Source: https://learn.microsoft.com/rest/api/azureml/jobs
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlsplit

from connectors.azureml_answers import JOBS, PARENTS, child_row, job_of, record_of, rooted
from connectors.base import SourceError
from connectors.platforms import ABSENT, days_of, objects, opened
from connectors.run_changes import changes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Delivery, Known, Table
    from connectors.http import Answer, JsonService
    from connectors.platforms import Json
    from connectors.run_changes import Record

_log = logging.getLogger(__name__)
_WHERE = "[connectors.azureml]"
_PUBLIC = "https://management.azure.com"
_LOOPBACK = ("http://127.0.0.1:", "http://localhost:")
_VERSION: Final = {"api-version": "2025-12-01"}
_WORKSPACE = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+"
    r"/providers/Microsoft\.MachineLearningServices/workspaces/[^/]+",
    re.IGNORECASE,
)
_HOSTS = (".api.azureml.ms", ".api.ml.azure.cn", ".api.ml.azure.us")
"""Where run history is: credentials go nowhere else, whatever a job says."""
_UNKNOWN_TO_US = 401


@dataclass(frozen=True, slots=True)
class Azureml:
    """Workspaces of Azure Machine Learning, with the credentials that azure-identity finds."""

    workspaces: tuple[str, ...]
    """Their ids, as the portal shows them: `/subscriptions/.../workspaces/ml`."""
    endpoint_url: str = ""
    """Another address of Resource Manager."""
    history_url: str = ""
    """Another address of run history than the one that each job names."""
    overlap_days: int = 1
    """What was made in the days before the last extraction is read again."""
    rescan_days: int = 35
    """How far back late edits of tags are looked for."""
    rescan_every_days: int = 7
    """How often that is done."""
    backfill_days: int = 400
    """Days to look back on the first night; 0: to the first job."""
    timeout_seconds: int = 120
    """How long one request may take."""

    name: ClassVar[str] = "azureml"
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
        jobs = _Jobs(self, _Azure(self))
        try:
            yield from changes(JOBS, jobs, known, at, days)
        finally:
            jobs.azure.close()

    def check(self) -> None:
        """Refuse settings that contradict each other.

        Raises: SourceError
        """
        if not self.workspaces or not all(_WORKSPACE.fullmatch(one) for one in self.workspaces):
            raise SourceError(
                "workspaces names none, or one that is no workspace's id",
                where=_WHERE,
                fix="write its whole id: /subscriptions/.../resourceGroups/.../providers/"
                "Microsoft.MachineLearningServices/workspaces/...",
            )
        for address in (self.endpoint_url, self.history_url):
            if address and not address.startswith(("https://", *_LOOPBACK)):
                raise SourceError(
                    f"{address} is not https, and credentials would be sent in the open",
                    where=_WHERE,
                    fix="write https://",
                )


class _Azure:
    """Resource Manager and run history, as an identity sees them."""

    def __init__(self, settings: Azureml) -> None:
        """Ask nothing yet."""
        self.settings = settings
        self.services: dict[str, JsonService] = {}

    def manager(self, path: str, params: dict[str, str] | None) -> Answer:
        """Ask Resource Manager."""
        address = self.settings.endpoint_url or _PUBLIC
        scope = _PUBLIC if address.startswith(_LOOPBACK) else address.rstrip("/")
        return self._ask(address, scope, path, params)

    def history(self, job: Json, path: str, params: dict[str, str]) -> Answer:
        """Ask the run history that a job names.

        Raises: SourceError for an address that is not Azure's.
        """
        services = (job.get("properties") or {}).get("services") or {}
        host = urlsplit(str((services.get("Tracking") or {}).get("endpoint") or "")).netloc
        if not self.settings.history_url and not host.endswith(_HOSTS):
            raise SourceError(
                f"a job names no run history of Azure's ({host or 'none'})",
                where=f"{_WHERE} {job.get('id')}",
                fix="write the address into history_url: https://<region>.api.azureml.ms",
            )
        address = self.settings.history_url or f"https://{host}"
        return self._ask(address, "https://ml.azure.com", path, params)

    def close(self) -> None:
        """Close the connections."""
        _log.info("azureml: %d requests", sum(one.requests for one in self.services.values()))
        for service in self.services.values():
            service.client.close()

    def _ask(self, address: str, scope: str, path: str, params: dict[str, str] | None) -> Answer:
        from azure.core.exceptions import AzureError  # noqa: PLC0415 - loads a cloud

        if address not in self.services:
            self.services[address] = opened(
                "Azure Machine Learning",
                address,
                dict,
                kind=self.settings.name,
                timeout_seconds=self.settings.timeout_seconds,
            )
        try:
            token = self._credential.get_token(f"{scope}/.default").token
        except AzureError as error:
            raise _no_credentials(type(error).__name__) from error
        sent: dict[str, Any] = {"params": params} if params else {}
        headers = {"authorization": f"Bearer {token}"}
        answer = self.services[address].ask("GET", path.lstrip("/"), headers=headers, **sent)
        if answer.status == _UNKNOWN_TO_US:
            raise _no_credentials(str(answer.status))
        return answer

    @cached_property
    def _credential(self) -> Any:
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - loads a cloud

        return DefaultAzureCredential()


class _Jobs:
    """The jobs of all workspaces."""

    def __init__(self, settings: Azureml, azure: _Azure) -> None:
        """Ask nothing yet."""
        self.settings = settings
        self.azure = azure
        self.sizes: dict[str, dict[str, str]] = {}

    def changed(self, since: int) -> Iterator[Record]:
        """Yield jobs that were made since."""
        for workspace in self.settings.workspaces:
            first = before = 0
            newest_first = True
            for job in self._pages(f"{workspace}/jobs", {**_VERSION, "listViewType": "All"}):
                created = job_of(job, workspace).created
                newest_first = newest_first and (not before or created <= before)
                first, before = first or created, created
                if created >= since:
                    yield self._record(job, workspace)
                elif newest_first and created < first:
                    break

    def by_key(self, key: str) -> Record | None:
        """Return a job; none for one that was deleted, or whose workspace was."""
        answer = self.azure.manager(key, dict(_VERSION))
        error = answer.json.get("error")
        if answer.status == ABSENT and isinstance(error, dict) and error.get("code"):
            return None
        if not answer.is_success:
            raise _refused(answer, key)
        return self._record(answer.json, key.partition("/jobs/")[0])

    def _record(self, job: Json, workspace: str) -> Record:
        told = job_of(job, workspace)
        path = f"history/v1.0{workspace}/runs/{told.name}"
        if told.is_over and not told.ended:
            # a pipeline's end is in no property of the job
            answer = self.azure.history(job, path, {})
            if answer.is_success:
                told = rooted(told, answer.json, workspace)
            elif answer.status != ABSENT:
                raise _refused(answer, path)
        children = list(self._children(job, workspace, told.name)) if told.type in PARENTS else []
        rows = [child_row(child, workspace) for child in children]
        return record_of(told, rows, self._sizes(workspace))

    def _children(self, job: Json, workspace: str, run_id: str) -> Iterator[Json]:
        """Yield the runs that a run started, and those that these started."""
        path = f"history/v1.0{workspace}/runs/{run_id}/children"
        params: dict[str, str] = {}
        while True:
            answer = self.azure.history(job, path, params)
            if answer.status == ABSENT:
                return
            found = objects(answer, "value")
            if found is None:
                raise _refused(answer, path)
            for child in found:
                yield child
                if any(word in str(child.get("runType")).lower() for word in _STARTS_OTHERS):
                    yield from self._children(job, workspace, str(child["runId"]))
            params = {"$continuationtoken": str(answer.json.get("continuationToken") or "")}
            if not params["$continuationtoken"]:
                return

    def _sizes(self, workspace: str) -> dict[str, str]:
        """Return compute -> size of its machines, asked once."""
        if workspace not in self.sizes:
            found = self._pages(f"{workspace}/computes", dict(_VERSION))
            self.sizes[workspace] = {
                str(one["name"]).lower(): str(size)
                for one in found
                if (size := ((one.get("properties") or {}).get("properties") or {}).get("vmSize"))
            }
        return self.sizes[workspace]

    def _pages(self, path: str, params: dict[str, str]) -> Iterator[Json]:
        following, asked = path, dict(params) or None
        while following:
            answer = self.azure.manager(following, asked)
            found = objects(answer, "value")
            if found is None:
                raise _refused(answer, path)
            yield from found
            following, asked = str(answer.json.get("nextLink") or ""), None
            address = self.settings.endpoint_url or _PUBLIC
            if following and urlsplit(following)[:2] != urlsplit(address)[:2]:
                raise SourceError(
                    "Azure's link to the next page leads elsewhere",
                    where=f"{_WHERE} {path}",
                    fix="credentials go nowhere else: check endpoint_url",
                )


_STARTS_OTHERS = ("pipeline", "hyperdrive", "automl", "sweep")


def _refused(answer: Answer, path: str) -> SourceError:
    error = answer.json.get("error")
    said = str((error if isinstance(error, dict) else {}).get("message") or answer.reason)[:200]
    return SourceError(
        f"Azure Machine Learning answers {answer.status} {said}",
        where=f"{_WHERE} {path}",
        fix="grant the role Reader on the workspace, and check its id",
    )


def _no_credentials(code: str) -> SourceError:
    return SourceError(
        f"Azure does not accept the credentials, or there are none ({code})",
        where=_WHERE,
        fix="give the machine a managed identity, sign in with `az login`, or set "
        "AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET",
    )
