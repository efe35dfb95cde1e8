"""deploy/cloudbuild/deploy.sh with a stand-in for gcloud that knows three commands and refuses every other word.

    rollout.py       in the repository's root

The real gcloud cannot open a shell on an instance that is not there; deploy.sh on the host itself is proven by host.py.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

SCRIPT = pathlib.Path.cwd() / "deploy/cloudbuild/deploy.sh"
COMMIT = "a" * 40
GCLOUD = '''#!{python}
import json, os, sys
called = sys.argv[1:]
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps(called) + "\\n")
if called[:3] == ["compute", "instances", "list"]:
    assert called[3:5] == ["--project", "example-project"], called
    assert called[5:7] == ["--filter", "name ~ ^trading-bot-vm(-[a-z0-9]+)?$ AND status = RUNNING"], called
    assert called[7:] == ["--format", "value(name, zone.basename())"], called
    print(os.environ["INSTANCES"])
elif called[:2] == ["compute", "ssh"]:
    assert called[3:5] == ["--project", "example-project"] and called[5] == "--zone", called
    assert called[7:10] == ["--tunnel-through-iap", "--quiet", "--command"] and len(called) == 11, called
    sys.exit(70 if called[2] == os.environ.get("BREAKS") else 0)
elif called == ["secrets", "versions", "add", "deployed-core-engine", "--project", "example-project", "--data-file=-", "--quiet"]:
    assert sys.stdin.read() == "{commit}"
else:
    sys.exit(f"no such command: {{called}}")
'''
INSTANCES = "trading-bot-vm-x1f3 us-central1-a\ntrading-bot-vm us-east1-b\ntrading-bot-vm-9k2d us-central1-b"


def run(folder, **changed):
    calls = folder / "calls"
    calls.write_text("")
    env = {
        "PATH": f"{folder}:{os.environ['PATH']}", "CALLS": str(calls), "INSTANCES": INSTANCES, "PROJECT": "example-project",
        "SERVICE": "core-engine", "COMMIT": COMMIT, "INSTANCE": "trading-bot-vm", "ZONE": "us-central1-a", **changed,
    }  # fmt: skip
    done = subprocess.run(["bash", SCRIPT], env=env, capture_output=True, text=True)
    called = [json.loads(line) for line in calls.read_text().splitlines()]
    return done, [(call[2], call[6], call[10]) for call in called if call[1] == "ssh"], [call for call in called if call[0] == "secrets"]


def standby_first_then_one_after_the_other(folder):
    done, hosts, pins = run(folder)
    command = f"sudo /opt/scripts/deploy.sh core-engine {COMMIT}"
    assert done.returncode == 0, done.stderr
    assert hosts == [
        ("trading-bot-vm", "us-east1-b", command),
        ("trading-bot-vm-9k2d", "us-central1-b", command),
        ("trading-bot-vm-x1f3", "us-central1-a", command),
    ], hosts
    assert len(pins) == 1, "new instances do not learn of the commit"


def a_host_that_took_it_back_stops_the_others(folder):
    done, hosts, pins = run(folder, BREAKS="trading-bot-vm-9k2d")
    assert done.returncode != 0 and [name for name, _, _ in hosts] == ["trading-bot-vm", "trading-bot-vm-9k2d"], hosts
    assert not pins, "new instances would start what did not become ready"


def nothing_to_deploy_to_is_an_error(folder):
    done, hosts, pins = run(folder, INSTANCES="")
    assert done.returncode == 69 and not hosts and not pins, done.stderr


def what_is_no_name_never_reaches_a_shell(folder):
    done, hosts, pins = run(folder, SERVICE="core-engine; reboot")
    assert done.returncode == 64 and not hosts and not pins, done.stderr


CASES = [
    standby_first_then_one_after_the_other,
    a_host_that_took_it_back_stops_the_others,
    nothing_to_deploy_to_is_an_error,
    what_is_no_name_never_reaches_a_shell,
]


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        program = folder / "gcloud"
        program.write_text(GCLOUD.format(python=sys.executable, commit=COMMIT))
        program.chmod(0o755)
        for case in CASES:
            try:
                case(folder)
                print(f"ok   {case.__name__}")
            except AssertionError as error:
                failed += 1
                print(f"FAIL {case.__name__}: {error}")
    print(f"rollout: {len(CASES) - failed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
