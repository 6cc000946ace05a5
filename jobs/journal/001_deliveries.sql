-- Nights, deliveries with their totals, restatements. Times are UTC, as text; money is text.

create table night_runs (
    id integer primary key,
    command text not null,          -- nightly, extract, build, ...
    started_at text not null,       -- UTC, as every time here
    ended_at text,                  -- null: it runs, or was killed
    outcome text,                   -- published, unchanged, stopped
    generation text,                -- in force when it ended
    inputs text not null default '',  -- digest of what that generation was built from
    problems text not null default ''
);
create table deliveries (
    id integer primary key,         -- grows in the order of landing
    source text not null,
    connector text not null,
    table_name text not null,
    unit text not null,
    version text not null,
    version_at text not null,
    cursor text,
    files text not null,            -- JSON: sha256, size, name, format, path below raw/
    row_count integer,              -- null where nothing counted them
    landed_at text not null,
    state text not null check (state in ('landed', 'quarantined')),
    reason text not null default '',
    refused_by text not null default '',  -- digest of the code that could not read it
    collected_at text               -- its files are gone: newer versions took its place
);
create index deliveries_by_unit on deliveries (source, table_name, unit);
create table totals (
    delivery_id integer not null references deliveries (id),
    provider text not null,
    billing_account_id text not null,
    billing_period text not null,   -- YYYY-MM
    charge_month text not null,     -- YYYY-MM
    billing_currency text not null,
    measure text not null,
    row_count integer not null,
    amount text not null,           -- decimal, 12 places
    beyond text not null            -- decimal, what the source holds beyond 12 places
);
create index totals_by_delivery on totals (delivery_id);
create table restatements (
    id integer primary key,
    delivery_id integer not null references deliveries (id),
    source text not null,
    unit text not null,
    charge_month text not null,
    billing_currency text not null,
    measure text not null,
    before text not null,
    after text not null,
    at text not null,
    was_open integer not null,      -- 1: the unit was not over yet, so a change was to be expected
    why text not null
);
