"""The table of a job's fields: codec, admission and repair know each of them by its row alone."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
import simplejson
from hourwheel.errors import InvalidValue
from hourwheel.job import After, Bound, Failure, Fire, Job, State
from hourwheel.store.codec import UnreadableJob, decode_job, encode_job
from hourwheel.store.fields import FIELDS, IN_TEXT, REQUIRED, Field, refuse_unsound
from hourwheel.store.file.repair.shape import is_canonical, job_of, read_job

ROOT = Path(__file__).parents[3]
NEW = Job(id="a", task="app.remind", due_ms=1_000)
OTHER: dict[str, Any] = {
    "id": "b",
    "due_ms": 2_000,
    "created_ms": 5,
    "priority": -3,
    "max_crashes": 1,
    "result_ttl_ms": 7,
    "state": State.RUNNING,
    "attempt": 2,
    "reason": "why",
    "note": "[1]",
    "ignore_result": True,
    "error": Failure("E", "m", "t"),
    "wakes": ("b", "c"),
    "limits": (Bound("a", 2), Bound('"b"', 10, 60_000)),
    "fire": Fire("s", 7, "every 5 ms", followed=True, missed=2, before=("s@1", "s@2"), stored=True),
    "after": After(("x", "y"), 1, "finished", "results", 5, "[0,[1]]"),
    "extra": '{"colour":"blue"}',
    "payload": '[[1,{"x":null}],{"k":"\\u00e4"}]',
    "returned": "null",
}
"""A value other than the default, for one field of each kind."""
OF_KIND = {field.kind: OTHER[field.name] for field in FIELDS if field.name in OTHER}

each_field = pytest.mark.parametrize("field", FIELDS, ids=[field.name for field in FIELDS])
each_in_text = pytest.mark.parametrize("field", IN_TEXT.values(), ids=IN_TEXT)


def with_other(field: Field) -> Job:
    return NEW._replace(**{field.name: OF_KIND[field.kind]})


def test_each_field_of_a_job_is_in_the_table() -> None:
    assert sorted(field.name for field in FIELDS) == sorted(Job._fields)
    assert sorted(IN_TEXT) == sorted(set(Job._fields) - {"extra"})


@each_field
def test_a_row_is_of_the_type_that_job_says(field: Field) -> None:
    hint = get_type_hints(Job)[field.name]
    said = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    assert type(OF_KIND[field.kind]) in [get_origin(one) or one for one in said]
    assert (NoneType in said) == (field.default is None)


def test_what_only_a_claim_or_an_end_sets_is_not_added() -> None:
    unset = {field.name for field in FIELDS if field.unset}
    assert unset >= {"state", "token", "owner", "finished_ms", "returned", "cancel_ms", "note"}


@each_field
def test_a_default_keeps_the_rule(field: Field) -> None:
    assert field.default in (None, REQUIRED) or field.kind.holds(field.default)
    refuse_unsound(NEW)


@each_field
def test_a_field_comes_back_from_its_text(field: Field) -> None:
    job = with_other(field)
    assert job != NEW
    raw = encode_job(job).encode()
    assert decode_job(raw) == job
    assert read_job(raw) == job
    assert is_canonical(raw, job)


@each_field
def test_a_job_is_added_with_what_it_may_have_by_then(field: Field) -> None:
    if not field.unset:
        refuse_unsound(with_other(field))
        return
    with pytest.raises(InvalidValue, match=f"^{field.name} must be {field.unset}, got "):
        refuse_unsound(with_other(field))


@each_field
def test_a_wrong_value_is_not_added(field: Field) -> None:
    rule = re.escape(field.unset or field.kind.rule)
    wrong = [value for value in (..., 0.5, b"", "", -1, True, (0,), {}, []) if not field.kind.holds(value)]
    assert len(wrong) >= 7
    for value in wrong:
        with pytest.raises(InvalidValue, match=f"^{field.name} must be {rule}( or None)?, got "):
            refuse_unsound(NEW._replace(**{field.name: value}))


@each_in_text
def test_a_wrong_text_is_neither_read_nor_repaired(field: Field) -> None:
    wrong = {"id": "a", "due_ms": 1, "task": "t", field.name: [0.5] if field.name == "after" else {"a": 0.5}}
    if field.name == "returned":
        assert job_of(wrong) == decode_job(simplejson.dumps(wrong).encode()), "a result may be anything"
        return
    with pytest.raises(ValueError, match=f"^{field.name} must be {re.escape(field.kind.rule)}(, or null)?, got "):
        job_of(wrong)
    if field.name != "payload":
        with pytest.raises(UnreadableJob, match=f"{field.name} cannot be "):
            decode_job(simplejson.dumps(wrong).encode())


@each_in_text
def test_null_stands_for_none_alone(field: Field) -> None:
    text = {"id": "a", "due_ms": 1, "task": "t", field.name: None}
    raw = simplejson.dumps(text).encode()
    if field.default is None:
        assert getattr(job_of(text), field.name) == ("null" if field.name == "returned" else None)
        assert decode_job(raw) == job_of(text)
        return
    with pytest.raises(ValueError, match=f"^{field.name} must be "):
        job_of(text)


def test_what_is_unknown_cannot_have_the_name_of_what_is_known() -> None:
    """The key would stand in the text twice, and the job could never be read again."""
    with pytest.raises(InvalidValue, match="^extra must be "):
        refuse_unsound(NEW._replace(extra='{"queue":"mail"}'))


@pytest.mark.parametrize(
    "fire",
    [
        Fire("s", 7, "x", followed=1),
        Fire("s", 7, "x", missed=-1),
        Fire("s", 7, "x", before=("",)),
        Fire("s", 7, "x", stored=1),
    ],  # type: ignore[arg-type]
)
def test_a_fire_that_could_not_be_read_back_is_not_added(fire: Fire) -> None:
    with pytest.raises(InvalidValue, match="^fire must be "):
        refuse_unsound(NEW._replace(fire=fire))


def test_a_number_that_cannot_be_written_is_not_taken_from_an_edited_file() -> None:
    with pytest.raises(ValueError, match="^priority must be a whole number within 62 bits, got "):
        job_of({"id": "a", "due_ms": 1, "task": "t", "priority": 1 << 62})


def test_the_page_about_the_files_names_them_in_the_order_of_the_text() -> None:
    page = (ROOT / "docs" / "file-format.md").read_text(encoding="utf-8")
    paragraph = page[page.index("\nA job is one line.") : page.index(" Times are milliseconds since 1970")]
    named = re.findall(r"`(\w+)`", paragraph)
    between = [name for name in IN_TEXT if name not in ("id", "due_ms", "task", "created_ms", "payload", "returned")]
    assert named == ["id", "due_ms", "task", "created_ms", "payload", "returned", *between]


_WITH_COLOUR = """
from hourwheel.job import Job
from hourwheel.store.codec import decode_job, encode_job
from hourwheel.store.fields import refuse_unsound
from hourwheel.store.file.repair.shape import job_of, read_job

