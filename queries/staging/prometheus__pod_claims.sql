-- A volume that a pod mounts in an hour, by a claim of its namespace.
--
-- A claim names its volume, and the volume what the cloud calls it: the last part of the driver's
-- handle, or of what drivers inside of Kubernetes were told before there were handles. Where the
-- cluster does not say, the volume's own name stands: GKE and AKS call disks that they make so.
--   claim unknown, or not bound: no row;
--   a file share that several claims are folders of: its handle names the share, then the folder.
--
-- grain:     one row per pod, claim and hour
-- key:       charge_hour, cluster, namespace, pod, claim
-- partition: charge_date
-- feeds:     pod_claims
-- owner:     ml-platform

with

samples as not materialized (
    select
        query,
        sampled_at - interval 1 hour as charge_hour,
        cluster,
        namespace,
        pod,
        claim,
        volume,
        coalesce(volume_handle, ebs_volume_id, gce_disk_name, azure_disk_name) as handle
    from raw.prometheus__samples
    where query in ('pod_claim', 'volume_claim', 'volume_handle')
),

claims as (
    select
        charge_hour,
        cluster,
        namespace,
        claim,
        max(volume) as volume
    from samples
    where query = 'volume_claim' and volume is not null
    group by charge_hour, cluster, namespace, claim
),

handles as (
    select
        charge_hour,
        cluster,
        volume,
        max(handle) as handle
    from samples
    where query = 'volume_handle'
    group by charge_hour, cluster, volume
),

mounts as (
    select distinct
        charge_hour,
        cluster,
        namespace,
        pod,
        claim
    from samples
    where query = 'pod_claim' and claim is not null
)

select
    cast(mounts.charge_hour as date) as charge_date,
    mounts.charge_hour,
    mounts.cluster,
    mounts.namespace,
    mounts.pod,
    mounts.claim,
    lower(split_part(split_part(coalesce(handles.handle, claims.volume), '::', 1), '/', -1)) as volume_id
from mounts
inner join claims
    on
        mounts.charge_hour = claims.charge_hour
        and mounts.cluster = claims.cluster
        and mounts.namespace = claims.namespace
        and mounts.claim = claims.claim
left join handles
    on
        claims.charge_hour = handles.charge_hour
        and claims.cluster = handles.cluster
        and claims.volume = handles.volume
