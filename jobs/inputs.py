"""What the warehouse is told: deliveries, totals, settings and limits, in its own words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from connectors import CONNECTORS, connector_class
from jobs.journal.findings import Findings
from jobs.privacy import fingerprint_of
from queries.build import BuildInput, Settings
from queries.catalog import models
from queries.engines.duckdb import Limits
from queries.publish import newest_manifest
from queries.quotas import Quota
from queries.raw import Landed, LandedFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from connectors.base import Table
    from jobs.config import Attribution, Config
    from jobs.ledger import Entry
    from jobs.raw_store import RawStore


def build_input(config: Config, store: RawStore, counted: Sequence[Entry]) -> BuildInput:
    """Return what a build reads of the deliveries that count."""
    totals = store.journal.totals()
    return BuildInput(
        tables=declared_tables(),
        landed=[landed_of(entry, store.raw) for entry in counted],
        totals=[(entry.source, total) for entry in counted for total in totals.get(entry.id, ())],
        settings=replace(settings_of(config.attribution), detectors=config.detectors),
        limits=Limits(
            memory=config.engine.memory_limit,
            threads=config.engine.threads,
            spill=config.state_dir / "tmp" / "spill",
        ),
        lake=config.state_dir / "lake",
        quotas=quotas_of(config),
        findings=Findings(store.journal).known(),
        previous=newest_manifest(config.state_dir / "generations"),
        privacy=fingerprint_of(config),
        progress=store.progress.say,
    )


def landed_of(entry: Entry, raw: Path) -> Landed:
    """Return a delivery as the warehouse takes it; `raw` is the folder of the raw store."""
    return Landed(
        source=entry.source,
        connector=entry.connector,
        table=entry.table,
        unit=entry.unit,
        version=entry.version,
        version_at=entry.version_at,
        files=tuple(
            LandedFile(raw / file.path, file.name, file.format, file.sha256) for file in entry.files
        ),
        landed_at=entry.landed_at,
    )


def settings_of(attribution: Attribution) -> Settings:
    """Return what the config file says of attribution, as the models take it."""
    return Settings(
        params={
            "idle_policy": attribution.idle_policy,
            "gpu_weight": float(attribution.gpu_weight),
            "cpu_weight": float(attribution.cpu_weight),
            "memory_weight": float(attribution.memory_weight),
            "inventory_days": attribution.inventory_days,
            "lost_after_hours": attribution.lost_after_hours,
            "stale_hours": attribution.stale_hours,
            "shared_namespaces": ",".join(attribution.shared_namespaces),
            "shared_users": ",".join(attribution.shared_users),
        },
        tag_keys={
            "team": list(attribution.team_tags),
            "user": list(attribution.user_tags),
            "project": list(attribution.project_tags),
        },
    )


def quotas_of(config: Config) -> list[Quota]:
    """Return what the config file says of quotas, as the models take it."""
    return [
        Quota(
            name=quota.name,
            dimension=quota.dimension,
            member=quota.member,
            measure=quota.measure,
            window_kind=quota.window_kind,
            window_days=quota.window_days,
            limit_amount=quota.limit,
            billing_currency=quota.currency or None,
            thresholds=tuple(threshold.share for threshold in quota.thresholds),
        )
        for quota in config.quotas
    ]


def declared_tables() -> Mapping[str, Mapping[str, Table]]:
    """Return connector -> table -> what it declares, for every connector there is."""
    return {
        kind: {table.name: table for table in connector_class(kind).tables} for kind in CONNECTORS
    }


def superseding_tables() -> frozenset[tuple[str, str]]:
    """Return the (connector, table) pairs of which the newest version of each unit counts alone.

    Those are the tables that nothing but day-wise staging reads; rows of any other are told apart
    by key, so that every version ever landed is read.
    """
    kinds: dict[str, set[str]] = {}
    for model in models():
        for table in model.reads:
            if model.layer == "staging" and table.startswith("raw."):
                kinds.setdefault(table.removeprefix("raw."), set()).add(model.kind)
    return frozenset(
        (connector, table)
        for raw_name, kind in kinds.items()
        if kind == {"partition"}
        for connector, _, table in [raw_name.partition("__")]
    )
