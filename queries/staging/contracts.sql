-- The canonical tables: what every staging model with a line `feeds: <table>` yields, column for
-- column. `staging.<table>` is generated as the union of its feeders; with none it is empty.
-- Times are UTC and half-open; ids are text; money is in billing_currency.

create table cost_lines (
    source varchar,  -- the configured source that delivered the line
    billing_period date,  -- first day of the invoice's month
    charge_date date,  -- UTC day of use; the first day where a charge covers more than one
    charge_hour timestamp,  -- start of the hour of use; null where the charge is longer than an hour
    charge_period_start timestamp,  -- inclusive
    charge_period_end timestamp,  -- exclusive
    billed_cost decimal(38, 12),  -- cash: what the invoice says
    effective_cost decimal(38, 12),  -- amortised: commitments spread over what they cover
    list_cost decimal(38, 12),  -- at list price
    contracted_cost decimal(38, 12),  -- at the negotiated price, before commitments
    billing_currency varchar,  -- ISO 4217
    billing_account_id varchar,
    billing_account_name varchar,
    sub_account_id varchar,
    sub_account_name varchar,
    invoice_id varchar,  -- null until the invoice is final
    service_provider_name varchar,  -- who provides the service
    host_provider_name varchar,  -- whose machines it runs on
    service_category varchar,  -- FOCUS service category
    service_name varchar,
    region_id varchar,
    availability_zone varchar,
    resource_id varchar,  -- as the bill writes it, except ids of EC2 (i-, vol-, snap-, eipalloc-): the last part alone
    resource_name varchar,
    resource_type varchar,
    charge_category varchar,  -- Usage, Purchase, Tax, Credit, Adjustment
    charge_class varchar,  -- Correction, or null
    charge_frequency varchar,  -- One-Time, Recurring, Usage-Based
    charge_description varchar,
    commitment_discount_id varchar,
    commitment_discount_type varchar,
    commitment_discount_status varchar,  -- Used, Unused, or null
    pricing_category varchar,  -- Standard, Dynamic, Committed, Other
    consumed_quantity decimal(38, 12),
    consumed_unit varchar,
    sku_id varchar,
    sku_meter varchar,  -- the provider's usage type
    tags map (varchar, varchar),  -- keys as delivered
    -- instance, managed_job, volume, snapshot, object_storage, object_requests, transfer, nat,
    -- load_balancer, control_plane, commitment_unused, purchase, support, tax, credit, saas, other
    x_line_class varchar,  -- what kind of thing the line pays for, a closed list
    x_instance_type varchar,  -- p4d.24xlarge; null where the line is not a machine's
    x_gpu_count decimal(18, 6),  -- what the bill says that the machine has; null where it does not
    x_cpu_count decimal(18, 6),  -- virtual CPUs
    x_memory_gib decimal(18, 6),
    x_from_region varchar,  -- transfers: where the bytes came from
    x_to_region varchar  -- transfers: a region, 'internet', or null
);

create table runs (
    run_key varchar,  -- of source, native id and attempt: run_key_of()
    source varchar,
    system varchar,  -- what kind of source saw it: mlflow, airflow, slurm, ... as its connector is named
    native_id varchar,  -- the tracker's own id
    attempt integer,  -- from 1
    parent_native_id varchar,  -- the run that started this one: pipelines, sweeps
    kind varchar,  -- training, job, pipeline, notebook, serving
    run_name varchar,
    experiment varchar,
    user_raw varchar,  -- as the source names the user; identities make a person of it
    team_raw varchar,
    project_raw varchar,
    status varchar,  -- queued, running, succeeded, failed, cancelled, preempted, lost
    status_raw varchar,
    started_at timestamp,
    ended_at timestamp,  -- as the source says, be it before the start; null while it runs
    last_seen_at timestamp,  -- newest sign of life; closes runs that never end
    code_sha varchar,
    code_is_dirty boolean,
    gpu_count decimal(18, 6),  -- GPUs held, where the source says
    cloud_job_arn varchar  -- a managed job's id as the bill writes it
);

create table run_places (
    run_key varchar,
    cluster varchar,
    namespace varchar,
    pod varchar,
    pod_uid varchar,
    node varchar,
    instance_id varchar,  -- as cost_lines.resource_id writes it
    gpu_count decimal(18, 6),  -- held there, as are the next two: 0 is none, null is not told
    cpu_count decimal(18, 6),  -- as the machine's own cores are counted
    memory_gib decimal(18, 6),
    started_at timestamp,
    ended_at timestamp
);

