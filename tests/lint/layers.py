# SPDX-License-Identifier: MIT
"""Does every #include point the way that tests/lint/layers allows?"""
import re

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"])([^>"]+)[>"]', re.M)


def read_table(path):
    """({layer: layers it may include}, [(word in a header's path, owners)])"""
    layers, owners = {}, []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        left, colon, right = line.partition(":")
        if not colon:
            raise SystemExit(f"{path}:{number}: no ':'")
        if left.startswith("lib "):
            owners.append((left[4:].strip(), right.split()))
        else:
            layers[left.strip()] = right.split()
    return layers, owners


def layer_of(path):
    """Of a path from the root, as in #include "fs/net/loop.h"; or None."""
    parts = path.split("/")
    if parts[0] == "cache" and len(parts) == 2:
        return "cache"
    if parts[0] == "fs" and len(parts) == 3:
        return parts[1]
    return None


def check_include(root, name, layer, quote, header, table):
    """What is wrong with it, or None."""
    layers, owners = table
    if quote == '"':
        if not (root / header).is_file():
            return f'"{header}" is no path from the root'
        other = layer_of(header)
        if other is None:
            return f'"{header}" belongs to no layer'
        if other != layer and other not in layers[layer]:
            return f"{layer} may not include {other} ({header})"
        return None
    if header.startswith(("fs/", "cache/")):
        return f"<{header}> is ours: write it with quotes"
    for word, allowed in owners:
        if header.startswith(word) and layer not in allowed:
            return (f"<{header}> belongs to {', '.join(allowed)}, "
                    f"not to {layer}")
    return None


def check(root):
    """Findings, as "file:line: text"."""
    table = read_table(root / "tests" / "lint" / "layers")
    findings = []
    for path in sorted([*root.glob("fs/*/*.[ch]"), *root.glob("cache/*.[ch]")]):
        name = str(path.relative_to(root))
        layer = layer_of(name)
        if layer not in table[0]:
            findings.append(f"{name}:1: layer {layer} is not in the table")
            continue
        text = path.read_text()
        for m in INCLUDE.finditer(text):
            wrong = check_include(root, name, layer, m[1], m[2], table)
            if wrong:
                line = text.count("\n", 0, m.start()) + 1
                findings.append(f"{name}:{line}: {wrong}")
    return findings
