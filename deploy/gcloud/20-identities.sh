#!/usr/bin/env bash
# Identities, secrets, images, and what the trading identity may do with them: exactly the five roles of R1.6.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

for name in trading-bot-sa trading-bot-dr-sa trading-bot-build-sa; do
    ensure iam service-accounts create "$name" --display-name "$name"
done

for region in "$PRIMARY" "$STANDBY"; do
    ensure artifacts repositories create trading-bot-repo --repository-format docker --location "$region" --immutable-tags --async
    gcloud --quiet artifacts repositories add-iam-policy-binding trading-bot-repo --location "$region" \
        --member "serviceAccount:$bot" --role roles/artifactregistry.reader >/dev/null
done

secrets=$(jq -r '[.services[].secrets[]] + ["pagerduty-routing-key", "backup-encryption-key"] + [.services | keys[] | "deployed-" + .] | unique[]' "$services")
for secret in $secrets; do
    ensure secrets create "$secret" --replication-policy user-managed --locations "$PRIMARY,$STANDBY"
    gcloud --quiet secrets add-iam-policy-binding "$secret" --member "serviceAccount:$bot" --role roles/secretmanager.secretAccessor >/dev/null
done

ours="resource.type == 'sqladmin.googleapis.com/Instance' && resource.name.startsWith('projects/$PROJECT/instances/trading-bot-')"
gcloud --quiet projects add-iam-policy-binding "$PROJECT" --member "serviceAccount:$bot" --role roles/cloudsql.client \
    --condition "title=our databases,expression=$ours" >/dev/null
for role in roles/logging.logWriter roles/monitoring.metricWriter; do
    gcloud --quiet projects add-iam-policy-binding "$PROJECT" --member "serviceAccount:$bot" --role "$role" --condition None >/dev/null
done