create table run_inputs (
    run_key varchar,
    dataset_uri varchar,  -- normalised: lower-case scheme and host, s3a and s3n as s3, no trailing slash
    dataset_name varchar,
    dataset_digest varchar,
    context varchar,  -- training, evaluation, ...
    bytes_read bigint  -- where the source says
);

create table run_outputs (
    run_key varchar,
    dataset_uri varchar,  -- data that the run wrote, normalised as run_inputs
    dataset_digest varchar  -- its version, where the source says
);

create table run_models (
    run_key varchar,
    model_name varchar,
    model_version varchar
);

create table run_references (
    run_key varchar,
    resource_id varchar  -- a resource that the run names, in a tag or as a dataset's place; as inventory writes it
);

-- The history of a metric that a run is for, such as its validation loss.
create table run_objectives (
    run_key varchar,
    metric varchar,
    step bigint,  -- as the run counts them
    logged_at timestamp,
    value double  -- null: not a number, or infinite
);

-- What people and programs say of a run in words of their own: tags, labels, variables of its environment. They
-- may name its model, and the same run in other systems (seeds/run_tags.csv).
create table run_tags (
    run_key varchar,
    called varchar,  -- what the source calls them: tag, label, comment, metadata
    tags map (varchar, varchar)
);

-- What a source tells of a run in other systems, elsewhere than in its tags.
create table run_mentions (
    run_key varchar,
    system varchar,  -- of the mentioned run, as runs.system; null: the text does not tell
    -- as that system's runs.native_id writes it; airflow: dag_id/run_id/task_id, and /map_index of a mapped task
    native_id varchar,
    relation varchar,  -- same: both are records of one piece of work; parent: that one started this one
    evidence varchar  -- where it was said, for readers: MlflowDetails
);

create table pod_hours (
    charge_date date,
    charge_hour timestamp,
    cluster varchar,
    namespace varchar,
    pod varchar,
    pod_uid varchar,
    node varchar,
    run_native_id varchar,  -- from a pod label, where one names the run
    user_raw varchar,  -- from pod labels
    team_raw varchar,
    project_raw varchar,
    model_raw varchar,  -- the model a serving pod serves, from a pod label
    held_seconds integer,  -- running within the hour, 1 to 3600: a pod that did not run has no row
    gpu_units decimal(18, 6),  -- GPUs held while running; fractions where shared
    cpu_cores decimal(18, 6),  -- the larger of request and use, while running
    memory_gib decimal(18, 6),  -- the larger of request and use, while running
    cpu_used_cores decimal(18, 6),  -- cores used while running; null where nobody measured
    received_mib_per_second double  -- over the network, while running; null where nobody measured
);

-- A volume that a pod mounts in an hour, by a claim of its namespace.
create table pod_claims (
    charge_date date,
    charge_hour timestamp,
    cluster varchar,
    namespace varchar,
    pod varchar,
    claim varchar,
    volume_id varchar  -- in lower case, as resource_key() writes the bill's
);

-- A pod or task in an hour, as a bill splits the cost of its machine. Its money is not read: the machine's
-- own lines carry it.
create table billed_pods (
    charge_date date,
    charge_hour timestamp,
    cluster varchar,
    namespace varchar,  -- of a task: its service, else the family of its definition
    pod varchar,
    pod_uid varchar,
    node varchar,  -- as the cluster calls the machine; null where the bill does not say
    instance_id varchar,  -- as cost_lines.resource_id writes it
    tags map (varchar, varchar),  -- keys as delivered
    gpu_units decimal(18, 6),  -- held, as a mean over the hour
    cpu_cores decimal(18, 6),
    memory_gib decimal(18, 6),
    gpu_capacity decimal(18, 6),  -- of the machine, as the pod's part of it tells; a mean over the hour
    cpu_capacity decimal(18, 6),
    memory_gib_capacity decimal(18, 6)
);

create table node_hours (
    charge_date date,
    charge_hour timestamp,
    cluster varchar,
    node varchar,
    instance_id varchar,  -- last part of the provider id
    instance_type varchar,
    gpu_capacity decimal(18, 6),
    cpu_capacity decimal(18, 6),
    memory_gib_capacity decimal(18, 6),
    up_seconds integer  -- 0 to 3600
);

-- A machine that a scheduler had on a day, and gave no work, as its own records tell.
create table free_nodes (
    source varchar,
    charge_date date,
    node varchar,
    instance_id varchar  -- as cost_lines.resource_id writes it; null: ask by the node's name
);

