-- A version of a model package that a training job of SageMaker made.
--
-- grain: one row per job and version
-- key:   run_key, model_name, model_version
-- feeds: run_models
-- owner: ml-platform

select
    run_key,
    split_part(model_package_arn, '/', 2) as model_name,
    split_part(model_package_arn, '/', 3) as model_version
from staging.sagemaker__newest_works
where model_package_arn is not null
