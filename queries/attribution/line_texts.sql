-- One row is about a set of texts that lines of a file have in common, as `line_sums` added them up.
--
-- A line of object storage is of a meter, which tells the storage class.
--
-- grain:  one row per file of lines and set of texts that attribution reads
-- beside: cost_lines
-- owner:  ml-platform

select
    line_sums.line_hash,
    cost_lines.source,
    cost_lines.billing_period,
    cost_lines.billing_currency,
    cost_lines.sub_account_id,
    cost_lines.service_name,
    cost_lines.region_id,
    cost_lines.resource_id,
    cost_lines.x_line_class,
    cost_lines.x_from_region,
    cost_lines.x_to_region,
    cost_lines.tags,
    cost_lines.x_instance_type,
    cost_lines.x_gpu_count,
    cost_lines.x_cpu_count,
    cost_lines.x_memory_gib,
    cost_lines.invoice_id,
    case when cost_lines.x_line_class = 'object_storage' then cost_lines.sku_meter end as storage_meter
from staging.cost_lines
inner join attribution.line_sums on cost_lines.x_row = line_sums.example_row
