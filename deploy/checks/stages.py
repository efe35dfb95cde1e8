"""Applies Terraform's stages in order, against the stand-in provider, as an operator would in a new project.

    stages.py STATE.json      in a copy of the repository's root; writes all resources of all stages there

Proves that each stage plans and applies with what the stages before it gave out, that a second plan finds nothing to do,
that names and numbers the requirements give are there, and that nothing has more than it needs.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path.cwd()
STAGES = ROOT / "deploy/terraform/stages"
PROJECT = "example-project"
INPUTS = {
    "0-bootstrap": {"operators": ["user:operator@example.com"]},
    "1-foundation": {"first_rotation": "2027-01-01T00:00:00Z"},
    "2-regions": {},
    "3-service": {
        "repository": f"projects/{PROJECT}/locations/us-central1/connections/github/repositories/nightdesk",
        "emails": ["night@example.com"],
    },
}


def terraform(stage, *arguments):
    command = [sys.executable, ROOT / "deploy/checks/terraform.py", *arguments]
    done = subprocess.run(command, cwd=STAGES / stage, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr, done.stdout


def keep_state_here(stage):
    """Overrides what needs Cloud Storage: the state is a file, and so are the states of the stages before."""
    states = {name: STAGES / name / "state.json" for name in INPUTS}
    text = f'terraform {{\n  backend "local" {{\n    path = "{states[stage]}"\n  }}\n}}\n'
    for name in re.findall(r'data "terraform_remote_state" "(\w+)"', (STAGES / stage / "inputs.tf").read_text()) if (
        STAGES / stage / "inputs.tf"
    ).exists() else []:
        path = next(state for of, state in states.items() if of.endswith(f"-{name}"))
        text += f'data "terraform_remote_state" "{name}" {{\n  backend = "local"\n  config = {{ path = "{path}" }}\n}}\n'
    (STAGES / stage / "here_override.tf").write_text(text)
    values = {"project": PROJECT, **INPUTS[stage]}
    (STAGES / stage / "terraform.tfvars.json").write_text(json.dumps(values))


def resources(module):
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources(child)


def apply():
    found = []
    for stage in INPUTS:
        keep_state_here(stage)
        for step, arguments, good in (
            ("init", ["init", "-no-color"], 0),
            ("validate", ["validate", "-no-color"], 0),
            ("apply", ["apply", "-no-color", "-auto-approve"], 0),
            # 2 would be: there is something to do.
            ("second plan", ["plan", "-no-color", "-detailed-exitcode"], 0),
        ):
            code, text, _ = terraform(stage, *arguments)
            if code != good:
                sys.exit(f"{text}\nstages: {stage}: {step} failed ({code})")
        shown = json.loads(terraform(stage, "show", "-json")[2])
        ours = [{**item, "stage": stage} for item in resources(shown["values"]["root_module"]) if item["mode"] == "managed"]
        print(f"stages: {stage}: {len(ours)} resources, planned again without a difference")
        found += ours
    return found


def demand(found):
    """What must hold over all stages together; each module's own tests say the rest."""
    wrong = []

    def values(kind):
        return [item["values"] for item in found if item["type"] == kind]

    def must(condition, text):
        if not condition:
            wrong.append(text)

    roles = [(item["address"], item["values"]["role"], item["values"].get("member")) for item in found if item["type"].endswith("iam_member")]
    for address, role, member in roles:
        must(role not in ("roles/owner", "roles/editor"), f"{address} gives {role}")
        must(member not in ("allUsers", "allAuthenticatedUsers"), f"{address} gives {role} to everybody")
    bot = {role for address, role, _ in roles if ".trading_bot" in address and "acts_as" not in address}
    must(len(bot) == 5, f"the trading identity has {sorted(bot)}")
    must(not values("google_service_account_key"), "an identity has a key")
    must(not values("google_secret_manager_secret_version"), "a secret's value is in the state")
    must(not values("google_compute_firewall"), "a firewall rule beside the policy")
    databases = {item["name"]: item for item in values("google_sql_database_instance")}
    must(
        {name: (item["region"], item["settings"][0]["tier"]) for name, item in databases.items()}
        == {"trading-bot-db": ("us-central1", "db-custom-4-16384"), "trading-bot-backup-replica": ("us-east1", "db-custom-2-8192")},
        f"R6.1, R6.4: the databases are {sorted(databases)}",
    )
    replica = databases.get("trading-bot-backup-replica", {})
    must(replica.get("master_instance_name") == "trading-bot-db", "R6.1: the replica has another primary")
    scaling = [item["autoscaling_policy"][0] for item in values("google_compute_region_autoscaler")]
    must([(s["min_replicas"], s["max_replicas"]) for s in scaling] == [(2, 10)], f"R6.4: 2 to 10, found {scaling}")
    types = {item["machine_type"] for kind in ("google_compute_instance", "google_compute_instance_template") for item in values(kind)}
    must(types == {"e2-standard-4", "e2-standard-2"}, f"R6.4: machine types are {sorted(types)}")
    names = {item["name"] for item in values("google_compute_instance")}
    must(names == {"trading-bot-vm"}, f"the standby's instance is {sorted(names)}")
    services = json.loads((ROOT / "deploy/services.json").read_text())["services"]
    triggers = {item["name"] for item in values("google_cloudbuild_trigger")}
    for service in services:
        must(f"trading-bot-deploy-{service}" in triggers, f"{service} has no trigger")
    secrets = {item["secret_id"] for item in values("google_secret_manager_secret")}
    for name, service in services.items():
        for secret in [*service["secrets"], f"deployed-{name}"]:
            must(secret in secrets, f"{name} reads {secret}, which is not there")
    return wrong


def main(target):
    found = apply()
    wrong = demand(found)
    pathlib.Path(target).write_text(json.dumps(found))
    for text in wrong:
        print(f"stages: {text}")
    print(f"stages: {len(found)} resources in all, {len(wrong)} demands broken")
    return int(bool(wrong))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    sys.exit(main(sys.argv[1]))
