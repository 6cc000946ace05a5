-- Claims: spend that nobody was known to own, and who took it. Rows are never changed but to withdraw them.

create table claims (
    id integer primary key,
    user_id text,
    team text,
    project text,
    match_source text,              -- globs; null matches everything
    match_sub_account_id text,
    match_service_name text,
    match_resource_id text,
    match_tag_key text,
    match_tag_value text,
    valid_from text,                -- inclusive; null: always
    valid_to text,                  -- exclusive; null: for ever
    why text not null,
    made_by text not null,
    made_at text not null,
    withdrawn_by text,
    withdrawn_at text,
    withdrawn_why text
);
