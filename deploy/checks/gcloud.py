"""The gcloud scripts, run twice by the real gcloud against a stand-in, and compared with what Terraform's stages made.

    gcloud.py STATE.json FOLDER      in the repository's root; STATE.json is what stages.py wrote
"""

import copy
import json
import os
import pathlib
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from fake_gcp import Cloud, environment, serve

ROOT = pathlib.Path.cwd()
PROJECT = "example-project"
# gcloud does not let itself be pointed at a stand-in for the service that this one speaks to.
NOT_RUN = "15-private-services.sh"
SCRIPTS = sorted(file for file in (ROOT / "deploy/gcloud").glob("[0-9]*.sh") if file.name != NOT_RUN)


def last(value):
    return str(value or "").rpartition("/")[2]


def listed(value):
    return sorted(value or [])


def flag(value):
    return str(value).lower() == "true"


def user_data(text):
    """cloud-init's words, whatever the order and the escapes they are written with."""
    document = json.loads(text.removeprefix("#cloud-config\n"))
    for file in document["write_files"]:
        if file["path"].endswith(".json"):
            file["content"] = json.loads(file["content"])
    return sorted(document.items(), key=str) and document


def metadata(values):
    plain = {key: value for key, value in values.items() if key not in ("user-data", "instance-template")}
    return {**plain, "user-data": user_data(values["user-data"])}


# What Terraform made, and what gcloud asked for, as the same words: only what matters for who may reach what and what is kept.


def from_terraform(found):
    made = {}
    for item in found:
        kind, v = item["type"].removeprefix("google_"), item["values"]
        shape = TERRAFORM.get(kind)
        entry = shape(v, item["address"]) if shape else None
        if entry:
            made[entry[0]] = entry[1]
    return made


def rule(v, direction, action, match, ports, targets, logging):
    return f"rule {v['priority']}", {
        "direction": direction, "action": action, "ports": ports, "targets": listed(targets), "logged": logging, **match,
    }  # fmt: skip


def tf_rule(v, _):
    match, layer = v["match"][0], v["match"][0]["layer4_configs"][0]
    named = {key: listed(match[key]) for key in ("src_ip_ranges", "dest_ip_ranges", "dest_fqdns")}
    ports = sorted(f"{layer['ip_protocol']}:{port}" for port in layer["ports"] or ["all"])
    # Identities that do not exist yet have made-up addresses.
    targets = ["trading-bot-sa", "trading-bot-dr-sa"] if v["target_service_accounts"] else []
    return rule(v, v["direction"], v["action"], named, ports, targets, v["enable_logging"])


def tf_host(v, where, network, metadata_of, shielded, account):
    return f"host {where}", {
        "machine": v["machine_type"], "external": any(nic["access_config"] for nic in network), "metadata": metadata(metadata_of),
        "shielded": [shielded[key] for key in ("enable_secure_boot", "enable_vtpm", "enable_integrity_monitoring")],
        "scopes": [last(scope) for scope in account["scopes"]],
    }  # fmt: skip


def tf_database(v, _):
    s = v["settings"][0]
    backup = (s["backup_configuration"] or [None])[0]
    return f"database {v['name']}", {
        "region": v["region"], "version": v["database_version"], "tier": s["tier"], "availability": s["availability_type"],
        "public": s["ip_configuration"][0]["ipv4_enabled"], "open_to": s["ip_configuration"][0]["authorized_networks"],
        "ssl": s["ip_configuration"][0]["ssl_mode"], "protected": s["deletion_protection_enabled"],
        "primary": v["master_instance_name"] if v["name"].endswith("replica") else None,
        "flags": {item["name"]: item["value"] for item in s["database_flags"]},
        "backup": backup and [backup["enabled"], backup["point_in_time_recovery_enabled"], backup["transaction_log_retention_days"], backup["backup_retention_settings"][0]["retained_backups"], backup["location"]],
    }  # fmt: skip


def tf_binding(v, address):
    if ".trading_bot" not in address or "acts_as" in address:
        return None
    where = v.get("secret_id") or (f"{v['location']}/{v['repository']}" if "repository" in v else "project")
    if where.endswith(("trading-bot-debian", "trading-bot-docker-hub")):
        return None
    condition = (v.get("condition") or [None])[0]
    return f"bot {where} {v['role']}", {"condition": condition and condition["expression"]}


