# shellcheck shell=bash
# What every script here starts with: who, where, and how a thing is made that may be there already.
# shellcheck disable=SC2034  # The scripts that read this file use what it sets.
set -euo pipefail

: "${PROJECT:?the id of the project}"
PRIMARY=${PRIMARY:-us-central1} STANDBY=${STANDBY:-us-east1} WITNESS=${WITNESS:-us-west1}
PRIMARY_ZONE=${PRIMARY_ZONE:-us-central1-a} STANDBY_ZONE=${STANDBY_ZONE:-us-east1-b}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
services=$here/../services.json
bot=trading-bot-sa@$PROJECT.iam.gserviceaccount.com
dr=trading-bot-dr-sa@$PROJECT.iam.gserviceaccount.com
export CLOUDSDK_CORE_PROJECT=$PROJECT

# Runs a gcloud command that makes something; that it is there already is as good.
ensure() {
    local answer
    if answer=$(gcloud --quiet "$@" 2>&1); then
        return
    fi
    case $answer in
        *"already exists"* | *ALREADY_EXISTS* | *alreadyExists* | *"must be unique"*) ;;
        *)
            echo "gcloud $*: $answer" >&2
            return 1
            ;;
    esac
}

# The ports of the services, one for each instance, with commas.
service_ports() {
    jq -r '[.services[] | .port as $port | range([1, (.instances | length)] | max) | $port + .] | unique | join(",")' "$services"
}

# tcp:1,tcp:2 of 1,2.
tcp() {
    local ports=tcp:$1
    echo "${ports//,/,tcp:}"
}