create table gpu_hours (
    charge_date date,
    charge_hour timestamp,
    cluster varchar,
    node varchar,
    gpu_uuid varchar,
    gpu_instance_id varchar,  -- MIG instance, or null
    namespace varchar,
    pod varchar,
    activity double,  -- mean share of the hour the GPU was active, 0 to 1
    activity_max double,
    memory_used_gib double,
    power_watts double,
    sample_share double  -- samples seen of those expected, 0 to 1; missing is unknown, not idle
);

-- What a pod served in an hour, by the counters of its server. A row of zeros is a model that was
-- loaded and not asked; where a server has no counters there is no row.
create table served_hours (
    charge_date date,
    charge_hour timestamp,
    cluster varchar,
    namespace varchar,
    pod varchar,
    model_name varchar,
    model_version varchar,  -- null where the server tells none
    requests decimal(18, 6),  -- fractions, because counters are read between samples
    input_tokens decimal(18, 6),  -- null where the server does not count tokens
    output_tokens decimal(18, 6),
    compute_seconds decimal(18, 6)  -- requests side by side are added up
);

create table people (
    user_id varchar,  -- the one id of a person or a service account
    user_name varchar,  -- for readers
    email varchar,
    is_service boolean,  -- a service account: its team answers for it
    left_on date  -- the first day on which the person is gone; null: still there
);

create table aliases (
    alias varchar,  -- a name that some system gives the person; compared without case
    user_id varchar,
    valid_from date,  -- inclusive; null: always
    valid_to date  -- exclusive; null: for ever
);

create table memberships (
    user_id varchar,
    team varchar,
    valid_from date,
    valid_to date
);

create table ownership_rules (
    rule_id varchar,
    position integer,  -- the first that matches wins; overrides come before rules
    is_override boolean,
    is_claim boolean,  -- somebody took what nobody owned: it speaks last
    match_run varchar,  -- globs; null matches everything
    match_experiment varchar,
    match_namespace varchar,
    match_source varchar,
    match_sub_account_id varchar,
    match_service_name varchar,
    match_resource_id varchar,
    match_tag_key varchar,
    match_tag_value varchar,
    user_id varchar,
    team varchar,
    project varchar,
    valid_from date,
    valid_to date
);

create table datasets (
    dataset varchar,
    version varchar,
    uri varchar,  -- normalised; bytes and reads under it are the dataset's
    region_id varchar,
    owner_user varchar,
    owner_team varchar,
    project varchar,
    valid_from date,  -- the version's first day in its place; null: always
    is_declared boolean  -- written in the ownership file: it counts before what a tool tells of a place
);

create table stored_bytes (
    charge_date date,  -- the day of the inventory; holds until the next one
    container varchar,  -- bucket or volume, as cost_lines.resource_id writes it
    prefix varchar,  -- key prefix, '' for the whole container
    storage_class varchar,
    size_bytes bigint,
    object_count bigint,
    is_current boolean  -- false: non-current versions and incomplete uploads
);

-- A folder that holds what one run stored: checkpoints, models, plots.
create table artefact_folders (
    source varchar,
    root_uri varchar,  -- normalised as run_inputs; the folder that it lies in
    folder varchar,  -- its name there
    run_key varchar,
    is_deleted boolean  -- somebody deleted the run
);

-- A folder in which each folder of the right form is one run's.
create table artefact_roots (
    source varchar,
    experiment_id varchar,
    root_uri varchar,
    is_deleted boolean,  -- somebody deleted the experiment, with all its runs
    has_all_runs boolean  -- every run that there ever was is known, so that a folder of none is nobody's
);

-- What an inventory of objects lists on its day, by folder; stored_bytes has it beside other sources.
create table listed_bytes (
    charge_date date,
    container varchar,
    prefix varchar,
    storage_class varchar,
    size_bytes bigint,  -- as billed: infrequent-access classes have a least size per object
    object_count bigint,
    is_current boolean
);

-- Reads of objects that succeeded, as logs of the store have them.
create table object_reads (
    source varchar,
    charge_date date,  -- UTC day of the read
    container varchar,  -- bucket, as the log writes it
    prefix varchar,  -- folder of the key, '' at the top
    requester_raw varchar,  -- principal as logged; null: nobody signed
    requester_region varchar,  -- a region, 'same' for the container's own, or null: not known
    request_count bigint,
    bytes_sent bigint
);

