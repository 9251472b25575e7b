#!/usr/bin/env python3
"""Makes the messages of the protocol out of their definitions (docs/formats/api-definitions.md).

generate.py OUT FILE...         writes OUT/protocol/{api,record}/*.h, tables_*.cc, api_table.cc, messages.cc and served.inc,
                                each only when its content changes, so that one changed definition rebuilds little.
generate.py --list OUT FILE...  prints the sources, then the headers it would write, one per line.
generate.py --json FILE...      prints the definitions as JSON, for tests that compare them with Kafka's own.
"""
import json
import os
import re
import sys
from dataclasses import dataclass, field

OPEN = 32767
PRIMITIVES = {  # name: (C++ type, bytes on the wire at least: classic form, flexible form)
    "bool": ("bool", 1, 1), "int8": ("int8_t", 1, 1), "int16": ("int16_t", 2, 2), "uint16": ("uint16_t", 2, 2),
    "int32": ("int32_t", 4, 4), "uint32": ("uint32_t", 4, 4), "int64": ("int64_t", 8, 8), "float64": ("double", 8, 8),
    "uuid": ("Uuid", 16, 16), "string": ("Text", 2, 1), "bytes": ("Blob", 4, 1), "records": ("Records", 4, 1),
}
NULLABLE = {"string", "bytes", "records"}
KEYWORDS = {"operator", "delete", "default", "namespace", "register", "public", "private", "new", "class", "union", "export"}
WORDS = {"tag": 1, "nullable": "?", "default": 1, "ignorable": 0, "classic": 0, "as": 1, "was": 1, "since": 1}
RECORD_KINDS = ("key", "value", "metadata", "remote", "data", "header")


class Problem(Exception):
    pass


@dataclass
class Field:
    name: str
    kafka: str
    type: str
    array: bool
    versions: tuple
    words: dict
    fields: list = field(default_factory=list)

    @property
    def nullable(self):
        return self.words.get("nullable")

    @property
    def cpp_name(self):
        return self.name + "_" if self.name in KEYWORDS else self.name

    @property
    def null_by_default(self):
        return self.words.get("default") == "null"


@dataclass
class Message:
    name: str  # Kafka's, also the struct's.
    kind: str
    key: int
    versions: tuple
    versions_43: tuple
    flexible: int
    unstable: int
    header: str
    fields: list = field(default_factory=list)
    structs: dict = field(default_factory=dict)  # name: fields, in the order that C++ needs
    spans: dict = field(default_factory=dict)  # name: the versions that use it

    @property
    def cpp_name(self):
        return self.name + "Data" if self.kind == "header" else self.name


@dataclass
class Api:
    name: str
    key: int
    props: dict
    request: Message = None
    response: Message = None


def version_range(text, within=(0, OPEN)):
    match = re.fullmatch(r"(\d+)(\+|-(\d+))?", text)
    if not match:
        raise Problem(f"not a version range: {text}")
    low = int(match[1])
    high = within[1] if match[2] == "+" else int(match[3] or low)
    if not within[0] <= low <= high <= within[1]:
        raise Problem(f"{text} does not lie within {within[0]}-{within[1]}")
    return (low, high)


def kafka_name(name, words, camel):
    text = words.get("as") or "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    return text[:1].lower() + text[1:] if camel and "as" not in words else text


def parse_words(parts, versions):
    words, i = {}, 0
    while i < len(parts):
        word, i = parts[i], i + 1
        if word not in WORDS or word in words:
            raise Problem(f"unknown or repeated word: {word}")
        takes = WORDS[word]
        if takes == 1 or (takes == "?" and i < len(parts) and parts[i][0].isdigit()):
            words[word], i = parts[i], i + 1
        else:
            words[word] = True
    if "tag" in words:
        words["tag"] = int(words["tag"])
    if "nullable" in words:
        words["nullable"] = versions if words["nullable"] is True else version_range(words["nullable"], versions)
    return words


