#!/usr/bin/env bash
# The network, the way out through fixed addresses, and who may talk to whom. As terraform/modules/network, where the reasons are.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

exchanges=${EXCHANGES:-api.binance.com,stream.binance.com,ws-api.binance.com}
receivers=${RECEIVERS:-api.telegram.org,events.pagerduty.com}
ranges=10.10.0.0/20,10.20.0.0/20
ours=$(service_ports),$(jq -r '.host_ports | map(tostring) | join(",")' "$services")

ensure compute networks create trading-bot --subnet-mode custom --bgp-routing-mode global
subnet() { # REGION RANGE
    ensure compute networks subnets create "trading-bot-$1" --network trading-bot --region "$1" --range "$2" \
        --enable-private-ip-google-access --enable-flow-logs --logging-aggregation-interval interval-5-sec \
        --logging-flow-sampling 0.5 --logging-metadata include-all
    ensure compute addresses create "trading-bot-egress-$1" --region "$1"
    ensure compute routers create "trading-bot-$1" --network trading-bot --region "$1"
    # Not by `ensure`: a second one would be added to the router.
    gcloud --quiet compute routers nats describe "trading-bot-$1" --router "trading-bot-$1" --region "$1" >/dev/null 2>&1 ||
        ensure compute routers nats create "trading-bot-$1" --router "trading-bot-$1" --region "$1" \
            --nat-external-ip-pool "trading-bot-egress-$1" --nat-custom-subnet-ip-ranges "trading-bot-$1" \
            --enable-logging --log-filter ERRORS_ONLY
}
subnet "$PRIMARY" 10.10.0.0/20
subnet "$STANDBY" 10.20.0.0/20

ensure compute addresses create trading-bot-database --global --purpose VPC_PEERING --addresses 10.200.0.0 --prefix-length 20 --network trading-bot

ensure compute network-firewall-policies create trading-bot --global --description "Deny all, both ways; what is allowed is listed."
rule() { # PRIORITY DIRECTION ACTION FLAG...
    local priority=$1 direction=$2 action=$3
    shift 3
    ensure compute network-firewall-policies rules create "$priority" --firewall-policy trading-bot --global-firewall-policy \
        --direction "$direction" --action "$action" --enable-logging "$@"
}
ours() { # PRIORITY DIRECTION FLAG...
    local priority=$1 direction=$2
    shift 2
    rule "$priority" "$direction" allow --target-service-accounts "$bot,$dr" "$@"
}
ours 1000 INGRESS --src-ip-ranges 35.235.240.0/20 --layer4-configs tcp:22
ours 1020 INGRESS --src-ip-ranges 35.191.0.0/16,130.211.0.0/22 --layer4-configs "$(tcp "$(service_ports)")"
ours 1030 INGRESS --src-ip-ranges "$ranges" --layer4-configs "$(tcp "$ours")"
ours 2000 EGRESS --dest-ip-ranges 199.36.153.8/30 --layer4-configs tcp:443
ours 2010 EGRESS --dest-ip-ranges 10.200.0.0/20 --layer4-configs tcp:5432
ours 2020 EGRESS --dest-fqdns "$exchanges" --layer4-configs tcp:443,tcp:9443
ours 2030 EGRESS --dest-fqdns "$receivers" --layer4-configs tcp:443
ours 2040 EGRESS --dest-ip-ranges "$ranges" --layer4-configs "$(tcp "$ours")"
rule 65000 INGRESS deny --src-ip-ranges 0.0.0.0/0 --layer4-configs all
rule 65010 EGRESS deny --dest-ip-ranges 0.0.0.0/0 --layer4-configs all
ensure compute network-firewall-policies associations create --firewall-policy trading-bot --network trading-bot --name trading-bot --global-firewall-policy
