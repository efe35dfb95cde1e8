"""What the schema of a build does not say: that steps wait for steps that exist, that stages come in their order, that the
image which is deployed is the one that was tested, built and pushed.

    cloudbuild.py       in the repository's root
"""

import json
import pathlib
import re
import sys

from ruamel.yaml import YAML

ROOT = pathlib.Path.cwd()
BUILTIN = {"PROJECT_ID", "PROJECT_NUMBER", "COMMIT_SHA", "SHORT_SHA", "BUILD_ID", "REPO_NAME", "REPO_FULL_NAME", "LOCATION"}
# R2.3.
SUBSTITUTIONS = {
    "_LOCATION": "us-central1",
    "_REPO_NAME": "trading-bot-repo",
    "_SERVICE_NAME": "core-engine",
    "_INSTANCE_NAME": "trading-bot-vm",
    "_ZONE": "us-central1-a",
}
STAGES = ("test", "build", "push", "deploy")
IMAGE = "${_LOCATION}-docker.pkg.dev/$PROJECT_ID/${_REPO_NAME}/${_SERVICE_NAME}:$COMMIT_SHA"


def words(step):
    return " ".join(str(word) for word in [*step.get("args", []), *step.get("env", []), step.get("script", "")])


def before(steps):
    """For each step, all that has ended when it starts."""
    done, names, wrong = {}, [], []
    for step in steps:
        name = step.get("id")
        if not name or name in done:
            wrong.append(f"a step has no id of its own: {step.get('name')}")
            continue
        waits = step.get("waitFor", list(names))
        for other in waits:
            if other != "-" and other not in names:
                wrong.append(f"{name} waits for {other}, which is no step before it")
        first = {other for other in waits if other in done}
        done[name] = first.union(*(done[other] for other in first))
        names.append(name)
    return done, wrong


def used(text):
    """Substitutions in a step; $$ is a dollar for the shell."""
    return set(re.findall(r"\$\{?([A-Z_][A-Z0-9_]*)\}?", text.replace("$$", "")))


def every(build):
    steps = build["steps"]
    done, wrong = before(steps)
    declared = set(build.get("substitutions", {}))
    text = json.dumps(build)
    spoken = used(text)
    wrong += [f"{name} is not declared" for name in sorted(spoken - declared - BUILTIN) if name.startswith("_")]
    wrong += [f"{name} is neither declared nor Cloud Build's: a shell's variable is written $$" for name in sorted(spoken - declared - BUILTIN) if not name.startswith("_")]
    wrong += [f"{name} is declared and not used" for name in sorted(declared - spoken)]
    for step in steps:
        if re.search(r":latest\b", json.dumps(step)) or step["name"].endswith(":latest"):
            wrong.append(f"{step['id']}: latest is whatever it is today")
        for script in re.findall(r"(?<![\w/])(?:\.ci/run|(?:deploy|app|xtask)/[\w./-]+\.sh)", words(step)):
            if not (ROOT / script).is_file():
                wrong.append(f"{step['id']} runs {script}, which is not there")
    if build.get("options", {}).get("logging") != "CLOUD_LOGGING_ONLY":
        wrong.append("a build under an identity of its own must log to Cloud Logging only")
    return done, wrong


def pipeline(build, test):
    """The four stages of R2.2."""
    done, wrong = every(build)
    steps = {step["id"]: step for step in build["steps"]}
    for stage, following in zip(STAGES, STAGES[1:]):
        if following in done and stage not in done[following]:
            wrong.append(f"{following} does not wait for {stage}")
    wrong += [f"there is no stage {stage}" for stage in STAGES if stage not in steps]
    for name, value in SUBSTITUTIONS.items():
        if build["substitutions"].get(name) != value:
            wrong.append(f"R2.3: {name} is {value}")
    if wrong:
        return wrong
    if ".ci/run" not in steps["test"]["args"]:
        wrong.append("test does not run everything that a developer runs")
    if steps["test"] != test["steps"][0]:
        wrong.append("deploy/cloudbuild/test.yaml tests something else")
    built = words(steps["build"])
    if not built.split()[-1] == "." or "--file app/${_SERVICE_NAME}/Dockerfile" not in built:
        wrong.append("the build's context is the root, and the Dockerfile the service's")
    if IMAGE not in built or IMAGE not in words(steps["push"]) or IMAGE not in build.get("images", []):
        wrong.append("what is built, pushed and recorded is not one image, named by its commit")
    standby = IMAGE.replace("_LOCATION", "_STANDBY_LOCATION")
    pushed = [step for step in steps.values() if "push" in step.get("args", []) and standby in step["args"]]
    if not pushed or not pushed[0]["id"] in done["deploy"]:
        wrong.append("the standby's registry does not get the image before it is deployed")
    if "COMMIT=$COMMIT_SHA" not in steps["deploy"].get("env", []):
        wrong.append("deploy does not deploy the commit")
    if build["options"].get("requestedVerifyOption") != "VERIFIED":
        wrong.append("provenance is not asked for")
    return wrong


def main():
    folder = ROOT / "deploy/cloudbuild"
    read = {path: YAML(typ="safe").load(path) for path in [ROOT / "cloudbuild.yaml", *sorted(folder.glob("*.yaml"))]}
    count = 0
    for path, build in read.items():
        test = read[folder / "test.yaml"]
        wrong = pipeline(build, test) if path.parent == ROOT else every(build)[1]
        for text in wrong:
            print(f"{path.relative_to(ROOT)}: {text}")
        count += len(wrong)
    print(f"cloudbuild: {len(read)} builds, {count} problems")
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
