#!/usr/bin/env bash
# The database, its replica in the other region, and the buckets for what must outlive both.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

flags=log_checkpoints=on,log_connections=on,log_disconnections=on,log_lock_waits=on,log_duration=on,log_hostname=on
flags=$flags,log_temp_files=0,log_min_messages=error,log_min_error_statement=error,log_min_duration_statement=-1,log_statement=ddl
flags=$flags,cloudsql.enable_pgaudit=on,idle_in_transaction_session_timeout=10000
common=(--edition enterprise --network trading-bot --no-assign-ip
    --ssl-mode ENCRYPTED_ONLY --deletion-protection --storage-type SSD --storage-auto-increase --database-flags "$flags" --async)

ensure sql instances create trading-bot-db --database-version POSTGRES_15 --region "$PRIMARY" --tier db-custom-4-16384 \
    --availability-type regional --backup --backup-start-time 02:00 --backup-location us --retained-backups-count 30 \
    --enable-point-in-time-recovery --retained-transaction-log-days 7 "${common[@]}"
ensure sql instances create trading-bot-backup-replica --master-instance-name trading-bot-db --region "$STANDBY" \
    --tier db-custom-2-8192 --availability-type zonal "${common[@]}"

bucket() { # NAME REGION FLAG...
    local name=$1 region=$2
    shift 2
    ensure storage buckets create "gs://$name" --location "$region" --uniform-bucket-level-access --public-access-prevention "$@"
}
bucket trading-bot-critical-backups "$STANDBY" --retention-period 30d
gcloud --quiet storage buckets update gs://trading-bot-critical-backups --versioning
bucket trading-bot-critical-backups-witness "$WITNESS"
