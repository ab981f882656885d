#!/bin/sh
# Brings Airflow's database up to date and makes its first administrator; harmless when repeated.
set -eu
airflow db migrate
# The password is answered to the prompt: an argument could be read in the list of processes.
printf '%s\n%s\n' "$AIRFLOW_ADMIN_PASSWORD" "$AIRFLOW_ADMIN_PASSWORD" |
    airflow users create --role Admin --username "$AIRFLOW_ADMIN_USER" --email "$AIRFLOW_ADMIN_EMAIL" --firstname Airflow --lastname Admin
