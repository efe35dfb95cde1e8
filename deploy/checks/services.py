"""The list of services agrees with itself and with everything that is made from it.

    services.py       in the repository's root
"""

import json
import pathlib
import sys

import jsonschema
from ruamel.yaml import YAML

ROOT = pathlib.Path.cwd()


def problems(document, schema):
    for error in jsonschema.Draft202012Validator(schema).iter_errors(document):
        yield f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
    services = document["services"]
    taken = {port: name for name, port in document["host_ports"].items()}
    for name, service in services.items():
        for number in range(max(1, len(service["instances"]))):
            port = service["port"] + number
            if port in taken:
                yield f"{name} and {taken[port]} both have port {port}: on a host they share the network"
            taken[port] = name
    units = [service["unit"] for service in services.values()]
    yield from (f"two services have the unit {unit}" for unit in sorted(set(units)) if units.count(unit) > 1)
    public = [name for name, service in services.items() if service["public"]]
    if len(public) != 1:
        yield f"the load balancer sends to one service, not to {public}"
    memory = sum(service["memory_mb"] * max(1, len(service["instances"])) for service in services.values())
    # The standby's e2-standard-2 has 8 GB, of which the broker takes one and the host another.
    if memory > 6 * 1024:
        yield f"the services of a host want {memory} MB; the standby's hosts have 6144 for them"


def main():
    read = lambda name: json.loads((ROOT / "deploy" / name).read_text())
    document = read("services.json")
    wrong = list(problems(document, read("services.schema.json")))
    names = document["services"]
    built = [name for name in names if (ROOT / f"app/{name}/Dockerfile").is_file()]
    updated = YAML(typ="safe").load(ROOT / ".github/dependabot.yml")["updates"]
    fresh = {folder for update in updated if update["package-ecosystem"] == "docker" for folder in update["directories"]}
    wrong += [f"{name} has a Dockerfile whose base nobody keeps fresh" for name in built if f"/app/{name}" not in fresh]
    for text in wrong:
        print(f"deploy/services.json: {text}")
    print(f"services: {len(names)} services, {len(built)} with a Dockerfile, {len(wrong)} problems")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
