#!/usr/bin/env bash
# Applies one stage of Terraform in PROJECT, or only shows what it would do.
#
#   apply.sh PROJECT STAGE [plan|apply|drift] [TERRAFORM-ARGUMENT...]
#
# Stages go in order: 0-bootstrap, 1-foundation, 2-regions, 3-service. Values come from stages/STAGE/terraform.tfvars, which
# belongs in git: nothing in it is secret. The state lies in the bucket PROJECT-terraform, locked while somebody applies.
set -euo pipefail

say() { echo "apply: $*" >&2; }
usage() {
    say "usage: apply.sh PROJECT STAGE [plan|apply|drift] [TERRAFORM-ARGUMENT...]"
    exit 64
}

[ $# -ge 2 ] || usage
readonly PROJECT=$1 STAGE=$2 ACTION=${3:-plan}
shift $(($# < 3 ? $# : 3))
folder=$(cd "$(dirname "$0")/stages" && pwd)
if [ ! -d "$folder/$STAGE" ]; then
    say "no stage $STAGE; there are: $(cd "$folder" && echo *)"
    exit 64
fi
case $ACTION in plan | apply | drift) ;; *) usage ;; esac
command -v terraform >/dev/null || {
    say "terraform is missing; install version 1.11 or newer: https://developer.hashicorp.com/terraform/install"
    exit 69
}
cd "$folder/$STAGE"
export TF_IN_AUTOMATION=1 TF_INPUT=0

# The first stage makes the bucket that holds its own state: applied with the state in a file, which then moves there.
first_time() {
    [ "$STAGE" = 0-bootstrap ] && ! gcloud storage buckets describe "gs://$PROJECT-terraform" >/dev/null 2>&1
}
if first_time; then
    say "the state's bucket is not there yet: the state is a file until it is"
    printf 'terraform {\n  backend "local" {}\n}\n' >first_override.tf
    trap 'rm -f first_override.tf' EXIT
    terraform init -reconfigure
    terraform "$ACTION" -var "project=$PROJECT" "$@"
    [ "$ACTION" = apply ] || exit 0
    rm -f first_override.tf
    terraform init -migrate-state -force-copy -backend-config="bucket=$PROJECT-terraform"
    rm -f terraform.tfstate terraform.tfstate.backup
    exit 0
fi

# From the second stage on nobody acts as themselves.
[ "$STAGE" = 0-bootstrap ] || [ "$ACTION" = drift ] ||
    export GOOGLE_IMPERSONATE_SERVICE_ACCOUNT="trading-bot-terraform-sa@$PROJECT.iam.gserviceaccount.com"

terraform init -reconfigure -backend-config="bucket=$PROJECT-terraform"
if [ "$ACTION" = drift ]; then
    # Reads only, so it takes no lock. 0: as the code says; 2: something differs.
    code=0
    terraform plan -lock=false -detailed-exitcode -var "project=$PROJECT" "$@" || code=$?
    [ $code != 2 ] || say "drift: $STAGE is not what the code says"
    exit $code
fi
terraform "$ACTION" -var "project=$PROJECT" "$@"
