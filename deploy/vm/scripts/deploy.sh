#!/usr/bin/env bash
# Puts a version of a service into service on this host, and takes it back by itself when it does not become ready.
#
#   deploy.sh SERVICE [COMMIT_SHA]      without a commit: the pinned one again
#
# The image is here before anything is touched. Exit codes: 0 it serves; 64 the command line is wrong; 66 there is no such
# image; 69 the registry cannot be reached; 70 not ready, and the version before serves again; 71 not ready, and neither is
# the version before; 73 no room; 75 another deployment of this service is under way.
set -euo pipefail

readonly ETC=${TRADING_BOT_ETC:-/etc/trading-bot}
readonly SERVICES=${TRADING_BOT_SERVICES:-/opt/scripts/services.json}
readonly LOCKS=${TRADING_BOT_LOCKS:-/run/lock}
readonly READY_SECONDS=${TRADING_BOT_READY_SECONDS:-60}
readonly FREE_MB=${TRADING_BOT_FREE_MB:-500}
readonly SERVICE=${1:-} COMMIT=${2:-}

say() { echo "deploy: $*" >&2; }

# Recorded before it takes effect and when its result is known (R4.6): journald hands it to Cloud Logging.
audit() { # SEVERITY RESULT
    local entry
    entry=$(jq -cn --arg severity "$1" --arg result "$2" --arg service "$SERVICE" --arg image "${image:-}" \
        --arg user "${SUDO_USER:-$(id -un)}" --arg time "$(date -u +%FT%T.%3NZ)" \
        '{logger: "security_audit", event: "api_access", severity: $severity, user_id: $user, action: "deploy",
          resource: $service, image: $image, result: $result, timestamp: $time}')
    logger --tag security_audit -- "$entry" || say "cannot write the audit log: $entry"
}

fail() { # CODE MESSAGE...
    local code=$1
    shift
    say "$*"
    exit "$code"
}

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    fail 64 "usage: deploy.sh SERVICE [COMMIT_SHA]"
fi
[ -r "$ETC/host.env" ] || fail 69 "$ETC/host.env is missing: setup-host.sh has not run"
row=$(jq -r --arg name "$SERVICE" '.[$name] // empty | [.unit, .port, ([.instances[].id] | join(" "))] | @tsv' "$SERVICES")
[ -n "$row" ] || fail 64 "no service '$SERVICE' on this host; there are: $(jq -r 'keys | join(", ")' "$SERVICES")"
if [ -n "$COMMIT" ] && ! [[ $COMMIT =~ ^[0-9a-f]{40}$ ]]; then
    fail 64 "'$COMMIT' is no commit: 40 hexadecimal digits"
fi
IFS=$'\t' read -r unit port instances <<<"$row"

# shellcheck source=/dev/null
. "$ETC/host.env"
readonly pin=$ETC/images/$SERVICE
before=$(sed -n 's/^IMAGE=//p' "$pin" 2>/dev/null || true)
image=${COMMIT:+$REGISTRY/$SERVICE:$COMMIT}
image=${image:-$before}
[ -n "$image" ] || fail 64 "$SERVICE has never been deployed here: name a commit"

exec 9>"$LOCKS/trading-bot-deploy-$SERVICE"
flock --nonblock 9 || fail 75 "another deployment of $SERVICE is under way"

# The units and ports of the service: one, or one for each instance.
units=() ports=()
number=0
for instance in ${instances:-none}; do
    if [ "$instance" = none ]; then units+=("$unit"); else units+=("$unit@$instance"); fi
    ports+=($((port + number)))
    number=$((number + 1))
done

fetch() {
    if docker image inspect "$image" >/dev/null 2>&1; then
        return
    fi
    local room answer
    room=$(df --output=avail --block-size=1M "$(docker info --format '{{.DockerRootDir}}')" | tail -n 1)
    [ "$room" -ge "$FREE_MB" ] || fail 73 "only $room MB are free for images, $FREE_MB are needed; nothing was changed"
    if answer=$(docker pull --quiet "$image" 2>&1); then
        return
    fi
    case $answer in
        *"manifest unknown"* | *"not found"*) fail 66 "there is no image $image; nothing was changed" ;;
        *"no space left"*) fail 73 "no room for $image; nothing was changed" ;;
        *) fail 69 "cannot fetch $image: $answer; nothing was changed" ;;
    esac
}

write_pin() { # IMAGE
    echo "IMAGE=$1" >"$pin.new"
    sync "$pin.new"
    mv "$pin.new" "$pin"
}

# One unit after the other, each only when the one before is ready, so that the others go on trading.
switch_to() { # IMAGE
    write_pin "$1"
    local at
    for at in "${!units[@]}"; do
        systemctl restart "${units[at]}" || true
        ready "${units[at]}" "${ports[at]}" || return 1
    done
}

ready() { # UNIT PORT
    local deadline=$((SECONDS + READY_SECONDS)) answer=
    while [ "$SECONDS" -lt "$deadline" ]; do
        if answer=$(curl --silent --show-error --fail --max-time 2 "http://127.0.0.1:$2/ready" 2>&1); then
            return
        fi
        # Exit 78 is a bad configuration: waiting helps nobody.
        if [ "$(systemctl show --property ExecMainStatus --value "$1")" = 78 ] && ! systemctl is-active --quiet "$1"; then
            say "$1 refuses its configuration (exit 78)"
            return 1
        fi
        sleep 0.2
    done
    say "$1 is not ready after $READY_SECONDS s: $answer"
    return 1
}

fetch
audit INFO started
systemctl enable --quiet "${units[@]}" || true
if switch_to "$image"; then
    audit INFO ready
    say "$SERVICE runs ${image##*:}"
else
    if [ -z "$before" ] || [ "$before" = "$image" ]; then
        audit CRITICAL failed
        fail 71 "$SERVICE is not ready, and there is no version before it"
    fi
    say "taking $SERVICE back to ${before##*:}"
    if switch_to "$before"; then
        audit ERROR rolled-back
        fail 70 "$SERVICE ${image##*:} did not become ready; ${before##*:} serves again"
    fi
    audit CRITICAL failed
    fail 71 "$SERVICE ${image##*:} did not become ready, and neither did ${before##*:}: see docs/runbooks/deploy-failed.md"
fi

# This image and the one before it stay: a rollback must not need the registry.
if [ "$before" != "$image" ] && [ -n "$before" ]; then
    echo "$before" >"$pin.before"
fi
keep=$(cat "$pin.before" 2>/dev/null || true)
docker image ls --format '{{.Repository}}:{{.Tag}}' "${image%:*}" | while read -r other; do
    if [ "$other" != "$image" ] && [ "$other" != "$keep" ]; then
        docker image rm "$other" >/dev/null || say "$other is still in use"
    fi
done