def parse_fields(lines, depth, versions, camel):
    """Fields at this depth from the front of `lines`; deeper lines belong to the struct above them."""
    fields = []
    while lines and lines[0][0] == depth:
        number, text = lines.pop(0)[1:]
        try:
            name, type_name, *rest = text.split()
            own = version_range(rest[0], versions)
            words = parse_words(rest[1:], own)
            array = type_name.startswith("[]")
            result = Field(name, kafka_name(name, words, camel), type_name.removeprefix("[]"), array, own, words)
            if lines and lines[0][0] > depth:
                result.fields = parse_fields(lines, depth + 2, own, camel)
            check_field(result)
        except (ValueError, IndexError, Problem) as e:
            raise Problem(f"line {number}: {e}") from e
        fields.append(result)
    return fields


def check_field(f):
    if f.nullable and not f.array and f.type in PRIMITIVES and f.type not in NULLABLE:
        raise Problem(f"{f.name}: {f.type} cannot be null")
    if f.null_by_default and not f.nullable:
        raise Problem(f"{f.name}: null by default but not nullable")
    if f.type in PRIMITIVES and f.fields:
        raise Problem(f"{f.name}: {f.type} has no fields")
    default = f.words.get("default")
    if default not in (None, "null"):
        if f.array or f.type not in PRIMITIVES or f.type in NULLABLE | {"uuid"}:
            raise Problem(f"{f.name}: only numbers and bool have a default")
        if f.type != "bool":
            int(default, 0)


def parse_message(lines, name, kind, key, props):
    versions = version_range(props["versions"][0])
    versions_43 = versions
    if len(props["versions"]) > 1:
        versions_43 = version_range(props["versions"][2].rstrip(")"), versions)
    if props.get("since"):
        versions_43 = None
    flexible = OPEN if props["flexible"][0] == "none" else int(props["flexible"][0].rstrip("+"))
    unstable = int(props["unstable"][0]) if "unstable" in props else OPEN
    message = Message(name, kind, key, versions, versions_43, flexible, unstable, "")
    camel = "names" in props
    common = {}
    while lines and lines[0][0] == 2:
        if lines[0][2].startswith("struct "):
            struct_name = lines.pop(0)[2].split()[1]
            common[struct_name] = parse_fields(lines, 4, versions, camel)
        else:
            message.fields += parse_fields_until_struct(lines, versions, camel)
    collect_structs(message, message.fields, common)
    return message


def parse_fields_until_struct(lines, versions, camel):
    end = next((i for i, line in enumerate(lines) if line[0] < 2 or line[2].startswith("struct ")), len(lines))
    part = lines[:end]
    del lines[:end]
    fields = parse_fields(part, 2, versions, camel)
    if part:
        raise Problem(f"line {part[0][1]}: unexpected indentation")
    return fields


def collect_structs(message, fields, common):
    """Names every struct once, those that others contain first."""
    for f in fields:
        if f.type in PRIMITIVES:
            continue
        inner = f.fields or common.get(f.type)
        if inner is None:
            raise Problem(f"{message.name}: no struct {f.type}")
        if f.fields and f.type in message.structs:
            raise Problem(f"{message.name}: struct {f.type} twice")
        collect_structs(message, inner, common)
        message.structs[f.type] = inner
        low, high = message.spans.get(f.type, f.versions)
        message.spans[f.type] = (min(low, f.versions[0]), max(high, f.versions[1]))


def parse_file(path):
    lines = []
    for number, text in enumerate(open(path, encoding="utf-8"), 1):
        text = text.split("#")[0].rstrip()
        if text:
            lines.append((len(text) - len(text.lstrip()), number, text.strip()))
    try:
        return parse_definition(lines)
    except (Problem, KeyError, ValueError, IndexError) as e:
        raise SystemExit(f"{path}: {e}") from e


def parse_definition(lines):
    head = lines.pop(0)[2].split()
    props = {}
    while lines and lines[0][2] not in ("request", "response", "fields"):
        word, *rest = lines.pop(0)[2].split()
        props[word] = rest
    if head[0] == "api":
        api = Api(head[2], int(head[1]), props)
        for part in ("request", "response"):
            if lines.pop(0)[2] != part:
                raise Problem(f"{part} is missing")
            setattr(api, part, parse_message(lines, head[2] + part.capitalize(), part, api.key, props))
        result = api
    elif head[0] in RECORD_KINDS:
        if lines:
            lines.pop(0)
        key = int(head[1]) if len(head) > 2 else -1
        result = parse_message(lines, head[-1], head[0], key, props)
    else:
        raise Problem(f"unknown kind: {head[0]}")
    if lines:
        raise Problem(f"line {lines[0][1]}: not understood")
    return result