TERRAFORM = {
    "compute_network": lambda v, _: ("network", {"automatic": v["auto_create_subnetworks"], "routing": v["routing_mode"]}),
    "compute_subnetwork": lambda v, _: (f"subnet {v['region']}", {"range": v["ip_cidr_range"], "private": v["private_ip_google_access"], "logged": bool(v["log_config"])}),
    "compute_router_nat": lambda v, _: (f"nat {v['region']}", {"addresses": v["nat_ip_allocate_option"], "count": len(v["nat_ips"]), "of": v["source_subnetwork_ip_ranges_to_nat"]}),
    "compute_network_firewall_policy_rule": tf_rule,
    "secret_manager_secret": lambda v, _: (f"secret {v['secret_id']}", {"regions": [r["location"] for r in v["replication"][0]["user_managed"][0]["replicas"]]}),
    "artifact_registry_repository": lambda v, _: (f"images {v['location']}", {"fixed": v["docker_config"][0]["immutable_tags"]}) if v["repository_id"] == "trading-bot-repo" else None,
    "sql_database_instance": tf_database,
    "storage_bucket": lambda v, _: (f"bucket {v['name']}", {
        "location": v["location"].upper(), "uniform": v["uniform_bucket_level_access"], "private": v["public_access_prevention"],
        "versions": bool(v["versioning"]) and v["versioning"][0]["enabled"], "kept": int(v["retention_policy"][0]["retention_period"]) if v["retention_policy"] else 0,
    }) if v["name"] in ("trading-bot-critical-backups", "trading-bot-critical-backups-witness") else None,
    "compute_instance": lambda v, _: tf_host(v, v["zone"], v["network_interface"], v["metadata"], v["shielded_instance_config"][0], v["service_account"][0]),
    "compute_instance_template": lambda v, _: tf_host(v, v["region"], v["network_interface"], v["metadata"], v["shielded_instance_config"][0], v["service_account"][0]),
    "compute_region_instance_group_manager": lambda v, _: (f"group {v['region']}", {"base": v["base_instance_name"]}),
    "project_iam_member": tf_binding,
    "secret_manager_secret_iam_member": tf_binding,
    "artifact_registry_repository_iam_member": tf_binding,
}  # fmt: skip


def gc_host(where, properties):
    account = properties["serviceAccounts"][0]
    if account["email"] != f"trading-bot-sa@{PROJECT}.iam.gserviceaccount.com":
        raise AssertionError(f"the host in {where} runs as {account['email']}")
    shielded = properties["shieldedInstanceConfig"]
    values = {item["key"]: item["value"] for item in properties["metadata"]["items"]}
    return f"host {where}", {
        "machine": last(properties["machineType"]), "external": any(nic.get("accessConfigs") for nic in properties["networkInterfaces"]),
        "metadata": metadata(values), "shielded": [shielded[key] for key in ("enableSecureBoot", "enableVtpm", "enableIntegrityMonitoring")],
        "scopes": [last(scope) for scope in account["scopes"]],
    }  # fmt: skip


def gc_rule(v):
    match = v["match"]
    named = {"src_ip_ranges": listed(match.get("srcIpRanges")), "dest_ip_ranges": listed(match.get("destIpRanges")), "dest_fqdns": listed(match.get("destFqdns"))}
    ports = sorted(f"{layer['ipProtocol']}:{port}" for layer in match["layer4Configs"] for port in layer.get("ports") or ["all"])
    targets = [email.partition("@")[0] for email in v.get("targetServiceAccounts", [])]
    return rule(v, v["direction"], v["action"], named, ports, targets, v["enableLogging"])


def gc_database(v):
    s, address = v["settings"], v["settings"]["ipConfiguration"]
    backup = s.get("backupConfiguration")
    return f"database {v['name']}", {
        "region": v["region"], "version": v["databaseVersion"] if not v.get("masterInstanceName") else "POSTGRES_15", "tier": s["tier"],
        "availability": s["availabilityType"], "public": address["ipv4Enabled"], "open_to": address.get("authorizedNetworks", []),
        "ssl": address["sslMode"], "protected": s["deletionProtectionEnabled"], "primary": last(v.get("masterInstanceName")).partition(":")[0] or None,
        "flags": {item["name"]: item["value"] for item in s["databaseFlags"]},
        "backup": backup and [backup["enabled"], backup["pointInTimeRecoveryEnabled"], backup["transactionLogRetentionDays"], backup["backupRetentionSettings"]["retainedBackups"], backup["location"]],
    }  # fmt: skip


def gc_bindings(where, policy):
    for binding in policy["bindings"]:
        if f"serviceAccount:trading-bot-sa@{PROJECT}.iam.gserviceaccount.com" in binding["members"]:
            yield f"bot {where} {binding['role']}", {"condition": (binding.get("condition") or {}).get("expression")}


