#!/usr/bin/env bash
# The hosts: a group that scales in the primary region, a single instance in the other (R6.4). As terraform/modules/compute.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

config=${CONFIG:-$here/../terraform/stages/2-regions/config.toml}
rabbitmq=${RABBITMQ:-3.13.7-alpine}
start=$(mktemp)
trap 'rm -f "$start"' EXIT
python3 "$here/../vm/render.py" cloud-init trading-bot-vm >"$start"

host() { # REGION: the flags of a host there
    local images=$1-docker.pkg.dev/$PROJECT
    flags=(--network-interface "subnet=projects/$PROJECT/regions/$1/subnetworks/trading-bot-$1,no-address"
        --image-family debian-12 --image-project debian-cloud --boot-disk-size 30GB --boot-disk-type pd-balanced
        --service-account "$bot" --scopes cloud-platform --shielded-secure-boot --shielded-vtpm --shielded-integrity-monitoring
        --labels host=trading-bot-vm --metadata-from-file "user-data=$start,service-config=$config"
        --metadata "registry=$images/trading-bot-repo,rabbitmq-image=$images/trading-bot-docker-hub/library/rabbitmq:$rabbitmq,enable-oslogin=TRUE,block-project-ssh-keys=TRUE,serial-port-enable=FALSE,enable-guest-attributes=FALSE,enable-osconfig=TRUE,google-monitoring-enabled=TRUE")
}

host "$PRIMARY"
ensure compute instance-templates create trading-bot-vm --machine-type e2-standard-4 --instance-template-region "$PRIMARY" "${flags[@]}"
ensure compute instance-groups managed create trading-bot-vm --region "$PRIMARY" --base-instance-name trading-bot-vm --size 2 \
    --template "projects/$PROJECT/regions/$PRIMARY/instanceTemplates/trading-bot-vm"

host "$STANDBY"
ensure compute instances create trading-bot-vm --zone "$STANDBY_ZONE" --machine-type e2-standard-2 --deletion-protection "${flags[@]}"