def snake(name):
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)).lower()


# C++ headers

def base_type(f):
    plain = PRIMITIVES[f.type][0] if f.type in PRIMITIVES else f.type
    return f"std::vector<{plain}>" if f.array else plain


def is_optional(f):
    return bool(f.nullable) and (f.array or f.type != "records")


def cpp_type(f):
    return f"std::optional<{base_type(f)}>" if is_optional(f) else base_type(f)


def initial(f):
    default = f.words.get("default")
    if is_optional(f):
        return "" if f.null_by_default else f" = {base_type(f)}()"
    if f.array or f.type not in PRIMITIVES or f.type in NULLABLE | {"uuid"}:
        return ""
    if f.type == "bool":
        return f" = {default or 'false'}"
    return f" = {number(f)}"


def number(f):
    value = int(f.words.get("default", "0"), 0)
    return "INT32_MIN" if value == -2**31 else str(value)


def header_struct(m, name, fields):
    lines = [f"{qualified(m, f, cpp_type(f))} {f.cpp_name}{qualified(m, f, initial(f))};" for f in fields]
    lines += ["UnknownTags unknown_tags;", f"friend bool operator==(const {name}&, const {name}&) = default;"]
    return ["  " + line for line in lines] + ["};"]


def qualified(m, f, text):
    """The structs of a message stand outside of it, because a nested struct with defaults cannot be made inside of the outer one."""
    return text if f.type in PRIMITIVES else re.sub(rf"\b{f.type}\b", f"{m.cpp_name}_{f.type}", text)


def header_message(m):
    lines = []
    for name, fields in m.structs.items():
        lines += [f"struct {m.cpp_name}_{name} {{"] + header_struct(m, f"{m.cpp_name}_{name}", fields)
    lines += [f"struct {m.cpp_name} {{", f'  static constexpr std::string_view kName = "{m.name}";']
    lines += [f"  static constexpr int16_t kApiKey = {m.key}, kMinVersion = {m.versions[0]}, kMaxVersion = {m.versions[1]};",
              f"  static constexpr int16_t kFirstFlexible = {'INT16_MAX' if m.flexible == OPEN else m.flexible};",
              f"  static constexpr bool kIsKey = {'true' if m.kind == 'key' else 'false'};",
              "  static const MessageTable& table();", ""]
    if m.kind == "request":
        lines.insert(-1, f"  using Response = {m.cpp_name.removesuffix('Request')}Response;")
    lines += [f"  using {name} = {m.cpp_name}_{name};" for name in m.structs]
    return lines + header_struct(m, m.cpp_name, m.fields) + [""]


def header_text(messages, source):
    lines = [f"// Generated from {source}.", "#pragma once", "", '#include "protocol/types.h"', "", "namespace samsa::protocol {", ""]
    lines += [f"struct {m.cpp_name};" for m in messages if m.kind == "response"] + [""]
    for m in messages:
        lines += header_message(m)
    return "\n".join(lines + ["}  // namespace samsa::protocol", ""])


# Tables

def least_size(m, fields, version):
    """Bytes that a struct of these fields takes at least in a version."""
    flexible = version >= m.flexible
    total = 1 if flexible else 0
    for f in fields:
        low, high = f.versions
        if not low <= version <= high or (flexible and "tag" in f.words):
            continue
        compact = flexible and "classic" not in f.words
        if f.array:
            total += 1 if compact else 4
        elif f.type in PRIMITIVES:
            total += PRIMITIVES[f.type][2 if compact else 1]
        elif f.nullable and f.nullable[0] <= version <= f.nullable[1]:
            total += 1
        else:
            total += least_size(m, m.structs[f.type], version)
    return total


