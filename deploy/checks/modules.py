"""Validates every Terraform module and runs its tests, against the stand-in provider.

    modules.py [MODULE...]      in a copy of the repository's root
"""

import pathlib
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path.cwd()
MODULES = ROOT / "deploy/terraform/modules"


def terraform(folder, *arguments):
    command = [sys.executable, ROOT / "deploy/checks/terraform.py", *arguments, "-no-color"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def undocumented(folder):
    """Variables and outputs that do not say what they are."""
    for file in ("variables.tf", "outputs.tf"):
        for kind, name, body in re.findall(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', (folder / file).read_text(), re.M | re.S):
            if not re.search(r'^  description = "[A-Z0-9].*\."$', body, re.M):
                yield f"{folder.name}: {kind} {name} has no description that is a sentence"


def proven(folder):
    """Whether the module holds, how many runs passed, and what to show."""
    for step in ("init", "validate", "test"):
        code, text = terraform(folder, step)
        if code:
            return False, 0, f"{text}\nmodules: {folder.name}: {step} failed"
    passed = re.search(r"Success! (\d+) passed, 0 failed", text)
    if not passed or passed.group(1) == "0":
        return False, 0, f"modules: {folder.name} has no test"
    problems = list(undocumented(folder))
    return not problems, int(passed.group(1)), "\n".join(problems) or f"ok   {folder.name}: {passed.group(1)} runs"


def main(wanted):
    folders = [folder for folder in sorted(MODULES.iterdir()) if not wanted or folder.name in wanted]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(proven, folders))
    for _, _, text in results:
        print(text)
    failed = sum(not good for good, _, _ in results)
    print(f"modules: {len(folders)} modules, {sum(count for _, count, _ in results)} runs of terraform test passed, {failed} modules failed")
    return int(failed > 0 or not folders)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
