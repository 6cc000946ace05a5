"""Raw files -> staged rows -> attributed days -> marts, doing only what changed.

Three kinds of work, in this order: deliveries are staged into the lake (`stage.py`); metadata,
which is small, is computed whole; then the days whose inputs differ from the last generation's are
attributed, a month at a time, and the marts are made from all days.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from queries.beside import keep_beside
from queries.catalog import Model, code_fingerprint, models
from queries.changes import changed, digests_of_days
from queries.checks import check_books, check_model
from queries.claims import Claim, create_claims
from queries.currencies import create_reporting
from queries.detecting import LAYER, SWITCH, Finding
from queries.engines.duckdb import (
    ENGINE_VERSION,
    Limits,
    connect,
    create_macros,
    create_seeds,
    literal,
)
from queries.findings import create_findings
from queries.invoices import Invoice, create_invoices
from queries.lake import StoredTable, write
from queries.landed import declaration
from queries.ledgers import create_ledgers, create_restatements
from queries.loading import SharedCost, create_shared_costs
from queries.manifest import Manifest, StagedGroup, digest
from queries.quotas import Quota, create_quotas
from queries.stage import Stager
from queries.warehouse import SCHEMAS, Value, Warehouse, shape
from queries.words import as_text, do_listed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from queries.engines.duckdb import Connection
    from queries.landed import Declared, Landed
    from queries.ledgers import Restated
    from queries.totals import RawTotal

_FEW_DAYS = 3
"""Steps over so few days are planned longer than they run, and take little memory side by side."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the config file says of attribution."""

    params: Mapping[str, Value] = field(default_factory=dict)
    """Parameter of a model -> value; the header's default where absent."""
    tag_keys: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {owner: [owner] for owner in ("team", "user", "project", "model")}
    )
    """What a tag of a resource or a run can say -> the keys that say so, in order."""
    detectors: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    """Detector -> its parameters, and `is_enabled`; its header's defaults where absent."""

    def is_enabled(self, detector: str) -> bool:
        """Tell whether a detector is switched on."""
        return bool(self.detectors.get(detector, {}).get(SWITCH, True))

    def detecting(self) -> list[str]:
        """Return every setting of detectors, which no attributed day depends on."""
        return [
            f"{name}.{key}={value!r}"
            for name, values in sorted(self.detectors.items())
            for key, value in sorted(values.items())
        ]

    def fingerprint(self) -> str:
        """Return a digest of every setting that attribution reads."""
        params = [f"{key}={value!r}" for key, value in sorted(self.params.items())]
        keys = [f"{owner}:{key}" for owner in sorted(self.tag_keys) for key in self.tag_keys[owner]]
        return digest(params, keys)


@dataclass(frozen=True, slots=True)
class BuildInput:
    """All that a build reads."""

    tables: Mapping[str, Mapping[str, Declared]]
    """Connector -> table -> what it declares; every connector there is, configured or not.

    One is asked for where it has landed something, or where its tables' columns are not known."""
    landed: Sequence[Landed]
    """Every delivery that counts."""
    totals: Sequence[tuple[str, RawTotal]]
    """(source, what one of its deliveries bills under one key)."""
    settings: Settings
    limits: Limits
    lake: Path
    findings: Sequence[Finding] = ()
    """What earlier nights found, and what became of it."""
    previous: Manifest | None = None
    declared: str = ""
    """Digest of the code that declares the tables."""
    privacy: str = ""
    """Digest of who may see whom: what is published changes with it."""
    progress: Callable[[str], None] = print
    quotas: Sequence[Quota] = ()
    reporting: str = ""
    """The currency that everything is converted to beside its own; empty: none."""
    shared_costs: Sequence[SharedCost] = ()
    """What teams are to carry, beside the books."""
    claims: Sequence[Claim] = ()
    """Spend that nobody owned, and who took it."""
    invoices: Sequence[Invoice] = ()
    """What the user's invoices say."""
    restated: Sequence[Restated] = ()
    """What newer deliveries changed: history, which no figure depends on."""
    superseded: Sequence[Landed] = ()
    """Versions that count no more, whose files are there still: of a bill they tell which days the
    newer one changes. No figure depends on it."""
    models: Sequence[Model] = field(default_factory=models)
    """Each after what it reads."""

    def plan(self) -> str:
        """Return a digest of everything, but for rows, that makes tables what they are."""
        sql = [model.fingerprint for model in self.models]
        landed = {(row.connector, row.table) for row in self.landed}
        declared = [
            f"{connector} {declaration(self.tables[connector][table])}"
            for connector, table in sorted(landed)
        ]
        settings = [self.settings.fingerprint(), *self.settings.detecting()]
        return digest(code_fingerprint(), ENGINE_VERSION, sql, self.declared, declared, settings)

    def fingerprint(self) -> str:
        """Return a digest of everything that can change a figure."""
        deliveries = [
            f"{row.source} {row.raw_name} {row.unit} {row.version_at} {file.sha256}"
            for row in self.landed
            for file in row.files
        ]
        quotas = [repr(quota) for quota in self.quotas]
        claims = [repr(claim) for claim in self.claims]
        invoices = [repr(invoice) for invoice in self.invoices]
        loads = [repr(rule) for rule in self.shared_costs]
        mutes = [f"{row.finding_id} {row.muted_until}" for row in self.findings if row.muted_until]
        figures = digest(self.plan(), quotas, claims, loads, sorted(mutes))
        return digest(figures, invoices, self.reporting, sorted(deliveries), self.privacy)


