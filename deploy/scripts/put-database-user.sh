#!/usr/bin/env bash
# Makes the services' database user, or gives it a new password, and hands it to Secret Manager. Nobody sees the password: it
# is made here, kept in memory, and read by the services from `database-credentials`.
#
#   deploy/scripts/put-database-user.sh PROJECT
set -euo pipefail

readonly INSTANCE=trading-bot-db NAME=nightdesk
if [ $# -ne 1 ]; then
    echo "usage: put-database-user.sh PROJECT" >&2
    exit 64
fi
password=$(head -c 32 /dev/urandom | base64 | tr -d '/+=\n')Aa1-
# By a file that is a pipe: an argument would stand in the list of processes.
flags() { printf -- '--password: "%s"\n' "$password"; }
if gcloud sql users list --project "$1" --instance "$INSTANCE" --format 'value(name)' | grep -qx "$NAME"; then
    gcloud sql users set-password "$NAME" --project "$1" --instance "$INSTANCE" --quiet --flags-file <(flags)
else
    gcloud sql users create "$NAME" --project "$1" --instance "$INSTANCE" --quiet --flags-file <(flags)
fi
printf 'postgres://%s:%s@db.trading-bot.internal:5432/nightdesk' "$NAME" "$password" | "$(dirname "$0")/put-secret.sh" "$1" database-credentials
