"""What the warehouse is told: deliveries, totals, settings and limits, in its own words."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from connectors import connectors_fingerprint, declared_tables
from jobs.journal.claims import Claims
from jobs.journal.findings import Findings
from jobs.privacy import fingerprint_of
from queries.build import BuildInput, Settings
from queries.catalog import models
from queries.engines.duckdb import Limits
from queries.invoices import Invoice
from queries.landed import Landed, LandedFile
from queries.ledgers import Restated
from queries.loading import SharedCost
from queries.publish import newest_manifest
from queries.quotas import Quota

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from jobs.config import Config
    from jobs.ledger import Entry, Restatement
    from jobs.raw_store import RawStore
    from jobs.settings.attribution import Attribution

_LINES = re.compile(r"\((\d+) lines(?:, before (\d+))?\)$")
"""How `jobs.restatements` ends what it enters, in every ledger there is."""


def build_input(config: Config, store: RawStore, counted: Sequence[Entry]) -> BuildInput:
    """Return what a build reads of the deliveries that count."""
    totals = store.journal.totals()
    return BuildInput(
        tables=declared_tables(),
        declared=connectors_fingerprint(),
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
        reporting=config.currency.report,
        shared_costs=shared_costs_of(config),
        invoices=invoices_of(config),
        claims=Claims(store.journal).in_force(),
        superseded=[landed_of(entry, store.raw) for entry in store.superseded(counted)],
        restated=restated_of(store.journal.restatements(), {row.name for row in config.sources}),
        findings=Findings(store.journal).known(),
        previous=newest_manifest(config.state_dir / "generations"),
        privacy=fingerprint_of(config),
        progress=store.progress.say,
    )


def restated_of(ledger: Sequence[Restatement], sources: Collection[str]) -> list[Restated]:
    """Return what the ledger says of configured sources, numbered in its order."""
    found = []
    for number, row in enumerate(ledger, 1):
        lines = _LINES.search(row.why)
        after = int(lines[1]) if lines else None
        before = int(lines[2]) if lines and lines[2] else after
        if row.source in sources:
            found.append(
                Restated(
                    number=number,
                    at=row.at,
                    source=row.source,
                    unit=row.unit,
                    charge_month=row.charge_month,
                    billing_currency=row.billing_currency,
                    measure=row.measure,
                    before=row.before,
                    after=row.after,
                    lines_before=before,
                    lines_after=after,
                    was_open=row.was_open,
                )
            )
    return found


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
            "control_planes": attribution.control_planes,
            "gpu_weight": float(attribution.gpu_weight),
            "cpu_weight": float(attribution.cpu_weight),
            "memory_weight": float(attribution.memory_weight),
            "split_cost_allocation": attribution.split_cost_allocation,
            "inventory_days": attribution.inventory_days,
            "artefact_gib": float(attribution.artefact_gib),
            "prefix_depth": attribution.prefix_depth,
            "lost_after_hours": attribution.lost_after_hours,
            "stale_hours": attribution.stale_hours,
            "shared_namespaces": ",".join(attribution.shared_namespaces),
            "shared_users": ",".join(attribution.shared_users),
            "minimise": ",".join(attribution.minimise),
            "maximise": ",".join(attribution.maximise),
        },
        tag_keys={
            "team": list(attribution.team_tags),
            "user": list(attribution.user_tags),
            "project": list(attribution.project_tags),
            "model": list(attribution.model_tags),
        },
    )


def shared_costs_of(config: Config) -> list[SharedCost]:
    """Return what the config file says that teams are to carry."""
    return [
        SharedCost(
            name=rule.name,
            from_members=rule.members,
            split=rule.split,
            to_teams=rule.to,
            shares=rule.shares or None,
        )
        for rule in config.shared_costs
    ]


def invoices_of(config: Config) -> list[Invoice]:
    """Return what the config file says of invoices, numbered in its order."""
    return [
        Invoice(
            entry_no=number,
            source=entry.source or None,
            provider=entry.provider or None,
            billing_account_id=entry.billing_account_id or None,
            invoice_id=entry.invoice_id or None,
            billing_period=entry.billing_period,
            amount=entry.amount,
            billing_currency=entry.currency,
            tolerance=max(entry.tolerance, entry.rounding),
        )
        for number, entry in enumerate(config.invoices, 1)
    ]


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
