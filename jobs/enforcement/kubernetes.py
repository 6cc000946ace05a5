"""Limits the GPUs that new pods of a namespace may ask for, by a ResourceQuota of our own.

Kubernetes looks at a ResourceQuota when a pod is made, so pods that run go on. Ours is called
`mlspend` and carries the label below; one of that name without it is somebody else's, and refused.
A cluster adds up all ResourceQuotas of a namespace, so ours needs no look at the others.
The credential needs get, create, update and delete of `resourcequotas` in those namespaces alone.

Source: https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from jobs.enforcement.base import RefusedError, UnknownError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jobs.enforcement.base import Order, State

OBJECT = "mlspend"
LABEL, OURS = "app.kubernetes.io/managed-by", "mlspend"
_ORDER, _REASON, _UNTIL = (f"mlspend/{word}" for word in ("order", "reason", "until"))
_GONE, _CONFLICT = 404, 409
_REFUSALS = range(400, 500)


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """The namespaces of one cluster."""

    namespaces: Mapping[str, Sequence[str]]
    """Member -> the namespaces that its pods run in."""
    kubeconfig: str = ""
    """A file; where none is given, the service account of the pod that mlspend runs in."""
    context: str = ""
    name: str = "kubernetes"
    dimension: Literal["team", "user", "project", "model", "dataset"] = "team"
    resources: Sequence[str] = field(default=("requests.nvidia.com/gpu",))
    """What is limited; MIG slices have names of their own."""
    allowed: int = 0
    """How many of each the pods of a stopped namespace may ask for together."""
    timeout_seconds: int = 30

    kind: ClassVar[str] = "kubernetes"

    def targets(self) -> Mapping[str, Sequence[str]]:
        """Return member -> its namespaces."""
        return self.namespaces

    def change(self, target: str) -> str:
        """Say what exactly would be done."""
        hard = ", ".join(f"{key}={value}" for key, value in self._hard.items())
        return f"write ResourceQuota {OBJECT} in namespace {target}: spec.hard {hard}"

    def undo(self, target: str) -> str:
        """Say how it is undone."""
        return (
            f"delete ResourceQuota {OBJECT} in namespace {target}, or, where mlspend had one there "
            "before, put its spec.hard back"
        )

    def look(self, target: str) -> State:
        """Return our ResourceQuota's limits, none where there is no such object."""
        with self._api(target, is_change=False) as api:
            found = self._read(api, target)
        if found is None:
            return {"hard": None}
        return {
            "hard": dict(found.spec.hard or {}),
            "order": (found.metadata.annotations or {}).get(_ORDER),
        }

    def is_stopped(self, order: Order, found: State) -> bool:
        """Tell whether the object is there, with our limits and of this order."""
        return found.get("hard") == self._hard and found.get("order") == order.key

    def stop(self, order: Order, before: State) -> str:  # noqa: ARG002
        """Write the object, unless it is there as ordered."""
        with self._api(order.target, is_change=True) as api:
            found = self._read(api, order.target)
            if found is None:
                api.create_namespaced_resource_quota(
                    order.target, self._body(order), _request_timeout=self.timeout_seconds
                )
            elif not self.is_stopped(order, self.look(order.target)):
                self._replace(api, found, self._hard, self._notes(order))
        return ""

    def release(self, order: Order, before: State) -> str:
        """Delete the object or put its limits back, unless somebody has changed it since."""
        with self._api(order.target, is_change=True) as api:
            found = self._read(api, order.target)
            hard = before.get("hard")
            if found is None:
                return "" if hard is None else "left as it is: somebody has deleted it since"
            if dict(found.spec.hard or {}) != self._hard:
                is_back = isinstance(hard, dict) and found.spec.hard == hard
                return "" if is_back else "left as it is: somebody has changed its limits since"
            if isinstance(hard, dict):
                self._replace(api, found, hard, dict.fromkeys((_ORDER, _REASON, _UNTIL)))
            else:
                self._delete(api, found)
        return ""

    @property
    def _hard(self) -> dict[str, str]:
        return {resource: str(self.allowed) for resource in self.resources}

    def _body(self, order: Order) -> Any:
        from kubernetes import client  # noqa: PLC0415  (slow to import)

        return client.V1ResourceQuota(
            api_version="v1",
            kind="ResourceQuota",
            metadata=client.V1ObjectMeta(
                name=OBJECT,
                namespace=order.target,
                labels={LABEL: OURS},
                annotations=dict(self._notes(order)),
            ),
            spec=client.V1ResourceQuotaSpec(hard=self._hard),
        )

    def _notes(self, order: Order) -> dict[str, str]:
        return {_ORDER: order.key, _REASON: order.reason, _UNTIL: order.until}

    def _read(self, api: Any, namespace: str) -> Any:
        """Return our object, none where there is none.

        Raises: RefusedError where one of its name is not ours.
        """
        from kubernetes.client import ApiException  # noqa: PLC0415

        try:
            found = api.read_namespaced_resource_quota(
                OBJECT, namespace, _request_timeout=self.timeout_seconds
            )
        except ApiException as error:
            if error.status == _GONE:
                return None
            raise
        if (found.metadata.labels or {}).get(LABEL) != OURS:
            raise RefusedError(
                f'a ResourceQuota "{OBJECT}" is there that mlspend did not make',
                where=self._where(namespace),
                fix=f"rename it, or give it the label {LABEL}={OURS} if mlspend may change it",
            )
        return found

    def _replace(
        self, api: Any, found: Any, hard: Mapping[str, str], notes: Mapping[str, str | None]
    ) -> None:
        """Replace the very version that was read: a change in between is a conflict."""
        kept = {**(found.metadata.annotations or {}), **notes}
        found.metadata.annotations = {key: note for key, note in kept.items() if note is not None}
        found.spec.hard = dict(hard)
        found.status = None
        api.replace_namespaced_resource_quota(
            OBJECT, found.metadata.namespace, found, _request_timeout=self.timeout_seconds
        )

    def _delete(self, api: Any, found: Any) -> None:
        from kubernetes import client  # noqa: PLC0415

        seen = client.V1Preconditions(
            uid=found.metadata.uid, resource_version=found.metadata.resource_version
        )
        api.delete_namespaced_resource_quota(
            OBJECT,
            found.metadata.namespace,
            body=client.V1DeleteOptions(preconditions=seen),
            _request_timeout=self.timeout_seconds,
        )

    @contextmanager
    def _api(self, namespace: str, *, is_change: bool) -> Iterator[Any]:
        """Yield the API; tell its errors in our words."""
        from kubernetes import client, config  # noqa: PLC0415
        from urllib3.exceptions import HTTPError  # noqa: PLC0415  (the client's own transport)

        settings = client.Configuration()
        try:
            if self.kubeconfig:
                config.load_kube_config(  # type: ignore[no-untyped-call]
                    self.kubeconfig, self.context or None, settings
                )
            else:
                config.load_incluster_config(  # type: ignore[no-untyped-call]
                    client_configuration=settings
                )
        except (config.ConfigException, OSError) as error:
            raise RefusedError(
                f"there is no way to the cluster: {error}",
                where=f"levers.{self.name} kubeconfig",
                fix="name a kubeconfig file, or run in the cluster with a service account",
            ) from error
        settings.retries = 0  # a change is sent once; what became of it is looked up
        with client.ApiClient(settings) as connection:
            try:
                yield client.CoreV1Api(connection)
            except client.ApiException as error:
                is_no = error.status in _REFUSALS
                raise self._told(
                    f"the API answered {error.status} {error.reason}",
                    namespace,
                    is_unsure=is_change and not is_no,
                    fix=_FIX.get(error.status, "see the API server's log"),
                ) from error
            except (HTTPError, ValueError) as error:  # ValueError: an answer of another shape
                raise self._told(
                    f"the API did not answer as it should: {type(error).__name__}",
                    namespace,
                    is_unsure=is_change,
                    fix="see that the API server can be reached; `mlspend enforce` looks again",
                ) from error

    def _told(
        self, what: str, namespace: str, *, is_unsure: bool, fix: str
    ) -> UnknownError | RefusedError:
        kind = UnknownError if is_unsure else RefusedError
        return kind(what, where=self._where(namespace), fix=fix)

    def _where(self, namespace: str) -> str:
        return f"{self.name}, namespace {namespace}, ResourceQuota {OBJECT}"


_FIX = {
    401: "the credential is not known to the cluster: renew it",
    403: "let the credential get, create, update and delete resourcequotas in the namespace",
    _GONE: "mend [levers.kubernetes] namespaces: there is no such namespace",
    _CONFLICT: "somebody changed it at the same moment; `mlspend enforce` tries again",
    422: "the API does not take the limits: mend [levers.kubernetes] resources",
}
