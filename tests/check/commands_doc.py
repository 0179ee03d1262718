#!/usr/bin/env python3
"""The operator's commands are told alike everywhere: by the daemon (src/admin/commands.cc), by doc/admin.md, by the man
page sluicectl(1) and by the completion for bash and zsh.

    tests/check/commands_doc.py

Prints what is missing and what is too much, and exits 1 when there is something. For bash it asks the completion itself,
for zsh it looks into the file. `top` is sluicectl's own.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
OWN = {"top"}

COMMAND = re.compile(r'Command\{\s*"([^"]+)",\s*((?:"[^"]*"\s*)+),')
LITERAL = re.compile(r'"([^"]*)"')
SETTING = re.compile(r"\b([a-z_]+)=")

# A daemon that has a few names, for the completion to ask.
DAEMON = """#!/bin/sh
case "$*" in
    *'show backends') printf 'POOL  NAME  ADDRESS\\np1    b-1   x\\np1    b-2   x\\np2    b-2   x\\n\\nNAME  ITEM\\n' ;;
    *'show pools') printf 'NAME  BALANCE\\np1    maglev\\np2    maglev\\n' ;;
    *'show listeners') printf 'NAME  ADDRESS\\nmqtt  x\\n' ;;
    *) exit 1 ;;
esac
"""

COMPLETE = """
. "$1"
shift
COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
for COMP_LINE; do
    COMP_POINT=${#COMP_LINE} COMPREPLY=()
    _sluicectl sluicectl
    printf '%s\\n' "${COMPREPLY[*]}"
done
"""


def commands():
    """Name to the words that it takes, as the daemon's help has them."""
    text = (ROOT / "src/admin/commands.cc").read_text(encoding="utf-8")
    table = text[text.index("kCommands{"):]
    found = {name: "".join(LITERAL.findall(arguments)) for name, arguments in COMMAND.findall(table)}
    if len(found) < 10 or len(found) != table.count("Command{"):
        sys.exit("the table in src/admin/commands.cc could not be read")
    return found


def manual_usages():
    text = (ROOT / "doc/admin.md").read_text(encoding="utf-8")
    table = text[text.index("## Commands"):text.index("\n### ")]
    return {usage.replace("\\|", "|") for usage in re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)}


def man_page():
    text = (ROOT / "doc/man/sluicectl.1").read_text(encoding="utf-8")
    names = set()
    for line in re.findall(r"^\.It Ic (.*)$", text, re.MULTILINE):
        names.add(re.split(r" (?=[A-Z][a-z]\b)", line)[0])
    return names, text


def completed(lines):
    """What the completion offers at the end of each line."""
    with tempfile.TemporaryDirectory() as folder:
        daemon = pathlib.Path(folder, "sluicectl")
        daemon.write_text(DAEMON, encoding="utf-8")
        daemon.chmod(0o755)
        done = subprocess.run(["bash", "-c", COMPLETE, "bash", ROOT / "conf/completion/sluicectl.bash", *lines],
                              env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}, capture_output=True,
                              text=True, check=True, timeout=60)
    if done.stderr:
        sys.exit(f"the completion for bash: {done.stderr}")
    return dict(zip(lines, (set(line.split()) for line in done.stdout.splitlines())))


def bash_faults(known):
    """Of the commands and settings, all are offered where they belong; and names are the daemon's."""
    first = {name.split()[0] for name in known} | OWN
    wanted = {"sluicectl ": first}
    for word in first:
        second = {name.split()[1] for name in known if name.startswith(word + " ")}
        if second:
            wanted[f"sluicectl {word} "] = second
    for name, arguments in known.items():
        settings = {f"{setting}=" for setting in SETTING.findall(arguments)}
        if settings:
            before = "x " * len(re.findall(r"(?<![\[=:])\b[A-Z_]+(?::PORT)?(?= )", arguments))
            wanted[f"sluicectl {name} {before}"] = settings
    brokers = {"b-1", "p1/b-2", "p2/b-2"}
    wanted |= {
        "sluicectl drain ": brokers,
        "sluicectl drain b": {"b-1"},
        "sluicectl --socket /x weight p": {"p1/b-2", "p2/b-2"},
        "sluicectl show connections phase=spliced backend=p2": {"p2/b-2"},
        "sluicectl add backend ": {"p1", "p2"},
        "sluicectl explain me listener=": {"mqtt"},
        "sluicectl show counters ": {"all"},
        "sluicectl reload --d": {"--dry-run"},
        "sluicectl log level w": {"warning"},
        "sluicectl kill connection client_id=": set(),
        "sluicectl explain ": set(),
        "sluicectl --js": {"--json"},
        "sluicectl top --o": {"--once"},
        "sluicectl sh": {"show"},
    }
    offered = completed(list(wanted))
    for line, words in wanted.items():
        if offered.get(line) != words:
            yield f"bash completes '{line}' by {offered.get(line)}, not by {words}"


def zsh_faults(known):
    text = (ROOT / "conf/completion/_sluicectl").read_text(encoding="utf-8")
    words = set(re.findall(r"[a-z_.-]+", text))
    for name, arguments in known.items():
        for word in [*name.split(), *SETTING.findall(arguments)]:
            if word not in words:
                yield f"_sluicectl (zsh) has no '{word}', of '{name}'"


def difference(what, has, wanted):
    for each in sorted(wanted - has):
        yield f"{what} lacks '{each}'"
    for each in sorted(has - wanted):
        yield f"{what} has '{each}', which the daemon does not know"


def main():
    known = commands()
    usages = {f"{name} {arguments}".strip() for name, arguments in known.items()}
    names, page = man_page()
    faults = [
        *difference("doc/admin.md", manual_usages(), usages),
        *difference("sluicectl(1)", names, set(known) | OWN),
        *(f"sluicectl(1) lacks '{setting}=' of '{name}'" for name, arguments in known.items()
          for setting in SETTING.findall(arguments) if f"{setting}=" not in page),
        *bash_faults(known),
        *zsh_faults(known),
    ]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
