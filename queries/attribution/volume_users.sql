-- One row is about who used a volume on a day, and their share of what it and its snapshots cost.
--
-- Who used it is told by the first of these that knows:
--   pod_claim         pods that mounted it by a claim, by the time for which they ran; runs in them
--                     have their part of that time, the rest is the pod's, as on machines;
--   attached_machine  the machine that it is attached to: whoever paid for the machine's hours, what
--                     was idle and what nobody can know, by the hours' length. Of a volume that was
--                     made for a claim, the pods of the claim's namespace on that machine alone. An
--                     owner's tag of the volume that the machine does not have, too, was set by
--                     somebody and comes before this;
--   snapshot_volume   of a snapshot without an owner's tag: those who used its volume, without what
--                     was idle.
-- What is tagged so, attached to nothing, or to a machine that nobody watches, has no row, and goes by
-- tags (`related_tags`).
-- Under `by_cluster` the users of a volume pay for its idle part, where it has any.
--
-- Shares run upwards from 0 to 1 over the users and then the idle rest, in whole nanoseconds.
--
-- grain: one row per day, kind of line, kind of cost, run and pod
-- key:   charge_date, kind_no, cost_kind, run_no, pod_no
-- step:  charge_date
-- param: idle_policy = 'separate'  -- who pays for what nobody held: separate, by_node or by_cluster
-- owner: ml-platform

with

things as (
    select distinct
        line_groups.charge_date,
        line_groups.kind_no,
        line_kinds.x_line_class,
        resource_key(line_kinds.resource_id) as resource_key,
        last_part(line_kinds.sub_account_id) as sub_account_id,
        line_kinds.tag_user,
        line_kinds.tag_team,
        line_kinds.tag_project
    from attribution.line_groups
    inner join attribution.line_kinds using (kind_no)
    where line_kinds.x_line_class in ('instance', 'volume', 'snapshot') and line_kinds.resource_id is not null
),

-- 1 row per attachment of a day
attachments as (
    select
        links.charge_date,
        links.resource_key as volume_key,
        links.sub_account_id,
        links.related_key as instance_id,
        links.namespace
    from attribution.volume_links as links
    where
        links.resource_type = 'volume'
        and not exists (
            select 1
            from things as tagged
            where
                tagged.x_line_class = 'volume'
                and tagged.charge_date = links.charge_date
                and tagged.resource_key = links.resource_key
                and coalesce(tagged.tag_user, tagged.tag_team, tagged.tag_project) is not null
                and not exists (
                    select 1
                    from things as machines
                    where
                        machines.x_line_class = 'instance'
                        and machines.charge_date = links.charge_date
                        and machines.resource_key = links.related_key
                        and coalesce(machines.tag_user = tagged.tag_user, tagged.tag_user is null)
                        and coalesce(machines.tag_team = tagged.tag_team, tagged.tag_team is null)
                        and coalesce(machines.tag_project = tagged.tag_project, tagged.tag_project is null)
                )
        )
),

volumes as (
    select
        charge_date,
        kind_no,
        resource_key as volume_key,
        sub_account_id,
        false as is_snapshot
    from things
    where x_line_class = 'volume'
    union all
    select distinct
        things.charge_date,
        things.kind_no,
        links.related_key as volume_key,
        things.sub_account_id,
        true as is_snapshot
    from things
    inner join attribution.volume_links as links
        on
            things.charge_date = links.charge_date
            and things.resource_key = links.resource_key
            and links.resource_type = 'snapshot'
            and coalesce(things.sub_account_id = links.sub_account_id, true)
    where
        things.x_line_class = 'snapshot'
        and coalesce(things.tag_user, things.tag_team, things.tag_project) is null
),

pod_slots as (
    select
        pod_days.pod_no,
        pod_days.run_no as labelled_run_no,
        claims.charge_date,
        claims.volume_id as volume_key,
        cast(hour(claims.charge_hour) as tinyint) as slot,
        cast(sum(least(pod_hours.held_seconds, 3600)) as bigint) * 1000000 as held_us
    from (
        select distinct
            charge_date,
            charge_hour,
            cluster,
            namespace,
            pod,
            volume_id
        from staging.pod_claims
    ) as claims
    inner join staging.pod_hours
        on
            claims.charge_hour = pod_hours.charge_hour
            and claims.cluster is not distinct from pod_hours.cluster
            and claims.namespace is not distinct from pod_hours.namespace
            and claims.pod is not distinct from pod_hours.pod
    inner join attribution.pod_days
        on
            claims.charge_date = pod_days.charge_date
            and claims.cluster is not distinct from pod_days.cluster
            and claims.namespace is not distinct from pod_days.namespace
            and claims.pod is not distinct from pod_days.pod
            and pod_hours.pod_uid is not distinct from pod_days.pod_uid
    where pod_hours.held_seconds > 0
    group by all
),

