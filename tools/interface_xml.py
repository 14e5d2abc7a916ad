# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the interface files of dbus-interfaces/, with their documentation.

The files are the one source of truth: vtables, authorization, the manual and the
checks are all made from what is read here, so what is missing in them is an
error here.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree

BASIC = set("ybnqiuxtdsogh")
ANNOTATION_ACCESS = "org.berth1.Access"
ANNOTATION_FLAGS = "org.berth1.Flags"
ANNOTATION_EXCLUSIVE = "org.berth1.FlagsExclusive"
ANNOTATION_MODEL = "org.berth1.Model"
ANNOTATION_EMITS = "org.freedesktop.DBus.Property.EmitsChangedSignal"
PREFIX = "org.berth1."


class Invalid(Exception):
    """Something in an interface file that cannot stay so."""


def snake(name):
    """GetXml -> get_xml, Host.Topology -> host_topology."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.replace(".", "_").replace("-", "_")).replace("__", "_").lower()


class Doc:
    """The comment in front of a member: its name, its arguments, its text."""

    def __init__(self, where, name, comment):
        lines = [line.strip() for line in (comment or "").strip().split("\n")]
        if not lines or lines[0] != f"{name}:":
            raise Invalid(f"{where}: there is no comment \"{name}:\" in front of it")
        self.args = {}
        self.text = []
        current = None
        for line in lines[1:]:
            found = re.match(r"@(\w+): *(.*)", line)
            # An argument's description ends where the text starts: at a line
            # that goes on without being indented, which strip() cannot show;
            # so descriptions are told by their last character.
            if found:
                current = found.group(1)
                self.args[current] = found.group(2)
            elif current and not self.args[current].endswith("."):
                self.args[current] += " " + line
            else:
                current = None
                self.text.append(line)
        if not any(self.text):
            raise Invalid(f"{where}: the comment says nothing")


class Arg:
    def __init__(self, element):
        self.name = element.get("name")
        self.signature = element.get("type")
        self.direction = element.get("direction", "in")

    @property
    def basic(self):
        return len(self.signature) == 1 and self.signature in BASIC


class Member:
    def __init__(self, interface, element, comment):
        self.name = element.get("name")
        self.where = f"{interface}.{self.name}"
        self.doc = Doc(self.where, self.name, comment)
        self.annotations = {a.get("name"): a.get("value") for a in element.findall("annotation")}


class Property(Member):
    def __init__(self, interface, element, comment):
        super().__init__(interface, element, comment)
        self.signature = element.get("type")
        if element.get("access") != "read":
            raise Invalid(f"{self.where}: a property is read-only; changes are methods, each with its polkit action")
        self.emits = self.annotations.get(ANNOTATION_EMITS, "true")
        if self.emits not in ("true", "const"):
            raise Invalid(f"{self.where}: a property is constant or announces its changes")


class Method(Member):
    def __init__(self, interface, element, comment):
        super().__init__(interface, element, comment)
        self.args = [Arg(a) for a in element.findall("arg")]
        self.inputs = [a for a in self.args if a.direction == "in"]
        self.outputs = [a for a in self.args if a.direction == "out"]
        access = self.annotations.get(ANNOTATION_ACCESS)
        if not access:
            raise Invalid(f"{self.where}: neither public nor a polkit action stands in {ANNOTATION_ACCESS}")
        self.actions = [] if access == "public" else access.split()
        for action in self.actions:
            if not action.startswith("org."):
                raise Invalid(f"{self.where}: \"{action}\" is no polkit action")
        self.flags = self.annotations.get(ANNOTATION_FLAGS, "").split()
        self.exclusive = [group.split(",") for group in self.annotations.get(ANNOTATION_EXCLUSIVE, "").split()]
        has_flags = bool(self.inputs) and self.inputs[-1].name == "flags" and self.inputs[-1].signature == "as"
        if bool(self.flags) != has_flags:
            raise Invalid(f"{self.where}: words in {ANNOTATION_FLAGS} and a last argument \"flags\" of type as go together")
        if self.actions and "dry-run" not in self.flags:
            raise Invalid(f"{self.where}: it changes something and does not know the flag dry-run")
        for group in self.exclusive:
            for word in group:
                if word not in self.flags:
                    raise Invalid(f"{self.where}: \"{word}\" excludes others but is no flag")
        for arg in self.args:
            if arg.name not in self.doc.args:
                raise Invalid(f"{self.where}: argument {arg.name} is not described")
        for name in self.doc.args:
            if name not in [arg.name for arg in self.args]:
                raise Invalid(f"{self.where}: there is no argument {name}")


class Signal(Member):
    def __init__(self, interface, element, comment):
        super().__init__(interface, element, comment)
        self.args = [Arg(a) for a in element.findall("arg")]
        for arg in self.args:
            if arg.name not in self.doc.args:
                raise Invalid(f"{self.where}: argument {arg.name} is not described")


class Interface:
    def __init__(self, path):
        parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
        root = ElementTree.parse(path, parser).getroot()
        comment = None
        element = None
        for child in root:
            if child.tag is ElementTree.Comment:
                comment = child.text
            elif child.tag == "interface":
                element = child
                break
        if element is None:
            raise Invalid(f"{path}: there is no interface in it")
        self.path = root.get("name")
        self.name = element.get("name")
        self.short = self.name[len(PREFIX):] if self.name.startswith(PREFIX) else self.name
        self.doc = Doc(self.name, self.name, comment)
        self.properties, self.methods, self.signals = [], [], []
        self.model = None
        comment = None
        for child in element:
            if child.tag is ElementTree.Comment:
                comment = child.text
                continue
            if child.tag == "annotation":
                if child.get("name") == ANNOTATION_MODEL:
                    self.model = child.get("value")
                continue
            kinds = {"property": (Property, self.properties), "method": (Method, self.methods), "signal": (Signal, self.signals)}
            if child.tag not in kinds:
                raise Invalid(f"{self.name}: an interface has no {child.tag}")
            kind, members = kinds[child.tag]
            members.append(kind(self.name, child, comment))
            comment = None
        if not self.model:
            raise Invalid(f"{self.name}: {ANNOTATION_MODEL} does not say whose members these are")
        self.prefix = snake(self.short)
        self.type = self.short.replace(".", "")


def read_all(paths):
    """All interfaces, or an end with a message that names the place."""
    try:
        return [Interface(path) for path in paths]
    except (Invalid, ElementTree.ParseError) as error:
        sys.exit(f"interface files: {error}")
