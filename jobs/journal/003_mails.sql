-- Mails: the intent is entered before a mail is handed over, what came of it after. So a mail
-- goes out at most once, whatever fails: an intent without an end is never sent again by itself.

create table mails (
    id integer primary key,
    report_id text not null,        -- what it is about: 'digest 2026-W47'
    recipient text not null,        -- mail address; anonymised when personal rows grow old
    message_id text not null,
    subject text not null,
    -- intended, sent, deferred (the server asked to try later), refused, unknown (cut off while
    -- it was handed over, or the night was killed)
    state text not null check (state in ('intended', 'sent', 'deferred', 'refused', 'unknown')),
    answer text not null default '',  -- the server's own words
    tries integer not null default 1,
    intended_at text not null,      -- UTC
    ended_at text,
    unique (report_id, recipient)
);

create table mail_reports (
    report_id text primary key,     -- handed over to everybody it is for
    ended_at text not null
);
