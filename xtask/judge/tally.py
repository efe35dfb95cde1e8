"""Counts checks, and compares a client's parsed answers with what its own models declare."""

import asyncio
import inspect
import logging
import os
import sys
import traceback

REST = os.environ["JUDGE_REST"]
WS = REST.replace("http", "ws", 1)
CONTROL = os.environ["JUDGE_CONTROL"]
HMAC_KEY, HMAC_SECRET = os.environ["JUDGE_HMAC"].split(":")
ED_KEY, ED_PEM = os.environ["JUDGE_ED25519"].split(":")


# Clients that are still closing their sockets when a script ends have much to say and nothing to tell.
logging.disable(logging.CRITICAL)
sys.unraisablehook = lambda _: None


class Tally:
    """Checks by name; each is run whatever became of the ones before."""

    def __init__(self, client):
        self.client, self.passed, self.failed = client, 0, 0

    def note(self, name, problem=None):
        if problem is None:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAIL {self.client}: {name}: {problem}", flush=True)

    def check(self, name, act, expect=None):
        """Runs `act`; gives its value, or None when it fails."""
        try:
            value = act()
            problem = expect(value) if expect else None
            # A predicate says False; a comparer says what is wrong.
            self.note(name, "unexpected " + repr(value)[:400] if problem is False else (problem if isinstance(problem, str) else None))
            return value
        except Exception as error:
            self.note(name, f"{type(error).__name__}: {str(error)[:600]}")
            if os.environ.get("JUDGE_TRACE"):
                traceback.print_exc()
            return None

    async def acheck(self, name, act, expect=None):
        """The same for a coroutine, with a time limit."""
        try:
            value = act()
            if inspect.isawaitable(value):
                value = await asyncio.wait_for(value, 20)
        except Exception as error:
            self.note(name, f"{type(error).__name__}: {str(error)[:600]}")
            if os.environ.get("JUDGE_TRACE"):
                traceback.print_exc()
            return None
        return self.check(name, lambda: value, expect)

    def refused(self, name, act, *words):
        """Expects an error whose text has all of `words`."""
        try:
            value = act()
        except Exception as error:
            text = f"{type(error).__name__} {error} {getattr(error, 'error_message', '')}"
            missing = [word for word in words if str(word) not in text]
            self.note(name, f"error without {missing}: {text[:400]}" if missing else None)
            return
        self.note(name, f"not refused: {str(value)[:300]}")

    def end(self):
        print(f"{self.client}: {self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(1 if self.failed else 0)


def shape(model, optional=(), path=""):
    """What a parsed pydantic model lacks, or has beyond its declaration, below `path`; names in `optional` may be absent."""
    problems = []
    if isinstance(model, list):
        for item in model[:5]:
            problems += shape(item, optional, path + "[]")
        return problems
    if getattr(model, "actual_instance", None) is not None:
        return shape(model.actual_instance, optional, path)
    fields = getattr(type(model), "model_fields", None)
    if fields is None:
        return problems
    for name, field in fields.items():
        if name in ("additional_properties", "one_of_schemas") or "validator" in name:
            continue
        value, here = getattr(model, name, None), f"{path}.{field.alias or name}"
        if value is None and (field.alias or name) not in optional and here.lstrip(".") not in optional:
            problems.append("lacks " + here)
        problems += shape(value, optional, here)
    for name in getattr(model, "additional_properties", None) or {}:
        if name not in optional:
            problems.append(f"has more: {path}.{name}")
    return problems


def complete(*optional):
    """A check that a model is filled as declared."""
    def look(value):
        problems = sorted(set(shape(value, optional)))
        return "; ".join(problems) if problems else None
    return look