covered as (
    select
        pod_no,
        slot,
        cast(sum(cpu_us) as bigint) as covered_us
    from attribution.run_holds
    where pod_no is not null
    group by pod_no, slot
),

mounted as (
    select
        pod_slots.charge_date,
        pod_slots.volume_key,
        run_holds.run_no,
        pod_slots.pod_no,
        run_holds.cpu_us * 1000 as used_ns
    from pod_slots
    inner join attribution.run_holds using (pod_no, slot)
    union all
    -- what the runs in a pod leave of it
    select
        pod_slots.charge_date,
        pod_slots.volume_key,
        pod_slots.labelled_run_no as run_no,
        pod_slots.pod_no,
        greatest(pod_slots.held_us - coalesce(covered.covered_us, 0), 0) * 1000 as used_ns
    from pod_slots
    left join covered using (pod_no, slot)
),

machine_users as (
    select
        machine_hours.charge_date,
        machine_hours.instance_id,
        machine_shares.cost_kind,
        machine_shares.run_no,
        machine_shares.pod_no,
        cast(
            sum(
                whole_upto(machine_hours.up_us * 1000, machine_shares.share_to, 1)
                - whole_upto(machine_hours.up_us * 1000, machine_shares.share_from, 1)
            )
            as bigint
        ) as used_ns
    from attribution.machine_shares
    inner join attribution.machine_stints using (stint_no)
    inner join attribution.machine_hours using (machine_hour_no)
    semi join attachments
        on
            machine_hours.charge_date = attachments.charge_date
            and machine_hours.instance_id = attachments.instance_id
    group by
        machine_hours.charge_date,
        machine_hours.instance_id,
        machine_shares.cost_kind,
        machine_shares.run_no,
        machine_shares.pod_no
),

candidates as (
    select
        volumes.charge_date,
        volumes.kind_no,
        volumes.is_snapshot,
        1 as level,
        'direct' as cost_kind,
        mounted.run_no,
        mounted.pod_no,
        mounted.used_ns
    from volumes
    inner join mounted using (charge_date, volume_key)
    union all
    select
        volumes.charge_date,
        volumes.kind_no,
        volumes.is_snapshot,
        2 as level,
        machine_users.cost_kind,
        machine_users.run_no,
        machine_users.pod_no,
        machine_users.used_ns
    from volumes
    inner join attachments
        on
            volumes.charge_date = attachments.charge_date
            and volumes.volume_key = attachments.volume_key
            and coalesce(volumes.sub_account_id = attachments.sub_account_id, true)
    inner join machine_users
        on
            attachments.charge_date = machine_users.charge_date
            and attachments.instance_id = machine_users.instance_id
    left join attribution.pod_days using (pod_no)
    where attachments.namespace is null or attachments.namespace = pod_days.namespace
),

nearest as (
    select *
    from candidates
    where used_ns > 0
    qualify
        level = min(level) over (partition by charge_date, kind_no)
        and case
            when cost_kind = 'direct' then true
            when is_snapshot then false
            -- idle cost stays where nobody uses the volume at all
            when cost_kind = 'idle' and $idle_policy = 'by_cluster'
                then not bool_or(cost_kind = 'direct') over (partition by charge_date, kind_no)
            else true
        end
),

used as (
    select
        charge_date,
        kind_no,
        cost_kind,
        run_no,
        pod_no,
        case
            when is_snapshot then 'snapshot_volume'
            when level = 1 then 'pod_claim'
            else 'attached_machine'
        end as told_by,
        sum(used_ns) as used_ns
    from nearest
    group by charge_date, kind_no, cost_kind, run_no, pod_no, is_snapshot, level
)

select
    charge_date,
    kind_no,
    told_by,  -- pod_claim, attached_machine or snapshot_volume
    cost_kind,  -- as of machines: direct, idle or unattributed
    run_no,
    pod_no,
    share_of(sum(used_ns) over up_to - used_ns, sum(used_ns) over (partition by charge_date, kind_no))
        as share_from,
    share_of(sum(used_ns) over up_to, sum(used_ns) over (partition by charge_date, kind_no)) as share_to
from used
window up_to as (
    partition by charge_date, kind_no order by cost_kind, run_no, pod_no
    rows between unbounded preceding and current row
)
