#!/usr/bin/env bash
# Creates in PROJECT what Terraform's stages create, in order; safe to run again. R1.7's alternative: it makes what is missing
# and corrects nothing, so Terraform is the way for production. docs/deploy-gcp.md says what only Terraform makes.
#
#   PROJECT=my-project deploy/gcloud/all.sh
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

for script in "$here"/[0-9]*.sh; do
    echo "== $(basename "$script")"
    "$script"
done
