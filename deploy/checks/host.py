"""The unit files and deploy.sh on a host: real systemd, real Docker, a real registry, and a service that can misbehave.

    host.py FOLDER      in the repository's root; works below FOLDER, which must not exist
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from guest import PATH, REGISTRY, Guest

ROOT = pathlib.Path.cwd() / "deploy"
REPOSITORY = f"{REGISTRY}/example-project/trading-bot-repo"
# Commits, named by what their image does.
GOOD, BETTER, NEVER_READY, BAD_CONFIG, LARGE, GONE = (digit * 40 for digit in "abcde0")
SERVE = """#!/bin/sh
# Stands for a service: takes what a unit passes, answers /ready with its version, ends on SIGTERM.
trap 'exit 0' TERM
if [ "$(cat /behaviour)" = broker ]; then
    cat /etc/rabbitmq/conf.d/20-credentials.conf
    sleep 1000 &
    wait
fi
while [ $# -gt 0 ]; do
    case $1 in
        --config | --data-dir | --instance) shift ;;
        --listen) port=${2##*:}; shift ;;
        *) echo "unknown argument $1" >&2; exit 64 ;;
    esac
    shift
done
[ "$(cat /behaviour)" = bad-config ] && exit 78
mkdir /tmp/www
[ "$(cat /behaviour)" = never-ready ] || cp /version /tmp/www/ready
echo started
busybox httpd -f -p "$port" -h /tmp/www &
wait
"""


# Knows what setup-host.sh and rabbitmq-credentials.sh ask for, and refuses every other word.
GCLOUD = f"""#!/bin/sh
case "$*" in
    "auth configure-docker --quiet {REGISTRY}") ;;
    "secrets versions access latest --project example-project --secret deployed-core-engine") echo {GOOD} ;;
    "secrets versions access latest --project example-project --secret deployed-"*) echo NOT_FOUND >&2; exit 1 ;;
    "secrets versions access latest --project example-project --secret rabbitmq-credentials") echo amqp://trader:s3same@127.0.0.1:5672 ;;
    *) echo "no such command: $*" >&2; exit 64 ;;
