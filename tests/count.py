#!/usr/bin/env python3
"""Counts what a reader of the code meets: files, lines, circles, copies, words that STYLE replaced.

Usage: tests/count.py [FOLDER]           the table, of this tree or of another checkout
       tests/count.py [FOLDER] --list    the same, with the places behind each number
       tests/count.py [FOLDER] --terms   only the replaced words that are left; fails if there are any
Standard library only, text only: nothing is built and nothing is run.
"""
import collections
import pathlib
import re
import sys

PACKAGES = ["domain", "infra", "projections", "services", "tests"]
COPY_LINES = 6

# The left column of the terms table: words that stand nowhere, not even in a comment.
TERMS = {
    "told": r"\btold\b|\basked\(\)|\bfn (asked|tell)\b",
    "duty": r"(?i)\bdut(y|ies)\b",
    "turns": r"\bTurns\b|\bturns(::|/)",
    "claims of an address": r"event_log\.claims|\bNewClaim\b|\bclaim_owner\b",
    "recall": r"\brecall\b",
    "room, extend_ahead": r"\broom::|\broom\.rs|extend_ahead",
    "pace": r"\bpace::|\bPace\b",
    "settle.sql": r"settle\.sql",
    "attend, bear, put_away, look_for, reaping": r"\b(attend|bear|put_away|look_for|reaping)\b",
    "bury": r"\b(bury|Bury)\b",
    "word()": r"\bfn words?\(",
    "House, Rig": r"\b(House|Rig)\b",
}

# The same for names of types: other uses of these words are plain English.
TYPES = {
    "Tell, Told, Ask, Asked": r"\b(Tell|Told|Ask|Asks|Asked)\b",
    "Standing, Sight, Touched": r"\b(Standing|Sight|Touched)\b",
    "Silence, Unanswered": r"\b(Silence|Unanswered)\b",
    "Obstacle, Halt, Given": r"\b(Obstacle|Halt|Given)\b",
    "Patience, Mark": r"\b(Patience|Mark)\b",
    "Met, Line, Wire, Host (bare)": r"\b(struct|enum) (Met|Line|Wire|Host)\b",
    "Misfit, Shown": r"\b(Misfit|Shown)\b",
    "Which, Found, Held, Kind, Live (bare)": r"\b(struct|enum) (Which|Found|Held|Kind|Live|Form|Seat|Hold|Cause)\b",
    "Far, Guest, Home, Ground, Stage": r"\b(Far|Guest|Home)\b|\bstruct (Ground|Stage)\b",
}
COMMENT_OR_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"|//.*|--.*')


class Tree:
    def __init__(self, top):
        self.top = top
        self.rust = self.files(".rs")
        self.sql = self.files(".sql")
        self.texts = {**self.files(".md"), **self.files(".yaml"), **self.files(".sh")}

    def files(self, ending):
        found = {}
        for package in PACKAGES + ["migrations"]:
            for path in sorted((self.top / package).rglob("*" + ending)):
                relative = path.relative_to(self.top)
                if "target" not in relative.parts:
                    found[relative] = path.read_text()
        return found


def is_test(path):
    return path.parts[0] == "tests" or any(p in ("tests", "tests.rs", "benches") for p in path.parts)


def lines(texts):
    return sum(text.count("\n") for text in texts)


# --- which file imports which ------------------------------------------------------------------

USE = re.compile(r"^\s*(pub(?:\([^)]*\))? )?use ([^;]+);", re.M)
PATH = re.compile(r"\b((?:crate|super|self)(?:::\w+)+)")


def spread(tree):
    """`a::{b, c::{d}}` as a::b and a::c::d."""
    tree = re.sub(r"\s+", " ", tree).strip()
    opening = tree.find("{")
    if opening < 0:
        return [tree.split(" as ")[0].strip()]
    head, body, depth, part, out = tree[:opening], tree[opening + 1 : tree.rfind("}")], 0, "", []
    for sign in body + ",":
        if sign == "," and depth == 0:
            out += [head + inner for inner in spread(part)] if part.strip() else []
            part = ""
            continue
        depth += (sign == "{") - (sign == "}")
        part += sign
    return out


def module_of(path):
    parts = list(path.parts[2:])
    parts[-1] = parts[-1][:-3]
    return tuple(parts[:-1] if parts[-1] in ("mod", "lib", "main") else parts)


def imports(package, texts):
    """For each file of a package the files that it names, through what modules hand on."""
    modules = {module_of(path): path for path in texts}
    handed_on, wanted = {}, collections.defaultdict(set)
    for path, text in texts.items():
        module = module_of(path)
        text = re.sub(r"//.*", "", text.split("#[cfg(test)]\nmod tests {")[0])

        def absolute(name):
            parts = name.split("::")
            if parts[0] == "crate":
                return tuple(parts[1:])
            at = module
            while parts and parts[0] in ("super", "self"):
                at = at[:-1] if parts.pop(0) == "super" else at
            return at + tuple(parts)

        for public, tree in USE.findall(text):
            for name in spread(tree):
                head = name.split("::")[0]
                if head not in ("crate", "super", "self") and module + (head,) not in modules:
                    continue
                target = absolute(name)
                if public:
                    handed_on[module + (target[-1],)] = target
                else:
                    wanted[path].add(target)
        for name in PATH.findall(USE.sub("", text)):
            wanted[path].add(absolute(name))

    def file_of(target):
        for _ in range(9):
            if target not in handed_on or handed_on[target] == target:
                break
            target = handed_on[target]
        while target and target not in modules:
            target = target[:-1]
        return modules.get(target)

    return {path: {file_of(t) for t in targets} - {path, None} for path, targets in wanted.items()}


