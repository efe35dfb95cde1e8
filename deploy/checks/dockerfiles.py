"""Every Dockerfile of a service: hadolint's rules, and the house's own (R2.2, R3.1, R4.3).

    dockerfiles.py       in the repository's root; hadolint is beside this Python
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path.cwd()
HADOLINT = pathlib.Path(sys.executable).parent / "hadolint"


def house_rules(text):
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    stages = [line for line in lines if line.upper().startswith("FROM ")]
    if len(stages) < 2:
        yield "one stage: the toolchain is in the image"
    last = lines[lines.index(stages[-1]) :] if stages else []
    if not any(re.match(r"USER\s+(?!0\b|root\b)\S+", line) for line in last):
        yield "runs as root"
    if any(re.search(r":latest\b", line) or (":" not in line and "@" not in line and "scratch" not in line.lower() and " as " not in line.lower()) for line in stages):
        yield "a base without a version"
    if any(re.match(r"(ENV|ARG)\s+\S*(PASSWORD|TOKEN|SECRET|API_KEY)", line, re.I) for line in lines):
        yield "a secret in the image (R4.3)"
    if not any(line.startswith("ENTRYPOINT [") for line in last):
        yield "no ENTRYPOINT of its own: a unit passes arguments to it"
    if not any("org.opencontainers.image" in line for line in last):
        yield "no OCI labels"


def main():
    files = sorted(ROOT.glob("app/*/Dockerfile"))
    wrong = []
    for file in files:
        name = file.relative_to(ROOT)
        done = subprocess.run([HADOLINT, "--no-color", name], cwd=ROOT, capture_output=True, text=True)
        wrong += (done.stdout + done.stderr).splitlines()
        if done.returncode and not (done.stdout or done.stderr):
            wrong.append(f"{name}: hadolint ended with {done.returncode}")
        wrong += [f"{name}: {problem}" for problem in house_rules(file.read_text())]
    for text in wrong:
        print(text)
    print(f"dockerfiles: {len(files)} Dockerfiles, {len(wrong)} problems")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
