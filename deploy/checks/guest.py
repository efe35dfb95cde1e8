"""A host as Terraform makes it, without a cloud: systemd as its process 1, a Docker engine, a registry, and a network of its
own. It shares the machine's programs (/usr) and nothing else.

Needs root, and Debian's systemd-container, docker.io, docker-registry and busybox-static.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import time

REGISTRY = "127.0.0.1:5000"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
UNITS = {
    "registry.service": "[Service]\nExecStart=/usr/bin/docker-registry serve /etc/registry.yml\n[Install]\nWantedBy=multi-user.target\n",
    # The guest is given its control groups read-only; a real host's are its own.
    "cgroups.service": (
        "[Unit]\nDefaultDependencies=no\nBefore=docker.service containerd.service\n[Service]\nType=oneshot\n"
        "ExecStart=/bin/sh -c 'for mount in $(findmnt --raw --noheadings --output TARGET | grep ^/sys/fs/cgroup/); do "
        "mount -o remount,rw,bind $mount; done'\n[Install]\nWantedBy=multi-user.target\n"
    ),
}
ENABLED = {"docker.service": "/usr/lib", "containerd.service": "/usr/lib", "registry.service": "/etc", "cgroups.service": "/etc"}
# Of no use here, and slow.
MASKED = ("systemd-networkd", "systemd-resolved", "systemd-logind", "console-getty", "getty@tty1")
REGISTRY_CONFIG = "version: 0.1\nstorage: {filesystem: {rootdirectory: /var/lib/registry}}\nhttp: {addr: '127.0.0.1:5000'}\n"


class Guest:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.process = None
        self.inside = None
        for folder in ("usr", "etc/systemd/system/multi-user.target.wants", "etc/docker", "var/lib", "var/log", "root", "proc", "sys", "dev", "run", "tmp", "opt"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        for name in ("bin", "sbin", "lib", "lib64"):
            (self.root / name).symlink_to(f"usr/{name}")
        etc = self.root / "etc"
        for name in ("passwd", "group", "nsswitch.conf", "ld.so.cache", "os-release"):
            shutil.copy(f"/etc/{name}", etc / name)
        shutil.copytree("/etc/alternatives", etc / "alternatives", symlinks=True)
        (etc / "machine-id").write_text(subprocess.check_output(["systemd-id128", "new"], text=True))
        (etc / "docker/daemon.json").write_text('{"iptables": false, "bridge": "none"}')
        (etc / "registry.yml").write_text(REGISTRY_CONFIG)
        units = etc / "systemd/system"
        (units / "default.target").symlink_to("/usr/lib/systemd/system/multi-user.target")
        for name, text in UNITS.items():
            (units / name).write_text(text)
        for name, where in ENABLED.items():
            (units / "multi-user.target.wants" / name).symlink_to(f"{where}/systemd/system/{name}")
        for name in MASKED:
            (units / f"{name}.service").symlink_to("/dev/null")

    def boot(self):
        command = [
            "systemd-nspawn", "--quiet", f"--directory={self.root}", "--bind-ro=/usr", "--register=no", "--keep-unit",
            "--boot", "--private-network", "--capability=all", "--system-call-filter=add_key keyctl bpf",
            f"--machine=trading-bot-{os.getpid()}", "--console=pipe",
        ]  # fmt: skip
        log = open(self.root.parent / "console.log", "ab")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait("process 1", lambda: self._find())
        self.wait("the Docker engine", lambda: self.run("docker", "info").returncode == 0)

    def _find(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for child in children.read_text().split() if self.process.poll() is None else []:
            if pathlib.Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                self.inside = child
                return True
        return False

    def power_loss(self):
        """What a host's end looks like from inside: nothing is told."""
        os.kill(int(self.inside), signal.SIGKILL)
        self.process.wait(timeout=20)

    def run(self, *command, env=None, text=None):
        enter = ["nsenter", f"--target={self.inside}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--"]
        settings = [f"{key}={value}" for key, value in {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", **(env or {})}.items()]
        return subprocess.run([*enter, "env", "-i", *settings, *command], capture_output=True, text=True, input=text or "")

    def must(self, *command, **more):
        done = self.run(*command, **more)
        if done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def wait(self, what, condition, seconds=40):
        start = time.monotonic()
        while not condition():
            if time.monotonic() - start > seconds:
                raise AssertionError(f"waited {seconds} s in vain for {what}")
            time.sleep(0.05)
        return time.monotonic() - start

    def end(self):
        if self.process and self.process.poll() is None:
            # Containers first: their control groups are the machine's.
            self.run("sh", "-c", "docker ps -q | xargs -r docker kill")
            self.power_loss()