job = Job(id="a", task="t", due_ms=1_000, colour="blue")
raw = encode_job(job).encode()
print(raw.decode())
print(decode_job(raw) == job == read_job(raw))
for refused in (
    lambda: refuse_unsound(job._replace(colour=7)),
    lambda: job_of({"id": "a", "task": "t", "due_ms": 1, "colour": 7}),
    lambda: decode_job(raw.replace(b'"blue"', b"7")),
):
    try:
        print(refused())
    except ValueError as error:
        print(error)
"""


def test_a_new_field_is_a_line_in_job_and_a_row_of_the_table(tmp_path: Path) -> None:
    def edit(file: str, before: str, line: str) -> None:
        path = tmp_path / "hourwheel" / file
        text = path.read_text(encoding="utf-8")
        assert text.count(before) == 1
        path.write_text(text.replace(before, line + before), encoding="utf-8")

    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "wheel", tmp_path / "hourwheel", ignore=leave)
    shutil.copytree(ROOT / "store", tmp_path / "hourwheel" / "store", ignore=leave)
    edit("job.py", "    extra: str | None = None\n", "    colour: str | None = None\n")
    edit("store/fields.py", '    Field("extra", _EXTRA),\n', '    Field("colour", _TEXT),\n')
    done = subprocess.run(
        [sys.executable, "-c", _WITH_COLOUR],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    text, same, added, repaired, read = done.stdout.splitlines()
    assert text == '{"id":"a","due_ms":1000,"task":"t","created_ms":0,"colour":"blue","payload":[[],{}]}'
    assert same == "True"
    assert added == "colour must be a string that is not empty or None, got 7"
    assert repaired == "colour must be a string that is not empty, or null, got 7"
    assert read.startswith("a job cannot be read: colour cannot be 7, in ")
