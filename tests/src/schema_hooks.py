"""What Schemathesis cannot know of Lethe: who calls, which ids there are, and what is refused with a reason.

Its schemas have ids that nobody has, tags of no version and keys that were used before: nearly all requests would end
there. LETHE_SCHEMA_FILE names one of JSON: `token`, `sign_in` (the body of one), `ids` (by their names in paths), `other`
(the same, of things that may be changed so that nothing runs on them any more), and `counts`, a file to write.
"""

import atexit
import collections
import json
import os
import random
import unicodedata
import uuid

import requests
import schemathesis

with open(os.environ["LETHE_SCHEMA_FILE"]) as file:
    SETTINGS = json.load(file)
# The same requests each time, as far as they can be.
CHANCE = random.Random(1)
KNOWN = set(SETTINGS["ids"].values()) | set(SETTINGS["other"].values())
# Ids that answers have shown: a link leads to one of these.
SHOWN = set()
# Of what was written.
POSITIONS = collections.deque(maxlen=1)
SIGNS_OUT = ("DELETE /v1/me/sessions/current", "DELETE /v1/me/sessions/{session_id}")
COUNTS = collections.defaultdict(collections.Counter)
# Of what fits a schema, these say that it does not.
MALFORMED = {"bad-json", "content-type"}
UNFIT = {"bad-body", "bad-query", "bad-header"}


@atexit.register
def write_counts():
    with open(SETTINGS["counts"], "w") as counts:
        json.dump({name: dict(statuses) for name, statuses in COUNTS.items()}, counts)


def ids_of(operation):
    """What stands for the names of its path. What runs need is not changed, and what others need is not deleted."""
    method, names = operation.method.upper(), operation.path.split("/")
    changes = method in ("PUT", "PATCH") or names[-1] == "approve"
    ids = SETTINGS["ids"] | (SETTINGS["other"] if changes else {})
    if method == "DELETE":
        ids.pop(names[-1].strip("{}"), None)
    return ids


def harmless(body, ids):
    """Commands are run on this machine."""
    if isinstance(body, list):
        return [harmless(item, ids) for item in body]
    if not isinstance(body, dict):
        return body
    known = {"command": "true", "server_ids": [ids["server_id"]], "deployment_id": ids["deployment_id"]}
    return {
        name: known[name] if name in known and isinstance(value, type(known[name])) else harmless(value, ids)
        for name, value in body.items()
    }


@schemathesis.hook
def before_call(context, case, kwargs):
    ids = ids_of(case.operation)
    # Nothing connects to the hosts that are drawn: they are others' machines.
    linked = set() if case.operation.path.endswith("/check") else SHOWN - KNOWN
    for name, value in (case.path_parameters or {}).items():
        if name in ids and str(value) not in linked:
            case.path_parameters[name] = ids[name]
    if isinstance(case.body, (dict, list)):
        case.body = harmless(case.body, ids)
    token, label = SETTINGS["token"], case.operation.label
    if label in SIGNS_OUT:
        # Not from the session of all others.
        signed_in = requests.post(f"{case.operation.base_url}/v1/sessions", json=SETTINGS["sign_in"]).json()
        token = signed_in["token"]
        if "session_id" in case.path_parameters:
            case.path_parameters["session_id"] = signed_in["session_id"]
    if label == "DELETE /v1/me/sessions":
        case.query = {"keep_api_tokens": "true"}
    case.headers["Authorization"] = f"Bearer {token}"
    key = case.headers.get("Idempotency-Key")
    if key:
        case.headers["Idempotency-Key"] = (key + uuid.uuid4().hex)[:255]
    if "If-Match" in case.headers and CHANCE.random() < 0.75:
        case.headers["If-Match"] = "*"
    # Nobody guesses one.
    if "Lethe-Min-Position" in case.headers and POSITIONS and CHANCE.random() < 0.75:
        case.headers["Lethe-Min-Position"] = POSITIONS[-1]
    if "cursor" in (case.query or {}) and CHANCE.random() < 0.75:
        del case.query["cursor"]


@schemathesis.hook
def after_call(context, case, response):
    COUNTS[case.operation.label][str(response.status_code)] += 1
    if case.operation.label not in SIGNS_OUT:
        POSITIONS.extend(response.headers.get("lethe-position", []))
    if response.status_code == 201 and response.content:
        SHOWN.update(value for name, value in response.json().items() if name.endswith("_id"))


def spec_of(operation):
    return operation.schema.raw_schema["paths"][operation.path][operation.method.lower()]


def documented(operation, response):
    """Where the values are that are refused though the schema admits them."""
    answer = spec_of(operation)["responses"].get(str(response.status_code), {})
    examples = answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
    errors = [error for it in examples.values() for error in it["value"].get("errors", [])]
    return {place(error) for error in errors}


def place(error):
    names = [name for name in ("pointer", "parameter", "header") if name in error]
    return (names[0], error[names[0]])


def resolved(schema, raw):
    while "$ref" in schema:
        at = raw
        for name in schema["$ref"].removeprefix("#/").split("/"):
            at = at[name]
        schema = at
    return schema


def has_too_many_bytes(case, name):
    """`maxLength` counts characters, and the document says that the bytes are no more."""
    value = case.body.get(name) if isinstance(case.body, dict) else None
    if not isinstance(value, str):
        return False
    raw = case.operation.schema.raw_schema
    body = spec_of(case.operation)["requestBody"]["content"]["application/json"]["schema"]
    field = resolved(resolved(body, raw)["properties"].get(name, {}), raw)
    limits = [it["maxLength"] for it in [field, *field.get("anyOf", [])] if "maxLength" in it]
    forms = [value, unicodedata.normalize("NFC", value)]
    return any(len(form.encode()) > limit for form in forms for limit in limits)


@schemathesis.check
def lethe_answers(ctx, response, case):
    status = response.status_code
    if status >= 500:
        assert status == 503 and "retry-after" in response.headers, f"a {status} without a time to come again"
        return
    if status < 400 or not case.meta or not case.meta.generation.mode.is_positive:
        return
    problem = response.json()
    kind = problem["type"].removeprefix("/problems/")
    assert kind not in MALFORMED, f"what fits its schema is refused as {kind}"
    if kind not in UNFIT:
        return
    known = documented(case.operation, response)
    errors = problem.get("errors", [])
    assert errors, f"a {kind} that does not say where"
    for error in errors:
        where, at = place(error)
        # Of one in a list, the list is documented.
        of_list = (where, "/".join(at.split("/")[:2]))
        fits = of_list in known or where == "pointer" and has_too_many_bytes(case, at.removeprefix("/"))
        assert fits, f"what fits its schema is refused without a documented reason: {error}"
