"""`[attribution]`: how cost is shared out, and which tags say whose it is."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from jobs.settings.base import Section
from jobs.settings.quotas import as_decimal

_Weight = Annotated[Decimal, BeforeValidator(as_decimal), Field(ge=0, le=1_000_000)]
_Texts = Annotated[tuple[str, ...], Field(strict=False)]


class Attribution(Section):
    """How cost is shared out."""

    idle_policy: Literal["separate", "by_node", "by_cluster"] = "separate"
    control_planes: Literal["shared", "by_cluster"] = "shared"
    gpu_weight: _Weight = Decimal(9)
    cpu_weight: _Weight = Decimal("0.9")
    memory_weight: _Weight = Decimal("0.1")
    split_cost_allocation: Literal["use", "ignore"] = "use"
    shared_namespaces: _Texts = ("kube-system",)
    shared_users: _Texts = ("root", "ubuntu", "ec2-user", "jovyan", "airflow", "nobody")
    minimise: _Texts = ()
    maximise: _Texts = ()
    inventory_days: Annotated[int, Field(ge=1, le=3660)] = 35
    artefact_gib: _Weight = Decimal(1)
    prefix_depth: Annotated[int, Field(ge=1, le=64)] = 6
    lost_after_hours: Annotated[int, Field(ge=1, le=8760)] = 24
    stale_hours: Annotated[int, Field(ge=1, le=8760)] = 36
    team_tags: _Texts = (
        "k8s-label/team",
        "team",
        "Team",
        "user_team",
        "user:team",
        "user:Team",
        "tag/team",
        "project-label/team",
    )
    user_tags: _Texts = (
        "k8s-label/user",
        "user",
        "owner",
        "Owner",
        "user_owner",
        "user:owner",
        "user:Owner",
        "tag/user",
        "project-label/owner",
    )
    project_tags: _Texts = (
        "k8s-label/project",
        "project",
        "Project",
        "user_project",
        "user:project",
        "user:Project",
        "tag/project",
        "project-label/project",
    )
    model_tags: _Texts = ("finops.model", "registered_model", "model_name", "model")
