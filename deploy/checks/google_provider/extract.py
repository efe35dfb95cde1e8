"""Reads the google provider's schema out of its generated bindings (the package cdktn-provider-google).

The provider itself comes from a host that is no package registry. The bindings are made from the provider's own schema
and lose little of it: every resource, attribute and block is there, with its type, and whether it is required or computed.

    extract.py WHEEL SCHEMA.json
"""

import io
import json
import re
import sys
import tarfile
import zipfile

TYPES = {
    "String": "string",
    "Number": "number",
    "Boolean": "bool",
    "List": ["list", "string"],
    "NumberList": ["list", "number"],
    "StringMap": ["map", "string"],
    "BooleanMap": ["map", "bool"],
    "NumberMap": ["map", "number"],
    "Any": "dynamic",
    "AnyMap": ["map", "string"],
}
MAPS = {"BooleanMap": "bool", "NumberMap": "number"}
LIB = r"cdktn?f?\."


def parse(text):
    """Returns the type's name, whether it is a resource (and no data source), the provider's version, and its block."""
    text = re.sub(r"^//# sourceMappingURL.*$", "", text, flags=re.M)
    heads = list(re.finditer(r"^class (\w+) extends " + LIB + r"(\w+) \{", text, re.M))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    classes = {head.group(1): (head.group(2), text[head.start() : end]) for head, end in zip(heads, ends)}
    functions = re.finditer(r"^function (\w+)ToHclTerraform\(struct\) \{(.*?)^\}", text, re.M | re.S)
    hcl = {function.group(1): hcl_attributes(function.group(2)) for function in functions}
    name, (base, body) = next(
        item for item in classes.items() if item[1][0] in ("TerraformResource", "TerraformDataSource")
    )
    kind = re.search(r"terraformResourceType: '(\w+)'", text).group(1)
    version = re.search(r"providerVersion: '([\d.]+)'", text).group(1)
    top = hcl_attributes(body[body.find("synthesizeHclAttributes()") :])
    return kind, base == "TerraformResource", version, block(name, classes, hcl, top)


def hcl_attributes(text):
    """What the bindings say of each attribute when they write HCL: is it a block, how is it nested, of what class."""
    pattern = r'(\w+): \{\s*value: .*?isBlock: (true|false),\s*type: "(\w+)",\s*storageClassType: "(\w+)",'
    return {m.group(1): (m.group(2) == "true", m.group(3), m.group(4)) for m in re.finditer(pattern, text, re.S)}


def block(name, classes, hcl, known):
    base, body = classes[name]
    attributes, blocks = {}, {}
    pattern = (
        r"// (\w+) - computed: (\w+), optional: (\w+), required: (\w+)\n"
        r"(.*?)(?=\n    // \w+ - computed:|\n    // =====|\Z)"
    )
    for m in re.finditer(pattern, body, re.S):
        field, computed, optional, required = m.group(1), *(m.group(n) == "true" for n in (2, 3, 4))
        flags = {"computed": computed, "optional": optional, "required": required}
        shape, inner = field_type(field, m.group(5), body, classes, hcl, known.get(field))
        if inner is None:
            attributes[field] = {**flags, "type": shape}
        else:
            nesting, most = shape
            blocks[field] = {"nesting": nesting, "min": int(required), "max": most, "block": inner}
    if base in ("TerraformResource", "TerraformDataSource"):
        attributes.setdefault("id", {"computed": True, "optional": True, "required": False, "type": "string"})
    return {"attributes": attributes, "blocks": blocks}


def field_type(field, text, body, classes, hcl, known):
    """Either the type of an attribute and None, or the nesting of a block and what is in it."""
    made = re.search(r'_\w+ = new (?:index_\d+\.)?(\w+)\(this, "%s"(?:, (true|false))?\)' % field, text + body)
    mapped = re.search(r"_\w+ = new " + LIB + r'(\w+)\(this, "%s"' % field, body)
    if mapped and not made:
        kind = mapped.group(1)
        return (["list", ["map", "string"]] if kind == "StringMapList" else ["map", MAPS.get(kind, "string")]), None
    if made:
        kind, is_set = made.group(1), made.group(2) == "true"
        many = kind.endswith("List")
        element = kind[:-4] + "OutputReference" if many else kind
        if element not in classes:
            return ["map", "string"], None
        stem = element[: -len("OutputReference")]
        inner = block(element, classes, hcl, hcl.get(stem[0].lower() + stem[1:], {}))
        if known and known[0]:
            nesting = "single" if known[1] == "struct" else known[1]
            return (nesting, 0 if many or nesting == "single" else 1), inner
        return ["set" if is_set else "list", as_object(inner)], None
    got = re.search(r"return (" + LIB + r"Fn\.tolist\()?(?:" + LIB + r"\w+\()?this\.get(\w+?)Attribute\(", text)
    if not got:
        return "string", None
    shape = TYPES[got.group(2)]
    if got.group(1):
        shape = ["set", shape[1] if isinstance(shape, list) else shape]
    if known and not known[0] and known[1] == "set":
        shape = ["set", "string" if "string" in known[2] else "number"]
    return shape, None


def as_object(inner):
    fields = {name: attribute["type"] for name, attribute in inner["attributes"].items()}
    for name, nested in inner["blocks"].items():
        fields[name] = ["set" if nested["nesting"] == "set" else "list", as_object(nested["block"])]
    return ["object", fields]


def sources(wheel):
    """Each type's source: a wheel with a tar ball of JavaScript inside. Large types are spread over several files."""
    found = {}
    with zipfile.ZipFile(wheel) as outer:
        inside = next(name for name in outer.namelist() if name.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(inside)), mode="r:gz") as inner:
            for member in inner:
                name = re.fullmatch(r"package/lib/(?!provider/)([^/]+)/(index|index-structs/structs\d+)\.js", member.name)
                if name:
                    found.setdefault(name.group(1), []).append(inner.extractfile(member).read().decode())
    return {name: "\n".join(texts) for name, texts in found.items()}


def main(wheel, target):
    found = {"resources": {}, "data": {}}
    unread = []
    for name, text in sources(wheel).items():
        try:
            kind, is_resource, found["version"], inner = parse(text)
        except (AttributeError, IndexError, KeyError, RecursionError, StopIteration):
            # Ephemeral resources and one that contains itself. Whoever uses one is told that the provider lacks it.
            unread.append(name)
            continue
        found["resources" if is_resource else "data"][kind] = inner
    with open(target, "w", encoding="utf-8") as out:
        json.dump(found, out)
    print(f"google {found['version']}: {len(found['resources'])} resources, {len(found['data'])} data sources")
    print(f"not read: {', '.join(sorted(unread))}")


if __name__ == "__main__":
    main(*sys.argv[1:])
