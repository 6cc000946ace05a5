-- What things refer to, by the listings that count.
--
-- grain: one row per thing, relation and what it refers to
-- key:   source, resource_id, relation, related_id
-- feeds: inventory_links
-- owner: ml-platform

select distinct
    listed_links.source,
    listed_links.resource_id,
    listed_links.relation,
    listed_links.related_id
from staging.listed_links
inner join staging.inventory__newest as newest
    on
        listed_links.charge_date = newest.charge_date
        and listed_links.source = newest.source
        and listed_links.sub_account_id = newest.sub_account_id
        and listed_links.region_id = newest.region_id
        and listed_links.resource_type = newest.resource_type