def from_gcloud(things):
    made = {}
    for at, v in things.items():
        part = at.split("/")
        kind, region = part[-2], next((p for p in part if re.fullmatch(r"us-[a-z]+\d(-[a-z])?", p)), None)
        if at.endswith("/iam"):
            where = part[-2] if part[-3] == "secrets" else f"{region}/{part[-2]}" if "repositories" in part else "project"
            made.update(gc_bindings(where, v))
        elif kind == "networks":
            made["network"] = {"automatic": v["autoCreateSubnetworks"], "routing": v["routingConfig"]["routingMode"]}
        elif kind == "subnetworks":
            made[f"subnet {region}"] = {"range": v["ipCidrRange"], "private": v["privateIpGoogleAccess"], "logged": v["logConfig"]["enable"]}
        elif kind == "routers":
            for nat in v["nats"]:
                made[f"nat {region}"] = {"addresses": nat["natIpAllocateOption"], "count": len(nat["natIps"]), "of": nat["sourceSubnetworkIpRangesToNat"]}
        elif kind == "addRule":
            name, values = gc_rule(v)
            made[name] = values
        elif kind == "secrets":
            made[f"secret {part[-1]}"] = {"regions": [r["location"] for r in v["replication"]["userManaged"]["replicas"]]}
        elif kind == "repositories":
            made[f"images {region}"] = {"fixed": v["dockerConfig"]["immutableTags"]}
        elif kind == "b":
            configuration = v["iamConfiguration"]
            made[f"bucket {v['name']}"] = {
                "location": v["location"].upper(), "uniform": configuration["uniformBucketLevelAccess"]["enabled"],
                "private": configuration["publicAccessPrevention"], "versions": v.get("versioning", {}).get("enabled", False),
                "kept": int(v.get("retentionPolicy", {}).get("retentionPeriod", 0)),
            }  # fmt: skip
        elif kind == "instances" and at.startswith("/sql/"):
            name, values = gc_database(v)
            made[name] = values
        elif kind == "instances":
            name, values = gc_host(region, v)
            made[name] = values
        elif kind == "instanceTemplates":
            name, values = gc_host(region, v["properties"])
            made[name] = values
        elif kind == "instanceGroupManagers":
            made[f"group {region}"] = {"base": v["baseInstanceName"]}
    return made


def run(env):
    def one(script):
        # A configuration of its own: gcloud keeps a database there.
        own = {**env, "CLOUDSDK_CONFIG": f"{env['CLOUDSDK_CONFIG']}/{script.stem}"}
        return script, subprocess.run(["bash", script], env=own, capture_output=True, text=True)

    # The stand-in does not ask whether a thing stands on another, so the scripts need not wait for each other here.
    with ThreadPoolExecutor(4) as pool:
        for script, done in pool.map(one, SCRIPTS):
            if done.returncode:
                sys.exit(f"{done.stdout}{done.stderr}\ngcloud: {script.name} failed ({done.returncode})")


def main(state, folder):
    cloud, start = Cloud(), time.monotonic()
    serve(cloud)
    env = {**os.environ, **environment(cloud, pathlib.Path(folder)), "PROJECT": PROJECT}
    run(env)
    once = copy.deepcopy(cloud.things)
    requests, first = cloud.requests, time.monotonic() - start
    run(env)
    wrong = [f"the stand-in has no rule for {request}" for request in sorted(set(cloud.unknown))]
    changed = sorted(at for at in cloud.things if cloud.things[at] != once.get(at))
    wrong += [f"a second run changes {at} from {once.get(at)} to {cloud.things[at]}" for at in changed]
    terraform, gcloud = from_terraform(json.loads(pathlib.Path(state).read_text())), from_gcloud(cloud.things)
    for name in sorted(terraform.keys() | gcloud.keys()):
        ours, theirs = terraform.get(name), gcloud.get(name)
        if ours is None or theirs is None:
            wrong.append(f"{name}: only {'gcloud' if ours is None else 'Terraform'} makes it")
            continue
        wrong += [f"{name}: {key} is {ours[key]!r} with Terraform and {theirs.get(key)!r} with gcloud" for key in ours if ours[key] != theirs.get(key)]
    for text in wrong:
        print(f"gcloud: {text[:600]}")
    print(f"gcloud: {requests} requests in {first:.0f} s, {len(changed)} changed by a second run, {len(terraform)} things compared, {len(wrong)} differences")
    return int(bool(wrong) or len(terraform) < 40)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
