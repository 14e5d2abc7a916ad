#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes what is known of berthctl's verbs from the one table of them.

    make-verbs.py header|table|man|completion verbs.toml [VERSION]

header and table are C (what the program runs by, and prints its help from), man
is the page berthctl(1), completion is bash's. Prints to standard output. A table
that contradicts itself fails the build with a sentence saying where.
"""

import re
import sys

try:
    import tomllib
except ModuleNotFoundError:
    sys.exit("make-verbs.py: this needs Python 3.11 or newer, for tomllib")


class TableError(Exception):
    pass


OPTION_KEYS = {"name", "short", "argument", "values", "summary", "description"}
VERB_KEYS = {"name", "arguments", "least", "most", "completes", "summary",
             "description", "json", "option", "example"}
COMPLETIONS = {"alarm", "cell", "domain", "file", "none", "on-off", "policy", "size", "target", "verb"}


def table_read(path):
    """The table, with absent things filled in, or TableError."""
    with open(path, "rb") as f:
        table = tomllib.load(f)

    options = {}
    for option in table["option"]:
        option_check(option, options)
    verbs = set()
    for verb in table["verb"]:
        name = verb.get("name", "")
        if not re.fullmatch(r"[a-z][a-z0-9-]*", name) or name in verbs:
            raise TableError(f"the verb '{name}' has no good name of its own")
        verbs.add(name)
        unknown = set(verb) - VERB_KEYS
        if unknown:
            raise TableError(f"{name}: '{min(unknown)}' is not a key of a verb")
        if not verb.get("summary") or not verb.get("description"):
            raise TableError(f"{name}: a verb needs a summary and a description")
        verb.setdefault("arguments", "")
        verb.setdefault("least", 0)
        verb.setdefault("most", 0)
        verb.setdefault("json", "")
        verb.setdefault("option", [])
        verb.setdefault("example", [])
        verb["completes"] = verb.get("completes", "").split()
        if set(verb["completes"]) - COMPLETIONS:
            raise TableError(f"{name}: completes one of {', '.join(sorted(COMPLETIONS))}")
        if bool(verb["arguments"]) != (verb["most"] != 0):
            raise TableError(f"{name}: arguments and most disagree")
        for option in verb["option"]:
            option_check(option, options)
    return table


def option_check(option, options):
    name = option.get("name", "")
    if not re.fullmatch(r"--[a-z][a-z0-9-]*", name):
        raise TableError(f"the option '{name}' has no good name")
    if set(option) - OPTION_KEYS:
        raise TableError(f"{name}: '{min(set(option) - OPTION_KEYS)}' is not a key of an option")
    if not option.get("summary"):
        raise TableError(f"{name}: an option needs a summary")
    for key in ("short", "argument", "description"):
        option.setdefault(key, "")
    option.setdefault("values", [])
    before = options.setdefault(name, option)
    if before["argument"] != option["argument"] or before["short"] != option["short"]:
        raise TableError(f"{name} means one thing with all verbs that have it")


def all_options(table):
    seen = {}
    for option in table["option"] + [o for v in table["verb"] for o in v["option"]]:
        seen.setdefault(option["name"], option)
    return list(seen.values())


def option_id(option):
    return "OPTION_" + option["name"][2:].upper().replace("-", "_")


def verb_function(verb):
    return "verb_" + verb["name"].replace("-", "_")


def paragraphs(text):
    """The text with a paragraph a line."""
    return [" ".join(p.split()) for p in re.split(r"\n\s*\n", text.strip()) if p.strip()]


# C

def c_string(text):
    out = []
    for byte in text.encode():
        char = chr(byte)
        if char in '"\\':
            out.append("\\" + char)
        elif char == "\n":
            out.append('\\n"\n          "')
        elif byte < 0x20 or byte >= 0x7f:
            out.append(f"\\{byte:03o}")
        else:
            out.append(char)
    return '"' + "".join(out) + '"'


def c_text(text):
    return c_string("\n\n".join(paragraphs(text)).replace("`", "")) if text else "NULL"


def c_mask(options):
    return " | ".join(f"UINT64_C(1) << {option_id(o)}" for o in options) or "0"


def make_header(table, version):
    yield "/* Made from verbs.toml by make-verbs.py. */"
    yield "#pragma once"
    yield ""
    yield "typedef enum OptionId {"
    for option in all_options(table):
        yield f"        {option_id(option)},"
    yield "        _OPTION_MAX,"
    yield "} OptionId;"
    yield ""
    yield "struct Ctl;"
    for verb in table["verb"]:
        yield f"int {verb_function(verb)}(struct Ctl *ctl);"


def make_table(table, version):
    yield "/* Made from verbs.toml by make-verbs.py. */"
    yield "#include <limits.h>"
    yield ""
    yield '#include "verbs.h"'
    yield ""
    yield f"const char program_summary[] = {c_string(table['program']['summary'])};"
    yield ""
    yield "const Option option_table[_OPTION_MAX] = {"
    for option in all_options(table):
        yield f"        [{option_id(option)}] = {{"
        yield f"                .name = {c_string(option['name'])},"
        if option["short"]:
            yield f"                .short_name = '{option['short']}',"
        if option["argument"]:
            yield f"                .argument = {c_string(option['argument'])},"
        if option["values"]:
            yield f"                .values = {c_string(' '.join(option['values']))},"
        yield f"                .summary = {c_text(option['summary'])},"
        yield "        },"
    yield "};"
    yield ""
    yield f"const uint64_t option_common = {c_mask(table['option'])};"
    yield ""
    yield "const Verb verb_table[] = {"
    for verb in table["verb"]:
        yield "        {"
        yield f"                .name = {c_string(verb['name'])},"
        yield f"                .arguments = {c_string(verb['arguments'])},"
        yield f"                .least = {verb['least']},"
        yield f"                .most = {'UINT_MAX' if verb['most'] < 0 else verb['most']},"
        yield f"                .options = {c_mask(verb['option'])},"
        yield f"                .summary = {c_text(verb['summary'])},"
        yield f"                .description = {c_text(verb['description'])},"
        yield f"                .json = {c_text(verb['json'])},"
        if verb["example"]:
            example = verb["example"][0]
            yield f"                .example = {c_string(example['command'])},"
            yield f"                .example_output = {c_string(example['output'].strip(chr(10)))},"
        yield f"                .run = {verb_function(verb)},"
        yield "        },"
    yield "        {},"
    yield "};"


# The man page

def man_escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("^", "\\(ha")
    return text.replace("~", "\\(ti")


def man_inline(text):
    """A paragraph: what stands in backquotes is bold, WORDS and other pages as pages have them."""
    out = []
    for i, part in enumerate(text.split("`")):
        if i % 2:
            out.append("\\fB" + man_escape(part) + "\\fP")
            continue
        part = man_escape(part)
        part = re.sub(r"\b([a-z][a-z0-9.]*)\((\d)\)", r"\\fB\1\\fP(\2)", part)
        part = re.sub(r"\b(ADDRESS|CELL|SIZE|COUNT|VERB|NAME|WHAT|FILE|SOCKET|ID|LIST|VCPUS|CPUS|VCPU|POLICY|PRIORITY|PID|TARGET|WHEN)\b", r"\\fI\1\\fP", part)
        out.append(part)
    line = "".join(out)
    return "\\&" + line if line[:1] in ".'" else line


def man_arguments(text):
    return re.sub(r"[A-Z]+", lambda m: f"\\fI{m.group()}\\fP", man_escape(text))


def man_option(option):
    line = ""
    if option["short"]:
        line = f"\\fB\\-{option['short']}\\fP"
        if option["argument"]:
            line += " " + man_arguments(option["argument"])
        line += ", "
    line += f"\\fB{man_escape(option['name'])}\\fP"
    if option["argument"]:
        line += "=" + man_arguments(option["argument"])
    return line


def man_sentence(text):
    return text[0].upper() + text[1:] + "."


def man_paragraphs(text, first=True):
    for i, paragraph in enumerate(paragraphs(text)):
        if i or not first:
            yield ".PP" if first else ".IP"
        # A sentence a line, as pages are written.
        for sentence in re.split(r"(?<=[.;:]) (?=[A-Z`])", paragraph):
            yield man_inline(sentence)


def man_options(options):
    for option in options:
        yield ".TP"
        yield man_option(option)
        yield man_inline(man_sentence(option["summary"]))
        if option["description"]:
            yield from man_paragraphs(option["description"])


def make_man(table, version):
    program = table["program"]
    yield ".\\\" Made from verbs.toml by make-verbs.py."
    yield f'.TH BERTHCTL 1 "" "berth {version}" "User Commands"'
    yield ".SH NAME"
    yield f"berthctl \\- {man_escape(program['summary'])}"
    yield ".SH SYNOPSIS"
    yield ".B berthctl"
    yield "[\\fIOPTION\\fP...] [\\fIVERB\\fP [\\fIARGUMENT\\fP...]]"
    yield ".SH DESCRIPTION"
    yield from man_paragraphs(program["description"])

    yield ".SH VERBS"
    for verb in table["verb"]:
        yield ".TP"
        yield f"\\fB{man_escape(verb['name'])}\\fP {man_arguments(verb['arguments'])}".rstrip()
        yield man_inline(man_sentence(verb["summary"]))
        yield from man_paragraphs(verb["description"], first=False)
        if verb["option"]:
            yield ".RS"
            yield from man_options(verb["option"])
            yield ".RE"

    yield ".SH OPTIONS"
    yield "Options may stand before and after the verb."
    yield "What stands after a lone"
    yield ".B \\-\\-"
    yield "is no option."
    yield from man_options(table["option"])

    yield ".SH EXIT STATUS"
    for status in table["status"]:
        yield ".TP"
        yield f".B {status['code']}"
        yield man_inline(man_sentence(status["meaning"]))

    yield ".SH ENVIRONMENT"
    for variable in table["variable"]:
        yield ".TP"
        yield f".B {variable['name']}"
        yield man_inline(man_sentence(variable["text"]))

    yield ".SH JSON"
    yield "With"
    yield ".B \\-\\-json"
    yield "all verbs that show something give it as JSON."
    yield "The keys below stay what they are; others may be added."
    yield "An absent key means that the host does not tell."
    for verb in table["verb"]:
        if verb["json"]:
            yield ".TP"
            yield f".B {man_escape(verb['name'])}"
            yield from man_paragraphs(verb["json"])

    yield ".SH EXAMPLES"
    first = True
    for verb in table["verb"]:
        for example in verb["example"]:
            if not first:
                yield ".PP"
            first = False
            yield man_inline(example["text"])
            yield ".PP"
            yield ".RS 4"
            yield ".nf"
            yield f"$ \\fB{man_escape(example['command'])}\\fP"
            for line in example["output"].strip("\n").split("\n"):
                line = man_escape(line)
                yield "\\&" + line if line[:1] in ".'" or not line else line
            yield ".fi"
            yield ".RE"

    yield ".SH SEE ALSO"
    pages = [("berthd", 8), ("busctl", 1), ("lscpu", 1), ("numactl", 8), ("polkit", 8), ("ssh", 1)]
    for i, (page, section) in enumerate(pages):
        yield f".BR {page} ({section})" + ("," if i + 1 < len(pages) else "")


# bash's completion

def bash_words(words):
    return " ".join(words)


def make_completion(table, version):
    valued = [o for o in table["option"] if o["argument"]]
    common = []
    for option in table["option"]:
        common.append(option["name"] + ("=" if option["argument"] else ""))
        if option["short"]:
            common.append("-" + option["short"])
    verbs = [v["name"] for v in table["verb"]]

    yield "# bash completion for berthctl                             -*- shell-script -*-"
    yield "# Made from verbs.toml by make-verbs.py."
    yield ""
    yield "_berthctl_cells() {"
    yield "        berthctl --timeout=1 --json=short cells 2>/dev/null |"
    yield "                grep -o '\"Id\":[0-9]*' | cut -d: -f2"
    yield "}"
    yield ""
    # A name may have in it what bash would run: it never gets where words are expanded.
    yield "_berthctl_domains() {"
    yield "        local name quoted"
    yield "        while IFS= read -r name; do"
    yield "                printf -v quoted %q \"$name\""
    yield "                if [[ $quoted == \"$1\"* || $name == \"$1\"* ]]; then"
    yield "                        COMPREPLY+=(\"$quoted\")"
    yield "                fi"
    yield "        done < <(berthctl --timeout=1 --json=short domains 2>/dev/null |"
    yield "                grep -o '\"Name\":\"[^\"\\\\]*\"' | cut -d '\"' -f 4)"
    yield "}"
    yield ""
    yield "_berthctl() {"
    yield "        local cur prev words cword"
    yield "        _init_completion -n = 2>/dev/null || {"
    yield "                words=(\"${COMP_WORDS[@]}\"); cword=$COMP_CWORD"
    yield "                cur=${words[cword]}; prev=${words[cword-1]}"
    yield "        }"
    yield ""
    yield f"        local verbs=\"{bash_words(verbs)}\""
    yield f"        local options=\"{bash_words(common)}\""
    yield "        local verb= position=0 i"
    yield "        for ((i = 1; i < cword; i++)); do"
    yield "                case ${words[i]} in"
    plain = [o["name"] for o in valued] + ["-" + o["short"] for o in valued if o["short"]]
    yield f"                {'|'.join(plain)})"
    yield "                        i=$((i + 1));;"
    yield "                -*|=*)"
    yield "                        ;;"
    yield "                *)"
    yield "                        if [[ -z $verb ]]; then"
    yield "                                verb=${words[i]}"
    yield "                        else"
    yield "                                position=$((position + 1))"
    yield "                        fi;;"
    yield "                esac"
    yield "        done"
    yield ""
    yield "        case $cur in"
    for option in valued:
        if option["values"]:
            yield f"        {option['name']}=*)"
            yield f"                COMPREPLY=($(compgen -W \"{bash_words(option['values'])}\" -- \"${{cur#*=}}\"))"
            yield "                return;;"
    yield "        esac"
    yield "        case $prev in"
    for option in valued:
        names = option["name"] + (f"|-{option['short']}" if option["short"] else "")
        yield f"        {names})"
        if option["values"]:
            yield f"                COMPREPLY=($(compgen -W \"{bash_words(option['values'])}\" -- \"$cur\"))"
        elif option["name"] == "--host":
            yield "                COMPREPLY=($(compgen -A hostname -- \"$cur\"))"
        yield "                return;;"
    yield "        esac"
    yield ""
    yield "        case $verb in"
    for verb in table["verb"]:
        own = [o["name"] + ("=" if o["argument"] else "") for o in verb["option"]]
        if own:
            yield f"        {verb['name']})"
            yield f"                options=\"$options {bash_words(own)}\";;"
    yield "        esac"
    yield "        if [[ $cur == -* ]]; then"
    yield "                COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))"
    yield "                [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null"
    yield "                return"
    yield "        fi"
    yield ""
    yield "        case $verb:$position in"
    yield "        :*)"
    yield "                COMPREPLY=($(compgen -W \"$verbs\" -- \"$cur\"));;"
    kinds = {"alarm": "set clear", "cell": "$(_berthctl_cells)", "on-off": "on off",
             "policy": "other batch idle fifo rr", "size": "2M 1G",
             "target": "suspend suspend_mem suspend_idle suspend_disk suspend_hybrid suspend_then_disk",
             "verb": "$verbs"}
    for verb in table["verb"]:
        for i, kind in enumerate(verb["completes"]):
            if kind == "none":
                continue
            position = "*" if verb["most"] < 0 and i + 1 == len(verb["completes"]) else str(i)
            yield f"        {verb['name']}:{position})"
            if kind == "file":
                yield "                COMPREPLY=($(compgen -f -- \"$cur\")); compopt -o filenames 2>/dev/null;;"
                continue
            if kind == "domain":
                yield "                COMPREPLY=(); _berthctl_domains \"$cur\";;"
                continue
            yield f"                COMPREPLY=($(compgen -W \"{kinds[kind]}\" -- \"$cur\"));;"
    yield "        esac"
    yield "}"
    yield "complete -F _berthctl berthctl"


MAKERS = {"header": make_header, "table": make_table, "man": make_man, "completion": make_completion}


def main():
    if len(sys.argv) not in (3, 4) or sys.argv[1] not in MAKERS:
        sys.exit(__doc__.strip())
    version = sys.argv[3] if len(sys.argv) == 4 else ""
    try:
        lines = list(MAKERS[sys.argv[1]](table_read(sys.argv[2]), version))
    except (TableError, tomllib.TOMLDecodeError, KeyError) as e:
        sys.exit(f"{sys.argv[2]}: {e}")
    sys.stdout.reconfigure(encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
