#!/bin/sh
# Makes a user and a database for Airflow and for threadline when the volume is new: neither can read the other's.
set -eu
create() {
    psql --set ON_ERROR_STOP=1 --set name="$1" --set password="$2" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
SQL
}
create airflow "$AIRFLOW_DATABASE_PASSWORD"
create threadline "$THREADLINE_DATABASE_PASSWORD"
