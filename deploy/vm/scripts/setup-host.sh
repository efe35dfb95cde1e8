#!/usr/bin/env bash
# Makes a new instance serve: writes what the units read, fetches the commit that each service last ran, starts the units.
# Run once by cloud-init; safe to run again. What it needs to know comes from the instance's metadata.
set -euo pipefail

readonly ETC=${TRADING_BOT_ETC:-/etc/trading-bot}
readonly DATA=${TRADING_BOT_DATA:-/var/lib/trading-bot}
readonly SERVICES=${TRADING_BOT_SERVICES:-/opt/scripts/services.json}
readonly METADATA=${TRADING_BOT_METADATA:-http://metadata.google.internal/computeMetadata/v1}
# Whom the images run as: nobody on the host.
readonly OWNER=10001:10001

say() { echo "setup-host: $*" >&2; }

metadata() { # PATH
    curl --silent --show-error --fail --retry 5 --header 'Metadata-Flavor: Google' "$METADATA/$1"
}

project=$(metadata project/project-id)
registry=$(metadata instance/attributes/registry)
rabbitmq=$(metadata instance/attributes/rabbitmq-image)
install -d -m 0755 "$ETC" "$ETC/images" "$ETC/instances" "$DATA"
printf 'PROJECT=%s\nREGISTRY=%s\nRABBITMQ_IMAGE=%s\n' "$project" "$registry" "$rabbitmq" >"$ETC/host.env"
metadata instance/attributes/service-config >"$ETC/config.toml"
# Ops Agent and security updates come from code too: OS policies and patch deployments of the project.

gcloud auth configure-docker --quiet "${registry%%/*}"

units=()
while IFS=$'\t' read -r service unit port instances; do
    # Ports and folders of every service, also of one that is deployed later: Docker would make a folder that is root's.
    names=()
    if [ -z "$instances" ]; then
        install -d -m 0700 -o "${OWNER%:*}" -g "${OWNER#*:}" "$DATA/$service"
        names+=("$unit.service")
    fi
    number=0
    for instance in $instances; do
        install -d -m 0700 -o "${OWNER%:*}" -g "${OWNER#*:}" "$DATA/$service-$instance"
        echo "PORT=$((port + number))" >"$ETC/instances/$unit-$instance"
        names+=("$unit@$instance.service")
        number=$((number + 1))
    done
    if [ ! -s "$ETC/images/$service" ]; then
        # The commit of the last deployment that became ready everywhere; the newest image may be one that did not.
        if ! commit=$(gcloud secrets versions access latest --project "$project" --secret "deployed-$service"); then
            say "$service has never been deployed: deploy.sh will start it"
            continue
        fi
        echo "IMAGE=$registry/$service:$commit" >"$ETC/images/$service"
    fi
    units+=("${names[@]}")
done < <(jq -r 'to_entries[] | [.key, .value.unit, .value.port, ([.value.instances[].id] | join(" "))] | @tsv' "$SERVICES")

systemctl daemon-reload
if [ -e /etc/systemd/system/trading-bot-rabbitmq.service ]; then
    install -d -m 0700 -o 999 -g 999 "$DATA/rabbitmq"
    units=(trading-bot-rabbitmq.service "${units[@]}")
fi
if [ ${#units[@]} -gt 0 ]; then
    systemctl enable --now "${units[@]}"
fi
say "${#units[@]} units started: ${units[*]}"
