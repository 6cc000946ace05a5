-- How sure it is who used what a posting is for, by how its cost was cut (`line_methods`).
--   high    told of the thing itself: a machine's pods and runs by the hour, a job's own name, a claim,
--           an inventory's bytes, a store's log; a line that is nobody's work or goes by its owner whole
--   medium  told of something beside it: what a tracker or a dataset's size says was read, which
--           machine sent bytes or holds a volume, whose volume a snapshot was, a cluster's other costs
create or replace macro confidence_of_cut(method, is_logged) as
case
    when method = 'reads' then case when is_logged then 'high' else 'medium' end
    when method in ('flow_log', 'attached_machine', 'snapshot_volume', 'cluster_share') then 'medium'
    when
        method in (
            'by_kind', 'machine_share', 'managed_job', 'stored_bytes', 'run_artefacts', 'pod_claim',
            'owner'
        )
        then 'high'
end;

-- How sure it is whose the cost is, by the rule that found the owner; 'none' where none did.
create or replace macro confidence_of_owner(rule) as
case
    when rule in ('unattributed', 'lost_telemetry', 'none') then 'none'
    when rule in ('related_tag', 'account_tag') then 'medium'
    else 'high'
end;

-- The less sure of two.
create or replace macro less_sure(one, other) as
case
    when 'none' in (one, other) then 'none'
    when 'medium' in (one, other) then 'medium'
    else one
end;