esac
"""
METADATA = {
    "project/project-id": "example-project",
    "instance/attributes/registry": REPOSITORY,
    "instance/attributes/rabbitmq-image": f"{REPOSITORY}/rabbitmq:1",
    "instance/attributes/service-config": "# as Terraform wrote it\n",
}


class Host:
    """The guest with scripts, units and images on it."""

    def __init__(self, folder):
        self.guest = Guest(folder / "root")
        root = self.guest.root
        for source, target in ((ROOT / "vm/scripts", "opt/scripts"), (ROOT / "vm/systemd", "etc/systemd/system")):
            shutil.copytree(source, root / target, dirs_exist_ok=True)
        services = json.loads((ROOT / "services.json").read_text())["services"]
        (root / "opt/scripts/services.json").write_text(json.dumps(services))
        for name, text in METADATA.items():
            file = root / "opt/metadata/computeMetadata/v1" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        stand_in = root / "opt/stand-in/gcloud"
        stand_in.parent.mkdir()
        stand_in.write_text(GCLOUD)
        stand_in.chmod(0o755)
        (root / "etc/systemd/system.conf").write_text(f"[Manager]\nDefaultEnvironment=PATH=/opt/stand-in:{PATH}\n")

    def publish(self, service, commit, behaviour="good", padding=0):
        """Pushes an image and forgets it: a host has only what it pulled."""
        image, build = f"{REPOSITORY}/{service}:{commit}", self.guest.root / "opt/build"
        (build / "bin").mkdir(parents=True)
        shutil.copy("/bin/busybox", build / "bin/busybox")
        for name in ("sh", "cat", "cp", "mkdir", "sleep"):
            (build / "bin" / name).symlink_to("busybox")
        (build / "behaviour").write_text(behaviour)
        (build / "version").write_text(commit)
        (build / "padding").write_bytes(os.urandom(padding))
        (build / "serve").write_text(SERVE)
        (build / "serve").chmod(0o755)
        make = f"tar -C /opt/build -c . | docker import --change 'ENTRYPOINT [\"/serve\"]' --change 'USER 10001:10001' - {image}"
        self.guest.must("sh", "-c", f"{make} && docker push --quiet {image} && docker image rm {image}")
        shutil.rmtree(build)

    def deploy(self, *arguments, **settings):
        env = {f"TRADING_BOT_{key.upper()}": str(value) for key, value in {"ready_seconds": 5, **settings}.items()}
        return self.guest.run("/opt/scripts/deploy.sh", *arguments, env=env)

    def version(self, port=8080):
        return self.guest.run("curl", "--silent", "--fail", "--max-time", "1", f"http://127.0.0.1:{port}/ready").stdout

    def container(self, name="trading-bot-core"):
        return self.guest.run("docker", "inspect", "--format", "{{.Id}}", name).stdout.strip()

    def pinned(self, service="core-engine"):
        return (self.guest.root / f"etc/trading-bot/images/{service}").read_text().strip().rpartition(":")[2]

    def audited(self):
        entries = self.guest.must("journalctl", "--quiet", "--output=cat", "--identifier=security_audit").splitlines()
        return [json.loads(entry)["result"] for entry in entries]


def expect(done, code, text):
    assert done.returncode == code, f"expected exit {code}, got {done.returncode}: {done.stderr}"
    assert text in done.stderr, f"expected {text!r} in {done.stderr!r}"


def untouched(host, done, code, text):
    """The deployment is refused, and what ran before runs on: the very same container."""
    before = host.untouched_container
    expect(done, code, text)
    assert host.container() == before and host.version() == GOOD and host.pinned() == GOOD, "what ran was touched"


def a_new_host_starts_what_was_deployed_last(host):
    metadata = "http://127.0.0.1:8099/computeMetadata/v1"
    host.guest.must("busybox", "httpd", "-p", "127.0.0.1:8099", "-h", "/opt/metadata")
    env = {"PATH": f"/opt/stand-in:{PATH}", "TRADING_BOT_METADATA": metadata}
    done = host.guest.run("/opt/scripts/setup-host.sh", env=env)
    assert done.returncode == 0, done.stderr
    assert "capital-manager has never been deployed" in done.stderr and "2 units started" in done.stderr, done.stderr
    host.guest.wait("the service", lambda: host.version() == GOOD)
    assert (host.guest.root / "etc/trading-bot/config.toml").read_text() == METADATA["instance/attributes/service-config"]
    again = host.guest.run("/opt/scripts/setup-host.sh", env=env)
    assert again.returncode == 0, f"a second run: {again.stderr}"


def the_broker_is_given_its_credentials_and_no_disk_is(host):
    said = lambda: host.guest.run("journalctl", "--quiet", "--output=cat", "--unit=trading-bot-rabbitmq").stdout
    host.guest.wait("the broker", lambda: "default_user = trader" in said() and "default_pass = s3same" in said())
    found = host.guest.run("grep", "-rl", "s3same", "/etc", "/var/lib/trading-bot", "/root").stdout
    assert not found, f"the password lies on a disk: {found}"
    shown = host.guest.must("findmnt", "--noheadings", "--output", "FSTYPE", "--target", "/run/trading-bot/rabbitmq.conf")
    assert shown == "tmpfs", shown


def a_first_deployment_serves(host):
    expect(host.deploy("capital-manager"), 64, "has never been deployed here")
    expect(host.deploy("core-engine", GOOD), 0, f"core-engine runs {GOOD}")
    assert host.version() == GOOD and host.audited() == ["started", "ready"], host.audited()
    host.untouched_container = host.container()


def a_container_may_change_nothing_but_its_data(host):
    shown = json.loads(host.guest.must("docker", "inspect", "trading-bot-core"))[0]
    settings = shown["HostConfig"]
    assert settings["ReadonlyRootfs"] and settings["CapDrop"] == ["ALL"] and "no-new-privileges" in settings["SecurityOpt"]
    assert shown["Config"]["User"] == "10001:10001" and settings["Memory"] == 1024 << 20 and not settings["Privileged"]
    writable = [mount["Destination"] for mount in shown["Mounts"] if mount["RW"]]
    assert writable == ["/var/lib/nightdesk"], writable


def an_unknown_service_is_refused(host):
    untouched(host, host.deploy("core-engin", GOOD), 64, "no service 'core-engin' on this host; there are: capital-manager, core-engine")


def what_is_no_commit_is_refused(host):
    untouched(host, host.deploy("core-engine", "latest"), 64, "'latest' is no commit")
    untouched(host, host.deploy("core-engine", f"{GOOD}; reboot"), 64, "is no commit")


def a_commit_without_an_image_is_refused(host):
    untouched(host, host.deploy("core-engine", GONE), 66, f"there is no image {REPOSITORY}/core-engine:{GONE}")


def a_registry_that_is_down_changes_nothing(host):
    host.guest.must("systemctl", "stop", "registry")
    untouched(host, host.deploy("core-engine", BETTER), 69, "cannot fetch")
    host.guest.must("systemctl", "start", "registry")
    host.guest.wait("the registry", lambda: host.guest.run("curl", "-sf", f"http://{REGISTRY}/v2/").returncode == 0)


def a_full_disk_changes_nothing(host):
    untouched(host, host.deploy("core-engine", BETTER, free_mb=10**9), 73, "MB are free for images")
    host.guest.must("mount", "-t", "tmpfs", "-o", "size=1m", "full", "/var/lib/docker/tmp")
    untouched(host, host.deploy("core-engine", LARGE), 73, "no room for")
    host.guest.must("umount", "/var/lib/docker/tmp")


def two_deployments_at_once_are_refused(host):
    lock = "/run/lock/trading-bot-deploy-core-engine"
    holder = host.guest.run
    holder("sh", "-c", f"flock {lock} sleep 5 >/dev/null 2>&1 & sleep 0.2")
    untouched(host, host.deploy("core-engine", BETTER), 75, "another deployment of core-engine is under way")
    host.guest.must("flock", lock, "true")


def what_is_killed_starts_again(host):
    pid = host.guest.must("docker", "inspect", "--format", "{{.State.Pid}}", "trading-bot-core")
    subprocess.run(["nsenter", f"--target={host.guest.inside}", "--pid", "--mount", "kill", "-9", pid], check=True)
    host.guest.wait("the end", lambda: not host.version())
    took = host.guest.wait("the service", lambda: host.version() == GOOD, 20)
    assert took < 13, f"RestartSec is 10 s, it took {took:.1f} s"
    return f"{took:.1f} s"


def a_host_that_lost_power_serves_again_without_the_registry(host):
    (host.guest.root / "etc/systemd/system/multi-user.target.wants/registry.service").unlink()
    host.guest.power_loss()
    start = time.monotonic()
    host.guest.boot()
    host.guest.wait("the service", lambda: host.version() == GOOD)
    took = time.monotonic() - start
    assert host.guest.run("systemctl", "is-active", "registry").stdout.strip() == "inactive", "the registry runs"
    host.guest.must("systemctl", "enable", "--now", "registry")
    host.guest.wait("the registry", lambda: host.guest.run("curl", "-sf", f"http://{REGISTRY}/v2/").returncode == 0)
    return f"{took:.1f} s from the start of the boot"


def a_version_that_is_not_ready_is_taken_back(host):
    expect(host.deploy("core-engine", NEVER_READY), 70, f"core-engine {NEVER_READY} did not become ready; {GOOD} serves again")
    assert host.version() == GOOD and host.pinned() == GOOD
    assert host.audited()[-2:] == ["started", "rolled-back"], host.audited()


def a_bad_configuration_is_taken_back_at_once(host):
    start = time.monotonic()
    expect(host.deploy("core-engine", BAD_CONFIG, ready_seconds=60), 70, "refuses its configuration (exit 78)")
    assert time.monotonic() - start < 20, "it waited for what cannot come"
    assert host.version() == GOOD


def a_good_version_is_switched_to(host):
    start = time.monotonic()
    expect(host.deploy("core-engine", BETTER), 0, f"core-engine runs {BETTER}")
    assert host.version() == BETTER
    return f"{time.monotonic() - start:.1f} s from the command to ready"


def the_version_before_stays_and_older_ones_go(host):
    images = host.guest.must("docker", "image", "ls", "--format", "{{.Tag}}", f"{REPOSITORY}/core-engine").split()
    assert sorted(images) == [GOOD, BETTER], images
    expect(host.deploy("core-engine"), 0, f"core-engine runs {BETTER}")


def every_instance_of_a_strategy_is_deployed(host):
    expect(host.deploy("strategy-worker", GOOD), 0, f"strategy-worker runs {GOOD}")
    assert [host.version(port) for port in (8200, 8201)] == [GOOD, GOOD]
    assert host.container("trading-bot-strategy-123") != host.container("trading-bot-strategy-456")


def a_bad_configuration_is_not_restarted(host):
    (host.guest.root / "etc/trading-bot/images/capital-manager").write_text(f"IMAGE={REPOSITORY}/capital-manager:{BAD_CONFIG}\n")
    host.guest.run("systemctl", "start", "trading-bot-capital")
    failed = lambda: host.guest.run("systemctl", "is-failed", "trading-bot-capital").stdout.strip() == "failed"
    host.guest.wait("the refusal", failed, 15)
    time.sleep(11)
    shown = host.guest.must("systemctl", "show", "--property=NRestarts,ExecMainStatus", "trading-bot-capital")
    assert failed() and shown.split() == ["NRestarts=0", "ExecMainStatus=78"], shown


CASES = [
    a_new_host_starts_what_was_deployed_last,
    the_broker_is_given_its_credentials_and_no_disk_is,
    a_first_deployment_serves,
    a_container_may_change_nothing_but_its_data,
    an_unknown_service_is_refused,
    what_is_no_commit_is_refused,
    a_commit_without_an_image_is_refused,
    a_registry_that_is_down_changes_nothing,
    a_full_disk_changes_nothing,
    two_deployments_at_once_are_refused,
    what_is_killed_starts_again,
    a_host_that_lost_power_serves_again_without_the_registry,
    a_version_that_is_not_ready_is_taken_back,
    a_bad_configuration_is_taken_back_at_once,
    a_good_version_is_switched_to,
    the_version_before_stays_and_older_ones_go,
    every_instance_of_a_strategy_is_deployed,
    a_bad_configuration_is_not_restarted,
]


def main(folder):
    if os.geteuid() != 0:
        print("host: a guest with systemd and Docker needs root: run `sudo -E cargo xtask infra host`", file=sys.stderr)
        return 69
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    host = Host(folder)
    failed = 0
    try:
        host.guest.boot()
        host.publish("core-engine", GOOD)
        host.publish("core-engine", BETTER)
        host.publish("core-engine", NEVER_READY, "never-ready")
        host.publish("core-engine", BAD_CONFIG, "bad-config")
        host.publish("core-engine", LARGE, padding=4 << 20)
        host.publish("strategy-worker", GOOD)
        host.publish("rabbitmq", "1", "broker")
        host.publish("capital-manager", BAD_CONFIG, "bad-config")
        for case in CASES:
            try:
                note = case(host)
                print(f"ok   {case.__name__}{f' ({note})' if note else ''}", flush=True)
            except Exception as error:  # The next case tells more.
                failed += 1
                print(f"FAIL {case.__name__}: {error}", flush=True)
    finally:
        host.guest.end()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"host: {len(CASES) - failed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