-- Bytes that a network interface sent or took in an hour, as logs of the network have them.
create table network_flows (
    source varchar,
    charge_date date,
    charge_hour timestamp,
    region_id varchar,
    interface_id varchar,
    instance_id varchar,  -- as cost_lines.resource_id writes it; null: ask the inventory
    zone_id varchar,  -- of the interface; null: not logged
    local_address varchar,  -- the interface's own
    remote_address varchar,  -- within the network; null beyond it
    -- private (within the network), nat (through a gateway, beyond it), internet, or service (the provider's, free)
    route varchar,
    is_sent boolean,  -- false: taken in
    byte_count bigint
);

create table list_prices (
    source varchar,
    provider varchar,
    service_name varchar,
    sku_id varchar,
    sku_meter varchar,  -- as cost_lines.sku_meter writes it
    region_id varchar,
    usage_type varchar,  -- ondemand, preemptible, commit1yr, ...
    price_unit varchar,
    unit_price decimal(38, 12),
    billing_currency varchar,
    effective_at timestamp,
    observed_at timestamp
);

-- What listings of cloud accounts have said, day by day: every listing that was made, as it was.
-- The three tables after these tell what of it is in force.
create table listed_scopes (
    charge_date date,  -- the UTC day of the listing
    source varchar,
    provider varchar,
    sub_account_id varchar,
    region_id varchar,
    resource_type varchar,
    is_whole boolean,  -- false: the provider refused a part, so that nothing is known of what is absent
    observed_at timestamp
);

-- A thing, on the day that it was listed; the columns are those of inventory.
create table listed_things (
    charge_date date,
    source varchar,
    provider varchar,
    sub_account_id varchar,
    region_id varchar,
    availability_zone_id varchar,
    resource_type varchar,
    resource_id varchar,
    resource_name varchar,
    state varchar,
    state_raw varchar,
    created_at timestamp,
    state_since timestamp,  -- null where the provider does not say
    last_used_at timestamp,
    size_gib decimal(18, 6),
    instance_type varchar,
    is_protected boolean,
    tags map (varchar, varchar),
    observed_at timestamp
);

-- What a unit of one currency came to in another on a day, as published; a day without a rate has no row.
create table exchange_rates (
    source varchar,
    rate_date date,
    from_currency varchar,  -- ISO 4217; one unit of it ...
    to_currency varchar,  -- ... is so many of these; one of the two is EUR
    rate decimal(38, 12)
);

-- What a listed thing refers to; the columns are those of inventory_links.
create table listed_links (
    charge_date date,
    source varchar,
    sub_account_id varchar,
    region_id varchar,
    resource_type varchar,  -- of resource_id
    resource_id varchar,
    relation varchar,
    related_id varchar
);

-- What there is in a cloud account, as its own API lists it on the day of the extraction: the
-- newest listing of an (account, region, resource_type) replaces the one before it.
create table inventory (
    source varchar,
    provider varchar,  -- AWS, Google Cloud, Microsoft, ...
    sub_account_id varchar,
    region_id varchar,
    availability_zone_id varchar,  -- the zone's own id, such as use1-az4: names differ per account
    -- instance, volume, snapshot, image, launch_template, backup_plan, address, load_balancer,
    -- nat_gateway, bucket, endpoint, notebook
    resource_type varchar,
    resource_id varchar,  -- as cost_lines.resource_id writes it
    resource_name varchar,
    -- running, stopped (machine billed), deallocated (disks only), in_use, unattached, available, disabled, other
    state varchar,
    state_raw varchar,
    created_at timestamp,
    -- when it came into this state, where the provider says; else the first of our listings that has it so
    state_since timestamp,
    last_used_at timestamp,  -- launched from, attached or read, where the provider says
    size_gib decimal(18, 6),
    instance_type varchar,
    is_protected boolean,  -- kept by a backup service or a rule of the provider
    tags map (varchar, varchar),
    observed_at timestamp
);

-- What refers to what; an id that the inventory does not list is a thing that is gone, or of another account.
create table inventory_links (
    source varchar,
    resource_id varchar,
    -- attached_to (volume, address -> instance), made_from (snapshot -> volume, volume -> snapshot,
    -- image -> instance, instance -> image), maps (image, launch template -> snapshot or image),
    -- keeps (backup plan -> snapshot), shared_with (snapshot, image -> account), backend (balancer -> instance),
    -- has_interface (instance -> network interface)
    relation varchar,
    related_id varchar
);

-- What an inventory looked at, whole: nothing is known of what has no row here, though parts of it may be listed.
create table inventory_scopes (
    source varchar,
    provider varchar,
    sub_account_id varchar,
    region_id varchar,
    resource_type varchar,
    observed_at timestamp
);