def table_field(m, owner, f):
    kind = f.type if f.type in PRIMITIVES else "struct"
    parts = [f'.name = "{f.name}"', f".offset = offsetof({owner}, {f.cpp_name})", f".kind = Kind::k{kind.capitalize()}",
             f".from = {f.versions[0]}", f".to = {m_open(m, f.versions[1])}"]
    if f.nullable:
        parts += [f".null_from = {f.nullable[0]}", f".null_to = {m_open(m, f.nullable[1])}"]
    if "tag" in f.words:
        parts.append(f".tag = {f.words['tag']}")
    for word in ("ignorable", "classic"):
        if word in f.words:
            parts.append(f".{word} = true")
    if f.null_by_default:
        parts.append(".null_by_default = true")
    elif "default" in f.words:
        parts.append(f".number = {'1' if f.words['default'] == 'true' else number(f) if f.type != 'bool' else '0'}")
    if kind == "struct":
        parts.append(f".type = &k{m.cpp_name}_{f.type}")
    inner = base_type(f) if f.type in PRIMITIVES else base_type(f).replace(f.type, f"{m.cpp_name}::{f.type}")
    if f.array:
        parts.append(f".array = &kArrayOps<{inner}>")
    if is_optional(f):
        parts.append(f".optional = &kOptionalOps<{inner}>")
    return "    {" + ", ".join(parts) + "},"


def m_open(m, version):
    return "INT16_MAX" if version == m.versions[1] else version


def table_struct(m, name, fields):
    owner, symbol = (f"{m.cpp_name}::{name}", f"k{m.cpp_name}_{name}") if name else (m.cpp_name, f"k{m.cpp_name}")
    ordered = [f for f in fields if "tag" not in f.words] + sorted((f for f in fields if "tag" in f.words), key=lambda f: f.words["tag"])
    first, last = m.spans[name] if name else m.versions
    least = min(least_size(m, fields, v) for v in range(first, last + 1))
    lines = []
    if ordered:
        lines = [f"constexpr FieldTable {symbol}_fields[] = {{"] + [table_field(m, owner, f) for f in ordered] + ["};"]
    span = f"{symbol}_fields" if ordered else "{}"
    lines.append(f'constexpr StructTable {symbol} = {{"{name or m.name}", {span}, sizeof({owner}), offsetof({owner}, unknown_tags), {least}}};')
    return lines


def table_message(m):
    lines = []
    for name, fields in m.structs.items():
        lines += table_struct(m, name, fields)
    lines += table_struct(m, None, m.fields)
    kind = "MessageKind::k" + m.kind.capitalize()
    lines.append(f"constexpr MessageTable k{m.cpp_name}_message = {{k{m.cpp_name}, {kind}, {m.key}, {m.versions[0]}, {m.versions[1]}, "
                 f"{m.cpp_name}::kFirstFlexible, &kObjectOps<{m.cpp_name}>}};")
    return lines


def tables_text(group, units):
    lines = ["// Generated: the schema tables that protocol/codec.cc interprets.", '#include "protocol/schema.h"']
    lines += [f'#include "{header}"' for header, _ in units]
    lines += ["", "#include <cstddef>", "", '#pragma clang diagnostic ignored "-Winvalid-offsetof"', "", "namespace samsa::protocol {", "namespace {"]
    messages = [m for _, group in units for m in group]
    for m in messages:
        lines += table_message(m)
    lines += ["}  // namespace"]
    lines += [f"const MessageTable& {m.cpp_name}::table() {{ return k{m.cpp_name}_message; }}" for m in messages]
    lines += [f"std::span<const MessageTable* const> {group}() {{", "  static constexpr const MessageTable* kAll[] = {"]
    lines += [f"      &k{m.cpp_name}_message," for m in messages] + ["  };", "  return kAll;", "}"]
    return "\n".join(lines + ["}  // namespace samsa::protocol", ""])


def group_name(table):
    return os.path.basename(table).removesuffix(".cc")


def messages_text(groups):
    lines = ["// Generated: every message, for tools and tests that walk all of them.", '#include "protocol/schema.h"', "", "namespace samsa::protocol {"]
    lines += [f"std::span<const MessageTable* const> {group}();" for group in groups]
    lines += ["std::vector<const MessageTable*> all_messages() {", "  std::vector<const MessageTable*> all;"]
    lines += [f"  for (const auto* message : {group}()) all.push_back(message);" for group in groups]
    return "\n".join(lines + ["  return all;", "}", "}  // namespace samsa::protocol", ""])


