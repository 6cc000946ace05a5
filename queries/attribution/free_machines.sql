-- One row is about a machine that a scheduler had on a day, and gave no work.
--
-- grain:  one row per machine and day
-- key:    charge_date, instance_id
-- hashed: charge_date
-- owner:  ml-platform

select distinct
    charge_date,
    lower(coalesce(instance_id, node)) as instance_id  -- as the bill writes it, in lower case
from staging.free_nodes
