#!/usr/bin/env bash
# Fetches the message broker's user and password from Secret Manager into FILE, which lies in memory.
set -euo pipefail

readonly FILE=${1:?usage: rabbitmq-credentials.sh FILE}
# The broker's user in its image, who must be able to read it.
readonly READER=999

umask 077
mkdir -p "$(dirname "$FILE")"
# shellcheck source=/dev/null
. "${TRADING_BOT_ETC:-/etc/trading-bot}/host.env"
credentials=$(gcloud secrets versions access latest --project "$PROJECT" --secret rabbitmq-credentials)
# amqp://USER:PASSWORD@HOST:PORT, as the services read it.
if ! [[ $credentials =~ ^amqp://([^:@/]+):([^:@/]+)@ ]]; then
    echo "rabbitmq-credentials: the secret is not amqp://USER:PASSWORD@HOST:PORT" >&2
    exit 78
fi
user=${BASH_REMATCH[1]} password=${BASH_REMATCH[2]}
printf 'default_user = %s\ndefault_pass = %s\nloopback_users.guest = true\n' "$user" "$password" >"$FILE.new"
chown "$READER" "$FILE.new"
mv "$FILE.new" "$FILE"
