-- One row is about a metric that a run is for: where it began, where it was best, and where it ended.
--
-- Which way is better is said by the config's `minimise` and `maximise`, else by the name: a loss or an
-- error is better the smaller it is, an accuracy or a score the larger. Where neither says it, nothing is best.
-- Values that are no number count for nothing but `lost_points`. Of several records of a run that have the
-- metric the one with the most points counts.
--
-- grain: one row per run and metric
-- key:   run_id, metric
-- param: minimise = ''  -- names of metrics that are better the smaller they are, with commas; * stands for anything
-- param: maximise = ''  -- of those that are better the larger they are
-- owner: ml-platform

with

metrics as (
    select distinct
        metric,
        string_split_regex(lower(metric), '[^a-z0-9]+') as words
    from staging.run_objectives
),

directions as (
    select
        metric,
        len(list_filter(string_split($minimise, ','), lambda named: metric glob named)) > 0 as is_named_small,
        len(list_filter(string_split($maximise, ','), lambda named: metric glob named)) > 0 as is_named_large,
        len(
            list_filter(
                words,
                lambda word: regexp_full_match(
                    word, '.*loss|.*error|err|perplexity|ppl|nll|r?mse|mae|mape|[wc]er|fid|regret|brier'
                )
            )
        ) > 0 as is_small_by_name,
        len(
            list_filter(
                words,
                lambda word: regexp_full_match(
                    word,
                    'acc|.*accuracy|f1|.*auc|auroc|precision|recall|m?ap|ndcg|mrr|bleu|rouge.?|m?iou|dice'
                    || '|rewards?|returns?|scores?|r2|psnr|ssim'
                )
            )
        ) > 0 as is_large_by_name
    from metrics
),

ways as (
    select
        metric,
        case
            when is_named_small <> is_named_large then if(is_named_small, 'minimise', 'maximise')
            when not is_named_small and is_small_by_name <> is_large_by_name
                then if(is_small_by_name, 'minimise', 'maximise')
        end as direction
    from directions
),

points as (
    select
        run_links.run_id,
        run_links.run_key,
        objectives.metric,
        ways.direction,
        objectives.step,
        objectives.logged_at,
        objectives.value,
        case ways.direction when 'minimise' then objectives.value when 'maximise' then -objectives.value end as badness
    from staging.run_objectives as objectives
    inner join attribution.run_links using (run_key)
    inner join ways using (metric)
),

summaries as (
    select
        run_id,
        run_key,
        metric,
        any_value(direction) as direction,
        count(value) as point_count,
        count(*) - count(value) as lost_points,
        arg_min(value, (step, logged_at)) filter (where value is not null) as first_value,
        arg_max(value, (step, logged_at)) filter (where value is not null) as last_value,
        arg_min(value, (badness, step, logged_at)) filter (where badness is not null) as best_value,
        arg_min(step, (badness, step, logged_at)) filter (where badness is not null) as best_step,
        arg_min(logged_at, (badness, step, logged_at)) filter (where badness is not null) as best_at,
        max(step) as last_step,
        max(logged_at) as last_at
    from points
    group by run_id, run_key, metric
    qualify row_number() over (partition by run_id, metric order by count(value) desc, run_key asc) = 1
),

points_after as (
    select
        summaries.run_key,
        summaries.metric,
        count(*) as points_after
    from staging.run_objectives as objectives
    inner join summaries
        on objectives.run_key = summaries.run_key and objectives.metric = summaries.metric
    where (objectives.step, objectives.logged_at) > (summaries.best_step, summaries.best_at)
    group by summaries.run_key, summaries.metric
)

select
    summaries.run_id,
    summaries.metric,
    summaries.direction,  -- minimise, maximise; null: nobody says which way is better
    summaries.point_count,
    summaries.lost_points,  -- logged as no number, or as infinite
    summaries.first_value,
    summaries.best_value,
    summaries.last_value,
    summaries.best_step,
    summaries.last_step,
    summaries.best_at,  -- when the best was logged first
    summaries.last_at,
    coalesce(points_after.points_after, 0) as points_after  -- logged after the best
from summaries
left join points_after using (run_key, metric)
