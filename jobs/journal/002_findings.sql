-- The life of findings. Dates are days of the bill, or what a person set; money is text.

create table findings (
    finding_id text primary key,
    detector text not null,
    resource_id text not null,
    resource_name text,
    provider text,
    region_id text,
    owner_user text,
    owner_team text,
    since text not null,
    monthly_waste text not null,    -- decimal, 12 places, as last found
    billing_currency text not null,
    confidence text not null,
    evidence text not null,
    conflict_key text not null,
    fix text not null,
    opened_date text not null,      -- the newest day of the bill when it was first found
    seen_date text not null,        -- the same, when it was last found
    resolved_date text,             -- the same, when it was gone; null: it is there
    verified_monthly_saving text    -- decimal; null until the later bill shows it
);
create table finding_mutes (
    id integer primary key,
    finding_id text not null references findings (finding_id),
    muted_until text not null,      -- exclusive: on that day of the bill it is open again
    muted_by text not null,
    why text not null,
    muted_at text not null,         -- UTC
    ended_at text                   -- null: in force
);
create index finding_mutes_in_force on finding_mutes (finding_id) where ended_at is null;
create table finding_generations (
    generation text primary key,    -- whose findings are entered above
    entered_at text not null
);