def api_row(api):
    r, handler = api.request, api.props["handler"]
    flags = ["broker" in api.props["listeners"], "controller" in api.props["listeners"], handler != ["none"],
             "broker" in handler, "controller" in handler]
    cells = [str(api.key), f'"{api.name}"', str(r.versions[0]), str(r.versions[1]), "INT16_MAX" if r.unstable == OPEN else str(r.unstable),
             "INT16_MAX" if r.flexible == OPEN else str(r.flexible), str(r.versions_43[1]) if r.versions_43 else "-1"]
    return "    {" + ", ".join(cells + [str(flag).lower() for flag in flags]) + "},"


def api_table_text(apis):
    lines = ["// Generated: one row per API.", '#include "protocol/api_table.h"', "", "namespace samsa::protocol {", "namespace {",
             "constexpr ApiInfo kApis[] = {"]
    lines += [api_row(api) for api in apis]
    lines += ["};", "}  // namespace", "std::span<const ApiInfo> all_apis() { return kApis; }", "}  // namespace samsa::protocol", ""]
    return "\n".join(lines)


def served_text(apis):
    served = [api for api in apis if api.props["handler"] != ["none"]]
    lines = ["// Generated: SAMSA_SERVED(Name, name) for each API that has a handler; without that macro, their headers.", "#ifdef SAMSA_SERVED"]
    lines += [f"SAMSA_SERVED({api.name}, {snake(api.name)})" for api in served]
    lines += ["#else"] + [f'#include "protocol/api/{snake(api.name)}.h"' for api in served] + ["#endif"]
    return "\n".join(lines + [""])


# Output

def layout(paths):
    """(header, source definition, table file) of every definition; table files hold ten APIs or the records of one first letter."""
    for path in paths:
        stem, room = os.path.basename(path).removesuffix(".api"), os.path.basename(os.path.dirname(path))
        if room == "api":
            number, name = stem.split("_", 1)
            yield path, f"protocol/api/{name}.h", f"protocol/tables_api_{int(number) // 10}.cc"
        else:
            group = {"c": "c", "s": "s"}.get(stem[0], "other")
            yield path, f"protocol/record/{stem}.h", f"protocol/tables_record_{group}.cc"


def outputs(paths):
    places = list(layout(paths))
    sources = sorted({cc for _, _, cc in places}) + ["protocol/messages.cc", "protocol/api_table.cc"]
    return sources, [header for _, header, _ in places] + ["protocol/served.inc"]


def write_if_changed(path, text):
    if os.path.exists(path) and open(path, encoding="utf-8").read() == text:
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def generate(out, paths):
    apis, tables = [], {}
    for path, header, table in layout(paths):
        parsed = parse_file(path)
        if isinstance(parsed, Api):
            apis.append(parsed)
        messages = [parsed.request, parsed.response] if isinstance(parsed, Api) else [parsed]
        write_if_changed(f"{out}/{header}", header_text(messages, "/".join(path.split("/")[-3:])))
        tables.setdefault(table, []).append((header, messages))
    for table, units in tables.items():
        write_if_changed(f"{out}/{table}", tables_text(group_name(table), units))
    apis.sort(key=lambda api: api.key)
    write_if_changed(f"{out}/protocol/messages.cc", messages_text(sorted(map(group_name, tables))))
    write_if_changed(f"{out}/protocol/api_table.cc", api_table_text(apis))
    write_if_changed(f"{out}/protocol/served.inc", served_text(apis))


def print_json(paths):
    def plain(value):
        return value.__dict__ if hasattr(value, "__dict__") else str(value)
    print(json.dumps([parse_file(path) for path in paths], default=plain))


def main():
    mode = sys.argv[1]
    if mode == "--json":
        print_json(sorted(sys.argv[2:]))
    elif mode == "--list":
        for group in outputs(sorted(sys.argv[3:])):
            print(";".join(f"{sys.argv[2]}/{path}" for path in group))
    else:
        generate(mode, sorted(sys.argv[2:]))


if __name__ == "__main__":
    main()
