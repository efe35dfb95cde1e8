#!/usr/bin/env python3
"""Makes what a host needs from the list of services.

    render.py units [--check]     writes deploy/vm/systemd/*.service, or says which differ
    render.py cloud-init HOST     prints the cloud-init of a host, for the gcloud scripts; Terraform makes the same
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
# Longer than the drain that `docker stop` waits for, so that systemd is never the one that kills.
STOP_MARGIN = 15
OTHERS = ("trading-bot-rabbitmq.service",)


def services():
    return json.loads((HERE.parent / "services.json").read_text())["services"]


def unit_file(service):
    return service["unit"] + ("@.service" if service["instances"] else ".service")


def unit(name, service):
    many = bool(service["instances"])
    values = {
        "SERVICE": name,
        "OF": " %i" if many else "",
        "CONTAINER": service["unit"] + ("-%i" if many else ""),
        "DATA": name + ("-%i" if many else ""),
        "STOP": service["stop_seconds"],
        "STOP_LIMIT": service["stop_seconds"] + STOP_MARGIN,
        "MEMORY": service["memory_mb"],
        "CPUS": service["cpus"],
        "PORT": "${PORT}" if many else service["port"],
        "ARGUMENTS": " --instance %i" if many else "",
    }
    text = (HERE / "service.template").read_text()
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    if many:
        # Which port an instance has is written by setup-host.sh, from the same list.
        first = f"EnvironmentFile=/etc/trading-bot/images/{name}\n"
        text = text.replace(first, f"{first}EnvironmentFile=/etc/trading-bot/instances/%p-%i\n")
    return text


def units():
    return {unit_file(service): unit(name, service) for name, service in services().items()}


def cloud_init(host):
    ours = {name: service for name, service in services().items() if service["host"] == host}
    files = [(f"/etc/systemd/system/{unit_file(service)}", unit(name, service), "0644") for name, service in ours.items()]
    if host == "trading-bot-vm":
        files += [(f"/etc/systemd/system/{name}", (HERE / "systemd" / name).read_text(), "0644") for name in OTHERS]
    files += [(f"/opt/scripts/{file.name}", file.read_text(), "0755") for file in (HERE / "scripts").glob("*.sh")]
    files.append(("/opt/scripts/services.json", json.dumps(ours, sort_keys=True, separators=(",", ":")), "0644"))
    document = json.loads((HERE / "cloud-init.json").read_text())
    document["write_files"] = [
        {"path": path, "content": text, "permissions": mode, "owner": "root:root"} for path, text, mode in sorted(files)
    ]
    return "#cloud-config\n" + json.dumps(document, sort_keys=True, separators=(",", ":"))


def main(arguments):
    if arguments[:1] == ["cloud-init"] and len(arguments) == 2:
        print(cloud_init(arguments[1]), end="")
        return 0
    if arguments[:1] != ["units"]:
        print(__doc__, file=sys.stderr)
        return 64
    folder, wanted = HERE / "systemd", units()
    found = {file.name: file.read_text() for file in folder.glob("*.service") if file.name not in OTHERS}
    if "--check" in arguments:
        wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        for name in wrong:
            print(f"deploy/vm/systemd/{name}: not what services.json and service.template say: run deploy/vm/render.py units")
        print(f"{len(wanted)} units, {len(wrong)} wrong")
        return int(bool(wrong))
    for name in found.keys() - wanted.keys():
        (folder / name).unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
