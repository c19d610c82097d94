"""What people's editors and scripts make of a snapshot: each edit, and whether it must be taken or refused, and where.

Each case changes the text of the same small store (``edits.py`` makes it): jobs ``s3``, ``s4`` ... in the ring, of
which ``s4`` is the one that is edited, ``s1`` running, ``s0`` and ``s2`` finished. This file is data: a new case is a line.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import simplejson

_BIG: Final = "9" * 5000
_ID: Final = '{"id":"s4"'
_REST: Final = '"due_ms":1700000002000'
_DEEP: Final = "[" * 10_000 + "]" * 10_000


class Taken(NamedTuple):
    """An edit that is taken; ``payload`` is what job s4 is then called with, None for what it was called with."""

    name: str
    text: str | bytes
    payload: str | None = None


class Refused(NamedTuple):
    """An edit that is refused with words that match ``reason``; ``at`` is the text that its line must have."""

    name: str
    text: str | bytes
    reason: str
    at: str | None = _ID


def taken(text: str) -> list[Taken]:
    """Every edit that means what it says."""
    document = simplejson.loads(text)
    return [
        Taken("byte order mark", "\ufeff" + text),
        Taken("CRLF", text.replace("\n", "\r\n")),
        Taken("CR for blanks", text.replace(",\n", ",\r")),
        Taken("indented by 2", simplejson.dumps(document, indent=2)),
        Taken("indented by tabs, keys sorted", simplejson.dumps(document, indent="\t", sort_keys=True)),
        Taken("one line", simplejson.dumps(document)),
        Taken("not ASCII", simplejson.dumps(document, ensure_ascii=False)),
        Taken("blanks at the end", text + " \n\t\r\n"),
        Taken("escapes", text.replace('"task":"app', '"task":"\\u0061pp')),
        Taken("names escaped", text.replace('"payload"', '"p\\u0061yload"')),
        Taken("no line feed at the end", text.rstrip("\n") + " "),
        Taken("an empty slot", text.replace('"ring":{', '"ring":{"3599":{},"3598":{"1":[]},')),
        Taken("another slot", _in_another_slot(text)),
        Taken("counts that are wrong", text.replace('"accepted":', '"accepted":7')),
        Taken("counts of no use", re.sub(r'"counts":\{[^}]*\}', '"counts":[1,"x"]', text)),
        Taken("counts of text", re.sub(r'"accepted":\d+', '"accepted":"many"', text)),
        Taken("no counts", re.sub(r'"counts":\{[^}]*\},', "", text)),
        Taken("no checksum, no length", re.sub(r'"length":\s*\d+,"crc":"\w*",', "", text)),
        Taken("not told when to tidy", re.sub(r'"over_ms": *\d+,', "", text)),
        Taken("told a wrong instant at which to tidy", re.sub(r'"over_ms": *\d+', '"over_ms":7', text)),
        Taken("a checksum of another type", re.sub(r'"crc":"\w*"', '"crc":null', text)),
        *[Taken(f"arguments {call:.60}", _called(text, call), payload) for call, payload in _CALLS_TAKEN],
    ]


_CALLS_TAKEN: Final = [
    ('[["x"],{}]', '[["x"],{}]'),
    ("[[1.0],{}]", "[[1.0],{}]"),
    ("[[-0.0],{}]", "[[-0.0],{}]"),
    ("[[1e2],{}]", "[[100.0],{}]"),
    ("[[1E308],{}]", "[[1e+308],{}]"),
    ("[[5e-324],{}]", "[[5e-324],{}]"),
    ("[[1e-400],{}]", "[[0.0],{}]"),
    ("[[9223372036854775807],{}]", "[[9223372036854775807],{}]"),
    ("[[-0],{}]", "[[0],{}]"),
    ("[[true,false,null],{}]", "[[true,false,null],{}]"),
    ('[["\\ud800"],{}]', '[["\\ud800"],{}]'),
    ('[["\\ud83d\\ude00"],{}]', '[["\\ud83d\\ude00"],{}]'),
    ('[["\u00fc\U0001f600"],{}]', '[["\\u00fc\\ud83d\\ude00"],{}]'),
    ('[["\\u0000\\u2028"],{}]', '[["\\u0000\\u2028"],{}]'),
    ('[[],{"":{"":[]}}]', '[[],{"":{"":[]}}]'),
    ('[[],{"__proto__":1,"self":2}]', '[[],{"__proto__":1,"self":2}]'),
    (f"[[{'[' * 63 + ']' * 63}],{{}}]", f"[[{'[' * 63 + ']' * 63}],{{}}]"),
    ('[ [ 1 , 2 ] , { "a" : 3 } ]', '[[1,2],{"a":3}]'),
    ('[[],{"queue":"not ours"}]', '[[],{"queue":"not ours"}]'),
]

_CALLS_REFUSED: Final = [
    ("[[NaN],{}]", "[Ee]xpecting"),
    ("[[Infinity],{}]", "[Ee]xpecting"),
    ("[[-Infinity],{}]", "[Ee]xpecting"),
    ("[[1e400],{}]", "finite"),
    ("[[-1e400],{}]", "finite"),
    ('[[],{"a":[1e999]}]', "finite"),
    ("[[9223372036854775808],{}]", "64 bits"),
    (f"[[{_BIG}],{{}}]", ""),
    ("[[1,],{}]", "."),
    ("[[1],{},]", "."),
    ('[[],{"a":1,}]', "."),
    ("[[01],{}]", "."),
    ("[[+1],{}]", "."),
    ("[[.5],{}]", "."),
    ("[[0x10],{}]", "."),
    ("[[1_000],{}]", "."),
    ("[['x'],{}]", "."),
    ("[[None],{}]", "."),
    ("[[True],{}]", "."),
    ("[[undefined],{}]", "."),
    ("[[1 /* one */],{}]", "."),
    ("[[1],{}] // more", "."),
    ('[["\t"],{}]', "control"),
    ('[["\\x41"],{}]', "."),
    ('[["\\u12"],{}]', "."),
    ('[[],{"a":1,"a":2}]', "'a' is in .* twice"),
    ('[[],{"a":1,"\\u0061":2}]', "'a' is in .* twice"),
    ('[[{"b":{"c":1,"c":1}}],{}]', "'c' is in .* twice"),
    ("[[],{1:2}]", "."),
    (f"[[{_DEEP}],{{}}]", "nested"),
    (f"[[{'[' * 64 + ']' * 64}],{{}}]", "nested"),
    (f"[[{'0,' * 10_000}0],{{}}]", "values"),
    ('[["' + "x" * 262_144 + '"],{}]', "bytes"),
    ("[]", "payload must be"),
    ("{}", "payload must be"),
    ("null", "payload must be"),
    ('"[[],{}]"', "payload must be"),
    ("[[],[]]", "payload must be"),
    ("[{},[]]", "payload must be"),
    ("[[],{},[]]", "payload must be"),
]

_FIELDS_REFUSED: Final = [
    *[("id", value, "id must be") for value in ('""', "7", "null", "true", "[]", "{}", '["a"]')],
    *[("task", value, "task must be") for value in ('""', "7", "null", "false", "[]", "{}")],
    *[
        ("due_ms", value, "due_ms must be")
        for value in ('"1"', "1.5", "1e3", "-1", "null", "true", "[]", "{}", "1" * 30)
    ],
    *[("created_ms", value, "created_ms must be") for value in ('"1"', "1.5", "-1", "null", "true", "[]", "1" * 30)],
    *[("queue", value, "queue must be") for value in ('""', "7", "null", "[]", "{}")],
    *[("priority", value, "priority must be") for value in ('"1"', "1.5", "null", "true", "[]", "{}")],
    *[("key", value, "key must be") for value in ('""', "7", "true", "[]", "{}")],
    *[("expires_ms", value, "expires_ms must be") for value in ('"1"', "1.5", "-1", "false", "[]")],
    *[("max_crashes", value, "max_crashes must be") for value in ("0", "-1", "1.5", "null", "true", '"3"')],
    *[("result_ttl_ms", value, "result_ttl_ms must be") for value in ("-1", "1.5", "null", '"3"', "[]")],
    *[("state", value, "state must be") for value in ('"asleep"', "7", "null", "[]", "{}", '["running"]', '"RUNNING"')],
    *[("state", f'"{state}"', "is in 'ring'") for state in ("running", "succeeded", "failed", "cancelled", "expired")],
    *[("attempt", value, "attempt must be") for value in ("-1", "1.5", "null", "true", '"3"', "[]")],
    *[("crashes", value, "crashes must be") for value in ("-1", "1.5", "null", "true", '"3"', "[]")],
    *[("token", value, "token must be") for value in ("-1", "1.5", "null", "true", '"3"', "[]", "1" * 40)],
    *[("owner", value, "owner must be") for value in ('""', "7", "true", "[]", "{}")],
    *[("started_ms", value, "started_ms must be") for value in ('"1"', "-1", "1.5", "true", "{}")],
    *[("finished_ms", value, "finished_ms must be") for value in ('"1"', "-1", "1.5", "true", "{}")],
    *[("reason", value, "reason must be") for value in ("7", "true", "[]", "{}")],
    *[
        ("error", value, "error must be")
        for value in ('"x"', "7", "[]", '["x"]', '["a","b",3]', '["a","b","c","d"]', "{}")
    ],
    *[("returned", value, "") for value in ("NaN", "1e400", _DEEP)],
    *[("unknown_to_us", value, "") for value in ("NaN", "1e400", _DEEP)],
]


def refused(text: str) -> list[Refused]:
    """Every edit that is a mistake."""
    return [
        *[Refused(f"arguments {call:.60}", _called(text, call), reason) for call, reason in _CALLS_REFUSED],
        *[
            Refused(f"{name}: {value:.40}", _with(text, name, value), why, _REST if name == "id" else _ID)
            for name, value, why in _FIELDS_REFUSED
        ],
        *[
            Refused(f"no {name}", _without(text, name), f"must have '{name}'", _REST if name == "id" else _ID)
            for name in ("id", "due_ms", "task")
        ],
        *[
            Refused(f"job is {value:.30}", _job(text, value), "a job must be", None)
            for value in ("7", "null", "[]", '"s4"')
        ],
        *_documents(text),
        *_headers(text),
        *_bytes(text),
    ]


def _documents(text: str) -> list[Refused]:
    job = _line(text)
    return [
        Refused("an id twice", text.replace(job, f"{job},\n{job}"), "a second time"),
        Refused(
            "an id in two sections",
            text.replace('"running":[\n', f'"running":[\n{_running(job)},\n'),
            "second time",
            None,
        ),
        Refused("two jobs with one key", text.replace('"key9"', '"key6"'), "key 'key6' is held by 2", None),
        Refused("a job that has run since is gone", _gone(text, "s3"), "does not fit", None),
        Refused(
            "an id that the journal adds", text.replace('"id":"s4"', '"id":"n5"'), "in the journal already", '"n5"'
        ),
        Refused("no owner of a running job", re.sub(r'"owner":"[^"]*",', "", text), "owner", None),
        Refused("no token of a running job", re.sub(r'("id":"s1".*)"token":\d+,', r"\1", text), "token", None),
        Refused(
            "a finished job without its end", re.sub(r'("id":"s2".*)"finished_ms":\d+,', r"\1", text), "finished", None
        ),
        Refused("crashed too often", _with(text, "crashes", "3"), "crashed", None),
        Refused("a scheduled job with an owner", _with(text, "owner", '"me"'), "owned by", None),
        Refused("a comma too much behind a job", text.replace(job, job + ",", 1), "", None),
        Refused("no comma between jobs", text.replace('"running"', '{} "running"'), "", '"running"'),
        Refused("comment", text.replace('"ring"', '// the ring\n"ring"'), "", "// the ring"),
        Refused("slot 3600", text.replace('"ring":{', '"ring":{"3600":{},'), "from 0 to 3599", '"3600"'),
        Refused("slot of many digits", text.replace('"ring":{', f'"ring":{{"{_BIG}":{{}},'), "from 0 to 3599", '"999'),
        Refused(
            "slot of other digits", text.replace('"ring":{', '"ring":{"\u0661\u00b2":{},'), "from 0 to 3599", '"\u0661'
        ),
        Refused("slot that is no number", text.replace('"ring":{', '"ring":{"-1":{},'), "from 0 to 3599", '"-1"'),
        Refused("a slot twice", text.replace('"ring":{', '"ring":{"9":{},"9":{},'), "is in .* twice", '"9"'),
        Refused(
            "a cycle that is no number", text.replace('"ring":{', '"ring":{"9":{"x":[]},'), "a cycle must be", '"x"'
        ),
        Refused("a ring that is an array", re.sub(r'"ring":\{', '"ring":[', text), "was expected", '"ring"'),
        Refused("running that is an object", text.replace('"running":[', '"running":{'), "was expected", '"running"'),
        Refused(
            "something unknown", text.replace('"ring":{', '"colour":1,"ring":{'), "not part of a store", '"colour"'
        ),
        Refused(
            "a section twice", text.replace('"running":[', '"running":[],"running":['), "is in .* twice", '"running"'
        ),
        Refused("something behind", text + "{}", "more text follows", None),
        Refused("the end is missing", text.rstrip("}\n"), "", None),
        Refused("half is missing", text[: len(text) // 2], "", None),
        Refused("nested 10,000 deep", text.replace('"ring":{', f'"counts_":{_DEEP},"ring":{{'), "not part", None),
        Refused("counts nested 10,000 deep", re.sub(r'"counts":\{[^}]*\}', f'"counts":{_DEEP}', text), "nested", None),
    ]


def _headers(text: str) -> list[Refused]:
    wrong = ('"x"', "-1", "1.5", "null", "true", "[]", "1e400", _BIG)
    return [
        *[
            Refused(
                f"header: {name} {value:.20}", re.sub(rf'"{name}": *\d+', f'"{name}":{value}', text, count=1), "", None
            )
            for name in ("epoch", "seq", "token", "hand", "over_ms")
            for value in wrong
            if (name, value) != ("over_ms", "null")  # as if it were not told
        ],
        *[
            Refused(
                f"header: store_id {value}",
                re.sub(r'"store_id":"\w+"', lambda _, v=value: f'"store_id":{v}', text),
                "",
                None,
            )
            for value in ("7", "null", '""', '"a\\"b"', '"a\\nb"', '"\\ud800"', '"\u00fc"', "[]", '"of another store"')
        ],
        *[
            Refused(
                f"header: another {name}, {value}",
                re.sub(rf'"{name}":\d+', f'"{name}":{value}', text, count=1),
                "",
                None,
            )
            for name in ("epoch", "seq")
            for value in (0, 1, 77, 1 << 70)
        ],
        *[
            Refused(f"header: no {name}", re.sub(rf'"{name}":("\w+"|\d+),', "", text, count=1), name, None)
            for name in ("epoch", "seq", "token", "hand", "store_id")
        ],
    ]


def _bytes(text: str) -> list[Refused]:
    data = text.encode()
    at = data.index(b'"app.remind"', data.index(b'{"id":"s4"')) + 3
    return [
        *[
            Refused(f"bytes {bad!r}", data[:at] + bad + data[at + 1 :], "UTF-8")
            for bad in (b"\xff", b"\xc3(", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf5\x80\x80\x80")
        ],
        Refused("a NUL", data[:at] + b"\0" + data[at + 1 :], "control"),
        Refused("UTF-16", text.encode("utf-16"), "", None),
        Refused("UTF-32", text.encode("utf-32-le"), "", None),
        Refused("Latin-1", data[:at] + b"\xfc" + data[at + 1 :], "UTF-8"),
    ]


# ---- how a text is changed -------------------------------------------------------------------------------


def _line(text: str) -> str:
    found = re.search(r'^\{"id":"s4".*\}', text, re.M)
    assert found is not None
    return found[0]


def _job(text: str, job: str) -> str:
    return text.replace(_line(text), job)


def _called(text: str, call: str) -> str:
    line = _line(text)
    return text.replace(line, line[: line.index(',"payload":')] + f',"payload":{call}}}')


def _with(text: str, name: str, value: str) -> str:
    line = _line(text)
    return text.replace(line, f'{_without_field(line, name)[:-1]},"{name}":{value}}}')


def _without(text: str, name: str) -> str:
    return text.replace(_line(text), _without_field(_line(text), name))


def _without_field(line: str, name: str) -> str:
    kept = {field: value for field, value in simplejson.loads(line).items() if field != name}
    ordered = {field: kept[field] for field in ("id", *kept) if field in kept}
    return simplejson.dumps(ordered, separators=(",", ":"))


def _running(job: str) -> str:
    return job[:-1] + ',"state":"running","owner":"me","attempt":1,"token":99}'


def _gone(text: str, id: str) -> str:
    text = re.sub(rf'\{{"id":"{id}".*\n', "", text)
    return text.replace("},\n]", "}\n]")


def _in_another_slot(text: str) -> str:
    """The due instant is what counts: a person who changes it need not know in which slot the job then belongs."""
    return re.sub(r'^"(\d+)":\{$', lambda found: f'"{(int(found[1]) + 7) % 3600}":{{', text, flags=re.M)
