-- Whose a DAG is: its one owner, and the team and project among its tags.
--
-- Tags are `team:vision` or `team=vision`, and `project:` likewise. SOME DAGs have several owners:
-- whose they are is not guessed. Airflow's own default, `airflow`, is nobody.
--
-- grain: one row per DAG
-- key:   source, dag_id
-- owner: ml-platform

with

dags as (
    select
        *,
        list_filter(string_split(owners, ','), lambda owner: owner not in ('airflow', '')) as people
    from raw.airflow__dags
    where gone_at is null
    qualify row_number() over (partition by x_source, key order by x_version_at desc, x_unit desc) = 1
)

select
    x_source as source,
    dag_id,
    case when len(people) = 1 then people[1] end as user_raw,
    list_extract(regexp_extract_all(tags, '(?:^|,)team[:=]([^,]+)', 1), 1) as team_raw,
    list_extract(regexp_extract_all(tags, '(?:^|,)project[:=]([^,]+)', 1), 1) as project_raw
from dags
