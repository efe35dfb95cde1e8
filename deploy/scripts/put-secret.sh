#!/usr/bin/env bash
# Puts a new version of a secret into Secret Manager. The value is read from standard input and is never an argument, a file
# or a line of history; services read it at their next start or, where they can, at their next use.
#
#   deploy/scripts/put-secret.sh PROJECT NAME < VALUE
set -euo pipefail

say() { echo "put-secret: $*" >&2; }

if [ $# -ne 2 ]; then
    say "usage: put-secret.sh PROJECT NAME < VALUE"
    exit 64
fi
if [ -t 0 ]; then
    read -rsp "value of $2: " value
    echo >&2
else
    value=$(cat)
fi
[ -n "$value" ] || {
    say "the value is empty"
    exit 64
}
printf %s "$value" | gcloud secrets versions add "$2" --project "$1" --data-file=- --quiet