@dataclass(slots=True)
class Built:
    """A build that passed its checks, not published yet."""

    con: Connection
    manifest: Manifest
    days: int
    """Days attributed anew."""


def build(given: BuildInput) -> Built | None:
    """Bring the warehouse up to date; none where nothing changed since the last generation.

    Raises: DeliveryError for a delivery that cannot be read, ModelError for a check that fails.
    """
    night = given.fingerprint()
    if given.previous is not None and given.previous.night == night:
        return None
    before = deepcopy(given.previous) or Manifest()
    manifest = Manifest(night=night, built_at=datetime.now(UTC).isoformat())
    manifest.planned, manifest.columns = before.planned, before.columns
    warehouse = opened(given, manifest)
    con = warehouse.con
    _stage(warehouse, given, before.staged)
    keep_beside(warehouse, given.progress)
    warehouse.create_raw(given.tables, given.landed)
    warehouse.show_staged(None)
    warehouse.build_metadata()
    manifest.days = digests_of_days(warehouse, given.settings.fingerprint())
    days = changed(manifest.days, before.days)
    warehouse.forget_metadata()
    _attribute(warehouse, given, before, days)
    given.progress("build the marts")
    warehouse.build_all(warehouse.late_models)
    check_books(con)
    manifest.raw = [file.sha256 for row in given.landed for file in row.files]
    return Built(con, manifest, len(days))


def shapes(given: BuildInput) -> dict[str, dict[str, str]]:
    """Return the columns of every table that a build has: table -> column -> type.

    Nothing of what has landed is looked at, and nothing is kept.
    """
    warehouse = opened(given, Manifest())
    warehouse.create_raw(given.tables, [], with_all=True)
    keep_beside(warehouse, given.progress)
    warehouse.show_staged(None)
    warehouse.build_metadata()
    for model in warehouse.day_models:
        sql = as_text(warehouse.sql_of(model))
        warehouse.con.execute(f"create table {model.name} as {sql}")
    for model in warehouse.late_models:
        warehouse.build_whole(model)
    found: dict[str, dict[str, str]] = {}
    rows = warehouse.con.execute(
        "select table_schema || '.' || table_name, column_name, data_type "
        "from information_schema.columns order by all"
    )
    for table, column, kind in rows.fetchall():
        found.setdefault(table, {})[column] = kind
    warehouse.con.close()
    return found


def opened(given: BuildInput, manifest: Manifest) -> Warehouse:
    """Open a database for a build, with all in it that does not come from deliveries' rows.

    The columns of tables that `manifest` remembers are forgotten where other code made them.
    """
    settings = given.settings
    planned = given.plan()
    if manifest.planned != planned:
        manifest.planned, manifest.columns = planned, {}
    con = connect(given.limits)
    stored = given.previous.stored.values() if given.previous is not None else ()
    known = frozenset(file.path for table in stored for file in table.files)
    warehouse = Warehouse(
        con, given.models, settings.params, given.lake, manifest, settings.detectors, known
    )
    for schema in SCHEMAS:
        con.execute(f"create schema if not exists {schema}")
    create_macros(con, settings.tag_keys)
    create_seeds(con)
    create_ledgers(con, given.totals, given.landed, given.tables)
    create_restatements(con, given.restated)
    create_quotas(con, given.quotas)
    create_claims(con, given.claims)
    create_invoices(con, given.invoices)
    create_shared_costs(con, given.shared_costs)
    create_reporting(con, given.reporting)
    _know_findings(warehouse, given)
    warehouse.tables.know_all()
    return warehouse


