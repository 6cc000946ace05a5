-- Which member a cost without a person's, a team's or a model's name goes to.

-- Who a posting's cost goes to in a dimension: the member where there is one, else the explicit
-- member of its kind of cost.
create or replace macro member_or_kind(member, cost_kind, otherwise) as
case
    when member is not null then member
    when cost_kind = 'idle' then '(idle)'
    when cost_kind = 'shared' then '(shared)'
    when cost_kind = 'tax' then '(tax)'
    when cost_kind = 'credit' then '(credit)'
    when cost_kind = 'commitment_unused' then '(unused commitment)'
    when cost_kind = 'unattributed' then 'unattributed'
    else otherwise
end;

-- How a team was found: by the membership of the user, where the team is that user's and known.
create or replace macro team_rule_of(is_team_of_user, team_of_user, found_by) as
case when is_team_of_user and team_of_user is not null then 'member_of' else found_by end;

-- An owner as somebody wrote it, without blanks around it; null where it names nobody: nothing but
-- blanks, or one of the members above, which would pass for it on every leaderboard.
--
-- Looked up by its place in a list: DuckDB makes a join of each `in` of that many words, which is a
-- hundred joins where a line's tags are asked under every key.
create or replace macro named_owner(written) as
case
    when
        coalesce(
            list_position(
                [
                    '', '(idle)', '(shared)', '(tax)', '(credit)', '(unused commitment)', 'unattributed',
                    'not a model''s', 'not a dataset''s'
                ],
                trim(written)
            ),
            0
        ) = 0
        then trim(written)
end;

-- What lineage asks of how a cost was cut: whether it is read or stored data; what a run has is its work.
create or replace macro full_cost_kind(method, run_id) as
case
    when method = 'reads' or (method = 'stored_bytes' and run_id is null) then method
    else 'work'
end;

-- Whether something runs code or keeps images of it without a machine that is its customer's, by the same
-- words in small letters. Some of these count `instances`, too.
create or replace macro is_serverless(category, service, meter) as
coalesce(
    regexp_matches(
        concat_ws(' ', category, service, meter),
        'serverless|lambda|function|fargate|container|registry|cloud run|app service|app engine|app runner'
    ),
    false
);

-- Whether a unit in small letters is one of time, such as the hours of a machine, or of its cores or memory.
create or replace macro is_unit_of_time(unit) as
coalesce(regexp_matches(unit, 'hour|minute|second|\bhrs?\b'), false);

-- Whether a unit in small letters is one of bytes: moved, or kept for a month.
create or replace macro is_unit_of_bytes(unit) as
coalesce(regexp_matches(unit, '\b([kmgtp]i?b|([kmgtp]\w*)?bytes?)\b') and not is_unit_of_time(unit), false);

-- Whether an id in small letters is that of a virtual machine: of AWS or Alibaba Cloud (`i-`), Tencent Cloud
-- (`ins-`), Azure, a scale set too, Oracle or Google. What belongs to a machine has a longer id.
create or replace macro is_machine_id(id) as
coalesce(
    regexp_matches(id, '^(arn:[^/]+:instance/)?i-[0-9a-z]{8,22}$')
    or regexp_matches(id, '^(.*[/:])?ins-[0-9a-z]{8}$')
    or regexp_matches(id, '/virtualmachine(s|scalesets/[^/]+/virtualmachines|scalesets)/[^/]+$')
    or regexp_matches(id, '^ocid[0-9]\.instance\.')
    or regexp_matches(id, '/zones/[^/]+/instances/[^/]+$'),
    false
);

-- What a line of a bill is, by what its service, its category and its meter are called, in small letters;
-- null where none of them tells.
create or replace macro class_of_words(service, category, meter) as
case
    when service like '%support%' then 'support'
    when
        service like '%nat gateway%'
        or service like '%cloud nat%'
        or meter like '%nat gateway%'
        or meter like '%natgateway%'
        or meter like '%cloud nat%'
        then 'nat'
    when
        service like '%load balanc%'
        or meter like '%load balanc%'
        or meter like '%loadbalanc%'
        then 'load_balancer'
    when
        service like '%bandwidth%'
        or meter like '%data transfer%'
        or meter like '%datatransfer%'
        or meter like '%egress%'
        or meter like '%aws-out-bytes%'
        or meter like '%aws-in-bytes%'
        then 'transfer'
    when meter like '%snapshot%' then 'snapshot'
    when
        meter like '%disk%'
        or meter like '%volume%'
        or category like '%block storage%'
        or category like '%file storage%'
        then 'volume'
    when
        category like 'storage%'
        and (
            meter like '%operation%'
            or meter like '%request%'
            or meter like '%retriev%'
        )
        then 'object_requests'
    when
        category like '%object storage%'
        or meter like '%bucket%'
        or meter like '%storage account%'
        or meter like '%timedstorage%'
        then 'object_storage'
    when
        service like '%kubernetes%'
        and (meter like '%cluster%' or meter like '%kubernetes service%')
        then 'control_plane'
    when category like '%generative%' then 'other'
    when
        service like '%sagemaker%'
        or service like '%vertex%'
        or service like '%machine learning%'
        then 'managed_job'
    when
        category like '%virtual machines%'
        or service like 'virtual machine%'
        or meter like '%boxusage%'
        or meter like '%spotusage%'
        or (
            category like 'compute%'
            and not is_serverless(category, service, meter)
            and (meter like '%instance%' or meter like '%virtual_machine%' or meter like '%virtualmachine%')
        )
        then 'instance'
end;

-- A kind of a machine's cost as one byte, which compares and sorts as its text does: rows of it are many.
create or replace macro machine_cost(kind) as cast(kind as enum('direct', 'idle', 'unattributed'));
