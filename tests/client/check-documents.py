#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""That help, man page and completion tell of the same verbs and options.

    check-documents.py BERTHCTL MAN-PAGE COMPLETION

Each is asked in its own way: the program by --help, the page as man shows it, the
completion by completing. What one has and another lacks is a failure, and so is
whatever groff has to say of the page.
"""

import os
import re
import subprocess
import sys

berthctl, page, completion = sys.argv[1:]
failures = []


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=True,
                          env=os.environ | {"LC_ALL": "C.UTF-8", "COLUMNS": "80"}, **more).stdout


def expect(condition, text):
    if not condition:
        failures.append(text)


def complete(*words, domains="[]"):
    """What bash would offer for the last of these words, if there are these guests."""
    script = (f'berthctl() {{ cat <<"END"\n{domains}\nEND\n}}\n'
              'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1));'
              '_init_completion() { return 1; }; _berthctl; printf "%s\\n" "${COMPREPLY[@]}"')
    return set(run("bash", "-c", script, "bash", completion, "berthctl", *words).split("\n")) - {""}


def section(text, name):
    return re.search(rf"^{name}\n(.*?)(?=^\S|\Z)", text, re.M | re.S).group(1)


help_text = run(berthctl, "--help")
verbs = re.findall(r"^  ([a-z][a-z-]*)", section(help_text, "Verbs"), re.M)
options = set(re.findall(r"(--[a-z][a-z-]+)", section(help_text, "Options")))
expect(len(verbs) > 5 and "cells" in verbs, f"--help has odd verbs: {verbs}")

# The page.
lint = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", "-rCHECKSTYLE=1", page], capture_output=True, text=True)
expect(lint.returncode == 0 and not lint.stderr, f"groff: {lint.stderr}")
man = subprocess.run(["groff", "-man", "-Tascii", "-P-cbou", page], capture_output=True, text=True, check=True).stdout
man_verbs = re.findall(r"^       ([a-z][a-z-]*)", section(man, "VERBS"), re.M)
expect(man_verbs == verbs, f"the page has the verbs {man_verbs}, --help {verbs}")
for option in options:
    expect(option in section(man, "OPTIONS"), f"the page has no {option}")
for wanted in ["NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "ENVIRONMENT", "JSON", "EXAMPLES", "SEE ALSO"]:
    expect(re.search(rf"^{wanted}$", man, re.M), f"the page has no {wanted}")

# The completion.
expect(complete("") == set(verbs), f"completion has the verbs {complete('')}")
expect(complete("ce") == {"cells"}, "'ce' is not completed to cells")
expect(complete("help", "") == set(verbs), "help completes other verbs")
expect({o.rstrip("=") for o in complete("--")} >= options, f"completion lacks {options - complete('--')}")
expect(complete("--json", "") == {"short", "pretty", "off"}, "--json completes odd words")
expect(complete("--json=s") == {"short"}, "--json=s is not completed")

# Guests may be called what bash would run or split.
guests = r'[{"Name":"web","Warnings":[{"message":"\"Name\":\"no\""}]},{"Name":"my guest"},{"Name":"$(exit 9)`w`"},{"Name":"Bücher"}]'
expect(complete("vcpus", "", domains=guests) == {"web", r"my\ guest", r"\$\(exit\ 9\)\`w\`", "Bücher"},
       f"vcpus completes {complete('vcpus', '', domains=guests)}")
expect(complete("vcpus", "my", domains=guests) == {r"my\ guest"}, "'my' is not completed to a guest")
expect(complete("vcpus", r"my\ g", domains=guests) == {r"my\ guest"}, "what is quoted is not completed further")
expect(complete("vcpus", "web", "", domains=guests) == set(), "vcpus completes a second guest")
expect(complete("vcpus", "") == set(), "vcpus completes though there are no guests")

# Each verb, everywhere.
for verb in verbs:
    text = run(berthctl, verb, "--help")
    expect(text == run(berthctl, "help", verb), f"'{verb} --help' and 'help {verb}' differ")
    own = set()
    if "Options of this verb" in text:
        valued = dict(re.findall(r"^ +(--[a-z][a-z-]+)(=?)", section(text, "Options of this verb"), re.M))
        own = set(valued)
    offered = {o.rstrip("=") for o in complete(verb, "--")}
    expect(offered == {o.rstrip("=") for o in complete("--")} | own, f"completion offers {offered} for {verb}")
    for option in own:
        expect(option in section(man, "VERBS"), f"the page has no {verb} {option}")
    # The program itself takes them, and no other.
    for option in own:
        expect(subprocess.run([berthctl, "--help", verb, option + ("=1" if valued[option] else "")], capture_output=True).returncode == 0,
               f"{verb} does not take {option}")

for failure in failures:
    print(failure, file=sys.stderr)
sys.exit(1 if failures else 0)
