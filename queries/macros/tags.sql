-- Tags and labels, in the ways that sources write them, as maps.

-- Labels of a thing, {"team": "vision"}, as a map.
create or replace macro json_map(labels) as
coalesce(try_cast(labels as map (varchar, varchar)), map());

-- A list of keys and values, [{"key": ..., "value": ...}], read from its text: JSON, or the way that
-- Python prints such a list. Null for a text that is neither.
create or replace macro keyed_values(pairs) as
coalesce(
    json_transform(try_cast(pairs as json), '[{"key": "VARCHAR", "value": "VARCHAR"}]'),
    list_transform(
        try_cast(
            pairs as struct(key varchar, value varchar, inherited varchar, namespace varchar)[]
        ),
        lambda pair: struct_pack(key := pair['key'], value := pair['value'])
    )
);

-- The same list with what its keys begin with.
create or replace macro prefixed(pairs, prefix) as
list_transform(pairs, lambda pair: struct_pack(key := prefix || pair['key'], value := pair['value']));

-- A list of keys and values as a map: of two values under one key the first counts.
create or replace macro first_of_keys(pairs) as
map_from_entries(
    list_transform(
        list_distinct(
            list_transform(list_filter(pairs, lambda pair: pair['key'] is not null), lambda pair: pair['key'])
        ),
        lambda wanted: struct_pack(
            k := wanted,
            v := list_filter(pairs, lambda pair: pair['key'] = wanted)[1]['value']
        )
    )
);

-- A list of keys and values as a map; of a key that comes twice the first counts.
create or replace macro tag_map(entries) as
map_from_entries(
    list_transform(
        list_sort(list_distinct(list_transform(entries, lambda entry: entry.k))),
        lambda wanted: struct_pack(
            k := wanted,
            v := list_filter(entries, lambda entry: entry.k = wanted)[1].v
        )
    )
);

-- What a map holds under keys that begin alike, without that beginning.
create or replace macro tags_under(tags, beginning) as
map_from_entries(
    list_transform(
        list_filter(map_entries(tags), lambda tag: starts_with(tag['key'], beginning)),
        lambda tag: struct_pack(k := substr(tag['key'], length(beginning) + 1), v := tag['value'])
    )
);

-- What people say of a run: the map `named` (as JSON), and those words of a list (as JSON) that name
-- something, `team:vision` or `mlflow_run_id=8f3c`. Of a key that comes twice the first of `named` counts.
create or replace macro labels_of(named, words) as
tag_map(
    list_concat(
        list_transform(
            map_entries(from_json(coalesce(named, '{}'), '"MAP(VARCHAR, VARCHAR)"')),
            lambda entry: { k: entry.key, v: entry.value }
        ),
        list_transform(
            list_filter(
                from_json(coalesce(words, '[]'), '["VARCHAR"]'),
                lambda word: regexp_matches(word, '^[^:=]+[:=].')
            ),
            lambda word: {
                k: trim(regexp_extract(word, '^([^:=]+)[:=](.+)$', 1)),
                v: trim(regexp_extract(word, '^([^:=]+)[:=](.+)$', 2))
            }
        )
    )
);

-- Whether tags name a run of another system, as `run_mentions` reads them: all tags of a row of
-- seeds.run_tags, given as the list `known`, are there and not empty, or one is that is called
-- `finops.same.<system>` or `finops.parent.<system>`.
create or replace macro names_runs(tags, known) as
len(
    list_filter(
        known,
        lambda names: len(
            list_filter(string_split(names, ' '), lambda tag: coalesce(tags[tag], '') <> '')
        ) = len(string_split(names, ' '))
    )
) > 0
or len(
    list_filter(
        map_entries(tags),
        lambda entry: regexp_matches(entry.key, '^finops\.(same|parent)\..') and entry.value <> ''
    )
) > 0;

-- The namespace of the claim that a volume was made for, as drivers of Kubernetes write it on the volume;
-- AWS writes `kubernetes.io/created-for/pvc/namespace`, others what their tags and labels may hold of it.
create or replace macro claim_namespace(tags) as
list_filter(
    map_entries(tags),
    lambda tag: regexp_matches(lower(tag['key']), 'kubernetes.io.created.for.pvc.namespace$') and tag['value'] <> ''
)[1]['value'];
