#!/usr/bin/env bash
# The private way to Google's services: the databases' place in our network, and names that lead to private.googleapis.com.
# The stand-in of the tests does not answer these commands, so this script is linted and not run there.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# Safe to repeat: the same range again is no change.
gcloud --quiet services vpc-peerings update --service servicenetworking.googleapis.com --ranges trading-bot-database --network trading-bot --force ||
    gcloud --quiet services vpc-peerings connect --service servicenetworking.googleapis.com --ranges trading-bot-database --network trading-bot

for domain in googleapis.com pkg.dev packages.cloud.google.com; do
    zone=trading-bot-${domain//./-}
    ensure dns managed-zones create "$zone" --dns-name "$domain." --visibility private --networks trading-bot --description "$domain by private access."
    ensure dns record-sets create "$domain." --zone "$zone" --type A --ttl 300 --rrdatas 199.36.153.8,199.36.153.9,199.36.153.10,199.36.153.11
    ensure dns record-sets create "*.$domain." --zone "$zone" --type CNAME --ttl 300 --rrdatas "$domain."
done
