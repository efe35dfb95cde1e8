"""Unit files as systemd reads them, and that each keeps to R3.2.

    units.py FOLDER      in the repository's root; FOLDER is for copies
"""

import os
import pathlib
import shutil
import subprocess
import sys

UNITS = pathlib.Path.cwd() / "deploy/vm/systemd"
# What the requirements name, line for line.
DEMANDED = (
    "Requires=docker.service",
    "TimeoutStartSec=0",
    "Restart=always",
    "RestartSec=10s",
    "WantedBy=multi-user.target",
)
DEMANDED_WORDS = ("After=docker.service", "--network=host", "ExecStartPre=-/usr/bin/docker kill", "ExecStartPre=-/usr/bin/docker rm", "ExecStop=/usr/bin/docker stop", "docker pull")
DOCKER = "[Unit]\nDescription=Docker\n[Service]\nExecStart=/bin/true\n"


def verify(folder):
    """systemd's own reading. It exits 0 also where it complains, so every word on stderr is a problem."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = []
    for file in sorted(UNITS.glob("*.service")):
        # These programs are on a host, and not where this runs.
        text = file.read_text().replace("/usr/bin/docker", "/bin/true").replace("/usr/bin/timeout", "/bin/true")
        text = text.replace("/opt/scripts/rabbitmq-credentials.sh", "/bin/true")
        (folder / file.name).write_text(text)
        names.append(file.name.replace("@.", "@123."))
    (folder / "docker.service").write_text(DOCKER)
    env = {**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:"}
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *names], cwd=folder, env=env, capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if "trading-bot" in line or done.returncode]
    return [line.replace(f"{folder}/", "") for line in ours], names


def main(folder):
    wrong, names = verify(pathlib.Path(folder).resolve())
    for file in sorted(UNITS.glob("*.service")):
        text = file.read_text()
        wrong += [f"{file.name}: R3.2 wants {line}" for line in DEMANDED if line not in text.splitlines()]
        wrong += [f"{file.name}: R3.2 wants {words}" for words in DEMANDED_WORDS if words not in text]
    for text in wrong:
        print(f"units: {text}")
    print(f"units: {len(names)} units, {len(wrong)} problems")
    return int(bool(wrong) or not names)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
