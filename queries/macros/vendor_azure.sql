-- What Azure's listings write in ways of their own.

-- A thing of Azure as bills call it: machines and disks by their name, all else by its path.
create or replace macro azure_id(path) as
case
    when regexp_matches(path, '/virtualMachineScaleSets/[^/]+/virtualMachines/\d+/*$', 'i')
        then lower(regexp_replace(path, '^.*/([^/]+)/[^/]+/(\d+)/*$', '\1_\2'))
    when regexp_matches(path, '/(disks|virtualMachines)/[^/]+/*$', 'i')
        then lower(regexp_extract(path, '/([^/]+)/*$', 1))
    else lower(regexp_replace(trim(path), '/+$', ''))
end;

-- Where a thing of Azure is, as bills write it.
create or replace macro azure_region(item) as
coalesce(lower(replace(json_extract_string(item, '$.location'), ' ', '')), 'global');