def circles(edges):
    """Strongly connected groups of more than one file (Tarjan)."""
    index, low, stack, on, found = {}, {}, [], set(), []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        on.add(node)
        for other in edges.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in on:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = []
            while True:
                group.append(stack.pop())
                on.discard(group[-1])
                if group[-1] == node:
                    break
            if len(group) > 1:
                found.append(sorted(map(str, group)))

    sys.setrecursionlimit(10_000)
    for node in list(edges):
        if node not in index:
            visit(node)
    return found


# --- copies ------------------------------------------------------------------------------------


def copies(texts):
    """Pairs of places that share `COPY_LINES` lines of code to the letter."""
    windows = collections.defaultdict(list)
    for path, text in texts.items():
        code = [(n, line.strip()) for n, line in enumerate(text.splitlines(), 1)]
        code = [(n, c) for n, c in code if len(c) > 3 and not c.startswith(("//", "use ", "mod ", "#["))]
        for at in range(len(code) - COPY_LINES + 1):
            part = code[at : at + COPY_LINES]
            windows[tuple(c for _, c in part)].append((str(path), part[0][0]))
    pairs = {}
    for places in windows.values():
        for one in range(len(places)):
            for other in range(one + 1, len(places)):
                (a, at), (b, bt) = places[one], places[other]
                if a != b or abs(at - bt) >= COPY_LINES:
                    pairs.setdefault((a, b), f"{a}:{at} ~ {b}:{bt}")
    return sorted(pairs.values())


def terms(tree):
    # The last two say what a migration renamed.
    upgrade = pathlib.Path("infra/src/postgres/tests")
    own = {pathlib.Path("tests/tests/tree/tidy.rs"), upgrade / "upgrade.rs", upgrade / "fill_log_v8.sql"}
    found = collections.defaultdict(list)
    for path, text in {**tree.rust, **tree.sql, **tree.texts}.items():
        if path in own or path.match("migrations/*/V*__*.sql"):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            code = COMMENT_OR_TEXT.sub("", line) if path not in tree.texts else ""
            for patterns, part in [(TERMS, line), (TYPES, code)]:
                for name, pattern in patterns.items():
                    if re.search(pattern, part):
                        found[name].append(f"{path}:{number}: {line.strip()[:90]}")
    return found


def main():
    listing = "--list" in sys.argv
    folders = [word for word in sys.argv[1:] if not word.startswith("-")]
    top = pathlib.Path(folders[0] if folders else pathlib.Path(__file__).resolve().parent.parent)
    tree = Tree(top)
    if "--terms" in sys.argv:
        places = [f"{name}: {place}" for name, found in terms(tree).items() for place in found]
        print("\n".join(places))
        sys.exit(1 if places else 0)
    shipped = {path: text for path, text in tree.rust.items() if not is_test(path)}
    store = {p: t for p, t in shipped.items() if str(p).startswith("infra/src/event_store")}
    results = sorted(
        name
        for text in store.values()
        for name in re.findall(r"^(?:pub(?:\([^)]*\))? )?(?:enum|struct) (\w+)", text, re.M)
        if re.search(r"(Outcome|Refusal|Answer|Attempt|Receipt|Error|Result)$", name)
        and name not in ("StartError", "LoadError")
    )
    api = {p: t for p, t in shipped.items() if str(p).startswith("services/src/api")}
    loads = [
        f"{path}:{number}"
        for path, text in api.items()
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(r"\.load(_as_of)?(::<|\()", line)
    ]
    paths = [f"{p}" for p, t in api.items() for _ in re.findall(r"web::Path<", t)]
    groups = [
        group
        for package in PACKAGES[:4]
        for group in circles(
            imports(package, {p: t for p, t in shipped.items() if p.parts[:2] == (package, "src")})
        )
    ]
    short_sql = [str(p) for p, t in tree.sql.items() if p.parts[0] != "migrations" and t.count("\n") <= 2]
    left = terms(tree)
    rows = [
        ("Rust files, shipped", len(shipped), []),
        ("Rust files, all", len(tree.rust), []),
        ("Rust lines, shipped", lines(shipped.values()), []),
        ("Rust lines, all", lines(tree.rust.values()), []),
        ("SQL files", len(tree.sql), []),
        ("SQL files of one or two lines, outside migrations", len(short_sql), short_sql),
        ("result types between handler and SQL", len(results), results),
        ("places in the API that load an aggregate", len(loads), loads),
        ("path parameters taken by hand (web::Path)", len(paths), paths),
        ("circles between files", len(groups), [" <-> ".join(group) for group in groups]),
        ("files in circles", sum(map(len, groups)), []),
        (f"pairs of files with {COPY_LINES} equal lines", *(lambda c: (len(c), c))(copies(tree.rust))),
        ("words of the terms table left", sum(map(len, left.values())), []),
    ]
    rows += [(f"  {name}", len(left[name]), left[name]) for name in [*TERMS, *TYPES]]
    for name, number, places in rows:
        print(f"{number:7}  {name}")
        for place in places if listing else []:
            print(f"           {place}")


main()
