"""Stands in for Google's APIs: remembers what it is told to make, refuses to make it twice, and knows nothing else.

A request that it has no rule for is answered 501 and remembered, so that the test which uses it fails. It does not judge
values: that is what comparing with Terraform is for.
"""

import http.server
import json
import re
import threading
import urllib.parse

# Where each API lies, and gcloud's name for it.
APIS = {
    "compute": "compute/v1/",
    "sql": "",
    "secretmanager": "",
    "artifactregistry": "",
    "iam": "",
    "storage": "",
    "cloudresourcemanager": "",
}
NAME = {"secrets": "secretId", "repositories": "repositoryId"}


# What Google has before anybody makes anything.
GOOGLES = {
    "/compute/v1/projects/debian-cloud/global/images/family/debian-12": {"name": "debian-12-bookworm", "diskSizeGb": "10"},
}


class Cloud:
    def __init__(self):
        self.things = {}
        self.unknown = []
        self.requests = 0
        self.lock = threading.Lock()

    def answer(self, method, path, query, body):
        self.requests += 1
        if re.search(r"/operations/[^/]+(/wait)?$", path) or path.startswith("/v1/operations/"):
            return 200, self.operation(path)
        action = re.search(r"[:/](getIamPolicy|setIamPolicy)$", path)
        if action or path.endswith("/iam") and "/b/" in path:
            return self.policy(method, path, action, body)
        added = re.search(r"^(.*)/(addRule|addAssociation|addInstances|setNamedPorts|getRule|getAssociation)$", path)
        if added:
            return self.part(added.group(1), added.group(2), query, body)
        if method == "GET":
            found = self.things.get(path) or GOOGLES.get(path)
            return (200, {"selfLink": f"{self.url}{path}", **found}) if found else self.refuse(404, f"{path} was not found")
        if method == "POST":
            return self.make(path, query, body)
        if method in ("PATCH", "PUT") and path in self.things:
            self.things[path].update(body)
            return 200, self.result(path)
        self.unknown.append(f"{method} {path}")
        return self.refuse(501, f"no rule for {method} {path}")

    def make(self, path, query, body):
        kind = path.rpartition("/")[2]
        name = query.get(NAME.get(kind, ""), [body.get("accountId") or body.get("name")])[0]
        if not name:
            self.unknown.append(f"POST {path}")
            return self.refuse(501, f"no rule for POST {path}")
        project = path.split("/")[3]
        if kind == "serviceAccounts":
            name, body = f"{name}@{project}.iam.gserviceaccount.com", body.get("serviceAccount", {})
            body = {**body, "email": name}
        at = f"{path}/{name.rpartition('/')[2]}"
        if at in self.things:
            return self.refuse(409, f"The resource '{at}' already exists")
        self.things[at] = {**body, "name": name, "selfLink": f"{self.url}{at}", "id": "1"}
        return 200, self.result(at)

    def part(self, owner, action, query, body):
        if action.startswith("get"):
            key = query.get("priority", query.get("name", [""]))[0]
            at = f"{owner}/{action.replace('get', 'add')}/{key}"
            return (200, self.things[at]) if at in self.things else self.refuse(404, f"{at} was not found")
        if owner not in self.things:
            return self.refuse(404, f"{owner} was not found")
        at = f"{owner}/{action}/{body.get('priority', body.get('name', 'all'))}"
        if at in self.things and action in ("addRule", "addAssociation"):
            return self.refuse(409, f"The resource '{at}' already exists")
        self.things[at] = body
        return 200, self.operation(owner)

    def policy(self, method, path, action, body):
        at = path if not action else path[: action.start()] + "/iam"
        writes = method == "PUT" or action and action.group(1) == "setIamPolicy"
        if writes:
            self.things[at] = body.get("policy", body)
        return 200, self.things.get(at, {"version": 3, "etag": "BwX=", "bindings": []})

    def result(self, at):
        if at.startswith(("/compute/", "/sql/")):
            return self.operation(at)
        if "/repositories/" in at:
            return {"name": self.operation(at)["name"], "done": True, "response": {"@type": "x", "name": at}}
        return self.things[at]

    def operation(self, at):
        place = re.match(r"(/compute/v1/projects/[^/]+/(?:global|(?:regions|zones)/[^/]+))/", at)
        name = "operations/made" if not at.startswith(("/compute/", "/sql/")) else "made"
        if "/locations/" in at:
            name = re.match(r"/v1\w*/(projects/[^/]+/locations/[^/]+)", at).group(1) + "/operations/made"
        where = re.match(r".*/(region|zone)s/[^/]+$", place.group(1)) if place else None
        return {
            **({where.group(1): f"{self.url}{place.group(1)}"} if where else {}),
            "kind": "compute#operation" if place else "operation", "name": name, "operationType": "insert", "status": "DONE", "done": True,
            "targetLink": f"{self.url}{at}", "selfLink": f"{self.url}{place.group(1) if place else ''}/operations/made",
            "response": {"@type": "x"},
        }  # fmt: skip

    @staticmethod
    def refuse(code, message):
        status = {404: "NOT_FOUND", 409: "ALREADY_EXISTS"}.get(code, "UNIMPLEMENTED")
        return code, {"error": {"code": code, "message": message, "status": status, "errors": [{"reason": status, "message": message}]}}


def serve(cloud):
    """Starts the stand-in on a free port of loopback and returns the server."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_one(self):
            split = urllib.parse.urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            body = json.loads(raw) if raw else {}
            with cloud.lock:
                code, answer = cloud.answer(self.command, split.path, urllib.parse.parse_qs(split.query), body)
            data = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_one

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    cloud.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def environment(cloud, folder):
    """What points gcloud at the stand-in, without credentials and without its maker."""
    settings = {
        "CLOUDSDK_CONFIG": str(folder),
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "1",
        "CLOUDSDK_CORE_CHECK_GCE_METADATA": "0",
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
        "CLOUDSDK_CORE_LOG_HTTP_REDACT_TOKEN": "1",
    }
    for api, below in APIS.items():
        settings[f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api.upper()}"] = f"{cloud.url}/{below}"
    return settings
