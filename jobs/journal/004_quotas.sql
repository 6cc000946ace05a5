-- Quotas: where each stands, which thresholds were reached, who is stopped, what the gate let through.

create table quota_states (
    quota text not null,
    member text not null,
    window_start text not null,     -- a rolling window has one state, under ''
    window_end text not null,       -- exclusive
    dimension text not null,
    measure text not null,
    state text not null check (state in ('ok', 'warned', 'over', 'enforced', 'released')),
    threshold text not null,        -- the highest share reached; '' for none
    limit_amount text not null,     -- decimal
    used_amount text not null,
    billing_currency text,          -- null where the measure is not money
    generation text not null,       -- that said so
    changed_at text not null,       -- when `state` last changed
    primary key (quota, member, window_start)
);
create table quota_events (
    id integer primary key,
    quota text not null,
    member text not null,
    window_start text not null,
    threshold text not null,        -- share of the limit
    action text not null,           -- warn, mail or enforce: what the config file said of it then
    dimension text not null,
    window_end text not null,
    limit_amount text not null,
    used_amount text not null,
    billing_currency text,
    generation text not null,
    at text not null,
    unique (quota, member, window_start, threshold)
);
create table stops (
    id integer primary key,
    key text not null unique,       -- the same for every attempt at this stop
    lever text not null,            -- its name in the config file
    target text not null,
    member text not null,
    reason text not null,           -- as those read it who are hit
    causes text not null,           -- JSON: quota, member, window_start of each
    until text not null,            -- the day on which it ends by itself
    wish text not null check (wish in ('stop', 'release')),
    result text not null check (result in ('intended', 'done', 'not done', 'unknown')),
    before text,                    -- JSON: what stood there; null until it was looked at
    note text not null default '',
    intended_at text not null,      -- of the stop
    changed_at text not null,
    is_pardon integer not null default 0,  -- 1: a person took it back, and it stays so until `until`
    closed_at text                  -- nothing of it is in force any more
);
create unique index one_stop_of_a_target on stops (lever, target) where closed_at is null;
create table reservations (
    id integer primary key,
    team text,                      -- who asked; null where that was not told
    user text,
    project text,
    gpus text not null,             -- decimal
    hours text not null,
    gpu_hours text not null,
    costs text not null,            -- JSON: currency -> estimate, of the currencies that quotas are in
    at text not null,
    expires_at text not null        -- the bill shows it by then
);
create index reservations_by_end on reservations (expires_at);
