"""Write `registry.db` with the real Feast, in an environment of its own: `python make.py`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from feast import (  # type: ignore[import-not-found]
    BigQuerySource,
    Entity,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    KafkaSource,
    PushSource,
    RedshiftSource,
    RepoConfig,
    SnowflakeSource,
    StreamFeatureView,
    ValueType,
)
from feast.data_format import JsonFormat  # type: ignore[import-not-found]
from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import (  # type: ignore[import-not-found]
    SparkSource,
)
from feast.types import Float32  # type: ignore[import-not-found]

AT = "ts"
DAY = timedelta(days=1)
HERE = Path(__file__).parent
ENTITY = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.INT64)
SCHEMA = [Field(name="x", dtype=Float32)]
SOURCES = {
    "v_stats": FileSource(
        name="stats",
        path="s3://Feast-Data/stats/",
        timestamp_field=AT,
        owner="ann@lab.example",
        tags={"team": "vision"},
    ),
    "v_clicks": FileSource(path="s3://feast-data/clicks.parquet", timestamp_field=AT),
    "v_bigquery": BigQuerySource(name="bigquery", table="lab.search.clicks", timestamp_field=AT),
    "v_query": BigQuerySource(name="query", query="select 'secret-7c1d'", timestamp_field=AT),
    "v_snowflake": SnowflakeSource(
        name="snowflake", database="LAB", schema="PUBLIC", table="CLICKS", timestamp_field=AT
    ),
    "v_redshift": RedshiftSource(
        name="redshift", database="lab", schema="public", table="clicks", timestamp_field=AT
    ),
    "v_spark": SparkSource(
        name="spark", path="s3a://feast-data/spark", file_format="parquet", timestamp_field=AT
    ),
    "v_push": PushSource(
        name="push",
        batch_source=FileSource(name="pushed", path="s3://feast-data/push", timestamp_field=AT),
    ),
}
SAYS: dict[str, dict[str, Any]] = {
    "v_clicks": {"owner": "bob", "tags": {"team": "nlp", "project": "chat"}},
    "v_spark": {"owner": "cy"},
}


def made() -> FeatureStore:
    """Return a store with a registry of all kinds of sources."""
    store = FeatureStore(
        config=RepoConfig(
            project="search",
            registry=str(HERE / "registry.db"),
            provider="local",
            online_store=None,
            entity_key_serialization_version=3,
        )
    )
    registry = store.registry
    registry.apply_entity(ENTITY, "search", commit=False)
    views = [
        FeatureView(
            name=name,
            entities=[ENTITY],
            ttl=DAY,
            schema=SCHEMA,
            source=source,
            **SAYS.get(name, {}),
        )
        for name, source in SOURCES.items()
    ]
    # one more reader, who is not the owner that another names
    views.append(
        FeatureView(
            name="w_spark",
            entities=[ENTITY],
            ttl=DAY,
            schema=SCHEMA,
            source=SOURCES["v_spark"],
            owner="dee",
            tags={"team": "search"},
        )
    )
    kept = FileSource(name="kept", path="s3://feast-data/kept", timestamp_field=AT)
    stream = KafkaSource(
        name="stream",
        kafka_bootstrap_servers="kafka.example",
        topic="clicks",
        timestamp_field=AT,
        message_format=JsonFormat("x double"),
        batch_source=kept,
    )
    views.append(
        StreamFeatureView(
            name="v_stream",
            entities=[ENTITY],
            ttl=DAY,
            schema=SCHEMA,
            source=stream,
            owner="eve",
            tags={"team": "stream"},
            timestamp_field=AT,
            aggregations=[],
        )
    )
    for source in (*SOURCES.values(), stream, kept):
        registry.apply_data_source(source, "search", commit=False)
    for view in views:
        registry.apply_feature_view(view, "search", commit=False)
    registry.commit()
    return store


if __name__ == "__main__":
    made()
