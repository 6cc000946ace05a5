-- One row is about a run that has files in a folder, and who owned it on its last day.
--
-- What a run has stored is there when it is over; its owners are then those of its last day.
--
-- grain: one row per run
-- key:   run_id
-- owner: ml-platform

select
    run_id,
    user_raw,
    team_raw,
    project_raw,
    rule_rank
from attribution.run_days
semi join attribution.artefact_prefixes using (run_id)
qualify row_number() over (partition by run_id order by charge_date desc) = 1