def _know_findings(warehouse: Warehouse, given: BuildInput) -> None:
    """Tell the build what earlier nights found; of a detector that does not run, nothing."""
    detectors = [model for model in given.models if model.layer == LAYER]
    names = {model.name.partition(".")[2]: model.is_counted for model in detectors}
    known = [
        row
        for row in given.findings
        if row.detector in names and given.settings.is_enabled(row.detector)
    ]
    reported = {name for name, is_counted in names.items() if not is_counted}
    create_findings(warehouse.con, known, reported)


def _stage(
    warehouse: Warehouse, given: BuildInput, before: Mapping[str, Mapping[str, StagedGroup]]
) -> None:
    """Bring the lake's staged rows up to date with the deliveries."""
    for model in warehouse.staged_models:
        (raw_table,) = [table for table in model.reads if table.startswith("raw.")]
        connector, _, table = raw_table.removeprefix("raw.").partition("__")
        landed = [row for row in given.landed if (row.connector, row.table) == (connector, table)]
        if not landed:
            warehouse.manifest.staged[model.name] = {}
            continue
        stager = Stager(
            con=warehouse.con,
            model=model,
            sql=warehouse.sql_of(model),
            connector=connector,
            table=given.tables[connector][table],
            lake=given.lake,
            progress=given.progress,
            superseded=given.superseded,
        )
        warehouse.manifest.staged[model.name] = stager.stage(landed, before.get(model.name, {}))


def _attribute(
    warehouse: Warehouse, given: BuildInput, before: Manifest, days: Collection[str]
) -> None:
    """Attribute some days, a month at a time so that memory is bounded by the month."""
    con, stored = warehouse.con, warehouse.manifest.stored
    partitions = [model for model in warehouse.day_models if model.kind == "partition"]
    for model in partitions:
        stored[model.name] = before.stored.get(model.name, StoredTable())
    months: dict[str, list[str]] = {}
    for day in sorted(days):
        months.setdefault(day[:7], []).append(day)
    for month, of_month in months.items():
        given.progress(f"attribute {month}: {len(of_month)} days")
        _attribute_days(warehouse, of_month)
    _know_empty(warehouse, [model for model in partitions if not stored[model.name].files])
    for model in warehouse.day_models:
        if model.kind == "step":
            con.execute(f"drop table if exists {model.name}")
    warehouse.show_days(None)
    for model in partitions:
        scan = stored[model.name].scan(given.lake)
        query = scan or f"select * from {shape(model)}"
        con.execute(f"create or replace view {model.name} as {query}")
        warehouse.tables.know(model.name, is_empty=scan is None)


def _know_empty(warehouse: Warehouse, partitions: Collection[Model]) -> None:
    """Have the columns of models of which no day has rows."""
    tables = warehouse.tables
    if any(shape(model) not in tables.columns for model in partitions):
        _attribute_days(warehouse, [])
    for model in partitions:
        tables.create_empty(shape(model), tables.columns[shape(model)])


def _attribute_days(warehouse: Warehouse, days: Sequence[str]) -> None:
    """Run the day models over some days; over none, to have their empty tables."""
    warehouse.show_days(days)
    if len(days) <= _FEW_DAYS:
        warehouse.do_each(warehouse.day_models, lambda own, model: _run(own, model, days))
        return
    for model in warehouse.day_models:
        _run(warehouse, model, days)


def _run(warehouse: Warehouse, model: Model, days: Sequence[str]) -> None:
    """Run a day model over the days that are shown, and prove what it promises."""
    sql = warehouse.sql_of(model)
    if model.kind == "step":
        warehouse.tables.fill(model, model.name, sql)
    else:
        query = _store(warehouse, model, sql, days)
        warehouse.con.execute(f"create or replace view {model.name} as {query}")
    check_model(warehouse.con, model, warehouse.tables.empty)


def _store(warehouse: Warehouse, model: Model, sql: str, days: Sequence[str]) -> str:
    """Write the rows of some days to the lake, and return the query that reads them."""
    contents = [f"{day} {warehouse.manifest.days.get(day, '')}" for day in days]
    month = days[0][:7] if days else "none"
    path = f"{model.name}/{month}/{digest(model.fingerprint, contents)[:24]}.parquet"
    tables = warehouse.tables
    written = None
    if not tables.is_sure(model):
        written = do_listed(sql, lambda query: write(warehouse.con, query, warehouse.lake, path))
    warehouse.manifest.stored[model.name].replace(days, written)
    tables.know(model.name, is_empty=written is None)
    if written is not None:
        return f"select * from read_parquet({literal(str(warehouse.lake / path))})"
    tables.learn(shape(model), of=sql)
    tables.create_empty(shape(model), tables.columns[shape(model)])
    return f"select * from {shape(model)}"
