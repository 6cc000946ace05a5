-- Lines of a bill that do not say what they cost: of deliveries that were entered before, nobody counted them.

alter table totals add column blank_count integer not null default 0;
