"""Tells Airflow what in threadline.yaml cannot be used: an import error of this file, which holds no DAG, so that it stops none."""

from airflow.sdk.exceptions import AirflowException
from threadline_dags import CONFIG, FAILED

problems = [f"{problem.entry}: {problem.message}" for problem in CONFIG.problems] + [f"{dag_id}: {why}" for dag_id, why in FAILED.items()]
if problems:
    raise AirflowException("\n- ".join(["these entries cannot be used, all others run:", *problems]))
