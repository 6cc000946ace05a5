-- A journal that was put back: what happened between the copy and then is not known.

create table restores (
    id integer primary key,
    restored_at text not null,      -- UTC; what was to be mailed or enforced until then may have been
    backup text not null,           -- the copy's name
    backup_at text not null,        -- UTC: when the copy was made
    reentered integer not null      -- deliveries entered again from the log
);
