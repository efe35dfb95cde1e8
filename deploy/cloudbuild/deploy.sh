#!/usr/bin/env bash
# Deploys COMMIT of SERVICE to every running instance whose name begins with INSTANCE, the standby region's first, and then
# records the commit for instances that are still to come. Run by Cloud Build; by hand it does the same.
#
# Environment: PROJECT, SERVICE, COMMIT, INSTANCE, ZONE (one of the primary region's).
set -euo pipefail

say() { echo "deploy: $*" >&2; }

: "${PROJECT:?}" "${SERVICE:?}" "${COMMIT:?}" "${INSTANCE:?}" "${ZONE:?}"
# These become words of a command on another machine: nothing but what a name has gets through.
for word in "$SERVICE" "$COMMIT" "$INSTANCE"; do
    [[ $word =~ ^[a-z0-9-]+$ ]] || {
        say "'$word' is no name"
        exit 64
    }
done

# Lines of ORDER NAME ZONE, the other region's first: what breaks there breaks where nobody trades.
instances=$(gcloud compute instances list --project "$PROJECT" --filter "name ~ ^$INSTANCE(-[a-z0-9]+)?\$ AND status = RUNNING" \
    --format 'value(name, zone.basename())' |
    awk -v region="${ZONE%-*}-" 'NF == 2 {print (index($2, region) == 1 ? 1 : 0), $1, $2}' | sort)
if [ -z "$instances" ]; then
    say "no instance of $INSTANCE runs in $PROJECT"
    exit 69
fi

while read -r _ name zone; do
    say "$SERVICE on $name in $zone"
    # Through IAP: the instances have no address that can be reached from outside. --command is one word for the far shell.
    gcloud compute ssh "$name" --project "$PROJECT" --zone "$zone" --tunnel-through-iap --quiet \
        --command "sudo /opt/scripts/deploy.sh $SERVICE $COMMIT" </dev/null
done <<<"$instances"

# Only what became ready everywhere is what a new instance starts.
printf %s "$COMMIT" | gcloud secrets versions add "deployed-$SERVICE" --project "$PROJECT" --data-file=- --quiet
say "$SERVICE runs $COMMIT everywhere"
