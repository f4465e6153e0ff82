# SPDX-License-Identifier: MIT
"""Files of at most 400 lines, functions of at most 60, SPDX in line 1.

Unit tests are mostly tables of cases: twice as many lines in a file, and a
table in a function is not counted.
"""
import re

FILE_LINES = 400
TEST_FILE_LINES = 800
FUNCTION_LINES = 60

# Kernel style: a function's body is between a lone '{' and a lone '}'.
NAME = re.compile(r"(\w+)\s*\(")


def table_lines(body):
    """Lines of the constant tables with which a function begins."""
    n, inside = 0, False
    for line in body:
        if line.startswith("\tstatic const ") or line.startswith("\tconst "):
            inside = not line.endswith(";")
        n += inside
        if line == "\t};":
            inside = False
    return n


def functions(lines):
    """(name, line of '{', number of lines) of each function."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            head = ""
            for previous in reversed(lines[:start - 1]):
                if not previous or previous[0] in "};/#":
                    break
                head = previous + head
                if not previous[0].isspace():
                    break
            m = NAME.search(head)
            n = number - start + 1 - table_lines(lines[start:number])
            yield (m[1] if m else "?"), start, n
            start = None


def check(root, files):
    findings = []
    for path in files:
        name = str(path.relative_to(root))
        lines = path.read_text().splitlines()
        if not lines or not lines[0].startswith(
                "/* SPDX-License-Identifier: MIT */"):
            findings.append(f"{name}:1: no SPDX-License-Identifier: MIT")
        limit = TEST_FILE_LINES if "unit" in path.parts else FILE_LINES
        if len(lines) > limit:
            findings.append(f"{name}:{limit}: {len(lines)} lines, "
                            f"{limit} are allowed: split it")
        for function, line, n in functions(lines):
            if n > FUNCTION_LINES:
                findings.append(f"{name}:{line}: {function}() has {n} lines, "
                                f"{FUNCTION_LINES} are allowed: split it")
    return findings
