"""``hourwheel check``, ``hourwheel compact`` and ``hourwheel repair``."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from hourwheel.store import JsonStore
from hourwheel.testing import FakeClock

from .conftest import NOW_MS, Run

pytestmark = pytest.mark.usefixtures("not_folded")


def journal_of(store: Path) -> Path:
    return next(store.parent.glob("tasks.json.journal.*"))


def damage(path: Path, words: bytes, by: int = 0) -> int:
    """Overwrite seven bytes; returns the offset of the line they are in."""
    data = path.read_bytes()
    at = data.index(words) + by
    path.write_bytes(data[:at] + b"#" * 7 + data[at + 7 :])
    return data.rfind(b"\n", 0, at) + 1


def files(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.parent.iterdir() if "repaired" not in path.name}


def compacted(store: Path) -> Path:
    opened = JsonStore(store, clock=FakeClock(NOW_MS))
    opened.compact()
    opened.close()
    return store


# ---- check -----------------------------------------------------------------------------------------------


def test_a_sound_store_is_called_sound_with_its_ledger(run: Run, store: Path) -> None:
    status, out, _ = run("check", store)
    assert (status, out) == (0, f"{store}: sound, accepted 6 = scheduled 3 + running 1 + finished 2\n")


def test_check_json(run: Run, store: Path) -> None:
    status, out, _ = run("check", store, "--json")
    assert status == 0
    assert json.loads(out) == {"store": str(store), "sound": True, "violations": [], "damages": [], "notes": []}


def test_damage_is_told_with_path_and_offset(run: Run, store: Path) -> None:
    at = damage(journal_of(store), b'"op":"settle"')
    before = files(store)
    status, out, _ = run("check", store)
    assert status == 1
    assert out.startswith(f"{store}: damaged")
    assert f"{journal_of(store)}: byte {at}" in out
    assert "nothing was changed" in out
    assert files(store) == before


def test_every_damaged_place_is_told(run: Run, store: Path) -> None:
    journal = journal_of(store)
    places = [
        damage(journal, b'"op":"settle"'),
        damage(journal, b'"id":"late"'),
        damage(compacted_header(store), b"hourwheel", 11),
    ]
    status, out, _ = run("check", store, "--json")
    told = json.loads(out)
    assert (status, told["sound"]) == (1, False)
    assert {(Path(d["path"]).name, d["offset"]) for d in told["damages"]} >= {
        (journal.name, places[0]),
        (journal.name, places[1]),
    }
    assert any(Path(d["path"]) == store for d in told["damages"])


def compacted_header(store: Path) -> Path:
    return store


def test_violated_invariants_are_told(run: Run, store: Path) -> None:
    text = compacted(store).read_text()
    header, rest = text.split("\n", 1)
    wrong = header.replace('"scheduled":3', '"scheduled":4')
    store.write_text(sealed(wrong, rest))
    status, out, _ = run("check", store)
    assert status == 1
    assert out.startswith(f"{store}: not sound")
    assert "the ledger does not balance" in out
    assert "4 jobs are counted as scheduled, 3 are held" in out


def sealed(header: str, rest: str) -> str:
    """The document with a right checksum."""
    from zlib import crc32

    zeroed = re.sub(r'"crc":"\w+"', '"crc":"00000000"', header) + "\n"
    crc = crc32(zeroed.encode(), crc32(rest.encode()))
    return zeroed.replace("00000000", f"{crc:08x}") + rest


# ---- check --accept-edit ---------------------------------------------------------------------------------


def test_an_edit_is_refused_then_accepted(run: Run, store: Path) -> None:
    compacted(store)
    store.write_text(store.read_text().replace('"task":"app.mail"', '"task":"app.post"'))
    assert run("check", store)[0] == 1
    assert "--accept-edit" in run("jobs", store)[2]
    status, out, _ = run("check", store, "--accept-edit")
    assert status == 0
    assert f"{store}: the edit was accepted: 6 jobs, now epoch 3; your file was kept as {store}.before-edit" in out
    assert f"{store}: sound" in out
    assert "app.post(1" in run("jobs", store)[1]


def test_where_nothing_was_edited_there_is_nothing_to_accept(run: Run, store: Path) -> None:
    status, out, _ = run("check", store, "--accept-edit")
    assert status == 0
    assert "the file was not edited" in out


def test_an_edit_that_is_wrong_is_refused_with_line_and_column(run: Run, store: Path) -> None:
    compacted(store)
    store.write_text(store.read_text().replace('"task":"app.mail"', '"task":app.mail"'))
    status, out, err = run("check", store, "--accept-edit")
    assert (status, out) == (2, "")
    assert re.search(rf"^hourwheel: {re.escape(str(store))}:\d+:\d+: Expecting value, found 'app.mail", err)


def test_accept_edit_can_answer_in_json(run: Run, store: Path) -> None:
    compacted(store)
    store.write_text(store.read_text().replace('"task":"app.mail"', '"task":"app.post"'))
    status, out, _ = run("check", store, "--accept-edit", "--json")
    assert (status, json.loads(out)["sound"]) == (0, True)


def test_a_copy_that_was_edited_somewhere_else_is_a_store_still(
    run: Run, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hourwheel.store.file.newest.SMALL", 2 << 20)
    copy = tmp_path / "elsewhere" / "copy.json"
    copy.parent.mkdir()
    copy.write_text(json.dumps(json.loads(compacted(store).read_text()), indent=4, sort_keys=True))
    assert run("check", copy, "--accept-edit")[0] == 0
    assert len(json.loads(run("jobs", copy, "--json")[1])) == 6


# ---- compact ---------------------------------------------------------------------------------------------


def test_compact_puts_every_job_into_the_file(run: Run, store: Path) -> None:
    assert '"id":"soon"' not in store.read_text()
    status, out, _ = run("compact", store)
    assert (status, out) == (0, f"{store}: all jobs are in the file itself now, one per line\n")
    assert len(re.findall(r'^\{"id":', store.read_text(), re.MULTILINE)) == 6


# ---- repair ----------------------------------------------------------------------------------------------


def test_a_sound_store_is_not_repaired(run: Run, store: Path) -> None:
    status, out, _ = run("repair", store)
    assert status == 0
    assert "sound, nothing to repair" in out
    assert not list(store.parent.glob("*.repaired*"))


def test_repair_says_what_was_kept_and_lost_and_what_to_do(run: Run, store: Path) -> None:
    at = damage(journal_of(store), b'"payload"', 40)
    before = files(store)
    status, out, _ = run("repair", store)
    assert status == 0
    assert files(store) == before
    assert f"damaged: {journal_of(store)}: byte {at}" in out
    assert "kept: " in out
    assert re.search(r"lost: .*job bad", out) or re.search(r"lost: .*1 recorded change", out)
    assert f"written: {store}.repaired" in out


def test_the_commands_that_repair_prints_put_the_new_store_into_place(run: Run, store: Path) -> None:
    damage(journal_of(store), b'"op":"settle"')
    out = run("repair", store)[1]
    commands = [line.strip() for line in out.splitlines() if line.startswith("  m")]
    assert len(commands) == 3
    subprocess.run(["sh", "-ec", "\n".join(commands)], check=True, cwd="/")
    assert run("check", store)[0] == 0
    assert len(json.loads(run("jobs", store, "--json")[1])) == 6


def test_a_flipped_bit_is_mended_and_nothing_is_lost(run: Run, store: Path) -> None:
    journal = journal_of(store)
    data = bytearray(journal.read_bytes())
    data[data.index(b'"op":"settle"') + 8] ^= 2
    journal.write_bytes(data)
    status, out, _ = run("repair", store)
    assert status == 0
    assert "mended: " in out
    assert "one bit was flipped" in out
    assert "lost: nothing" in out


def test_repair_json(run: Run, store: Path) -> None:
    at = damage(journal_of(store), b'"op":"settle"')
    told = json.loads(run("repair", store, "--json", "--output", "new.json")[1])
    assert told["output"] == str(store.parent / "new.json")
    assert told["kept"]["accepted"] == 6
    assert (told["lost"], told["lost_jobs"], told["violations"]) == (True, {}, [])
    assert [(d["offset"], d["kind"]) for d in told["damages"]] == [(at, "damaged")]
    assert len(told["lost_changes"]) == 1


def test_repair_does_not_overwrite(run: Run, store: Path) -> None:
    damage(journal_of(store), b'"op":"settle"')
    run("repair", store)
    status, _, err = run("repair", store)
    assert status == 2
    assert "exists already; name another output" in err


def test_check_and_repair_find_the_store_of_an_app_that_cannot_open_it(run: Run, store: Path, module: str) -> None:
    damage(journal_of(store), b'"op":"settle"')
    assert run("check", "-A", module)[0] == 1
    assert run("repair", "-A", module)[0] == 0
    assert Path(f"{store}.repaired").exists()


def test_a_damaged_store_is_not_taken_for_a_missing_job(run: Run, store: Path) -> None:
    damage(journal_of(store), b'"op":"settle"')
    for words in (
        ("show", "soon", "--store", store),
        ("cancel", "soon", "--store", store),
        ("jobs", store),
        ("stats", store),
    ):
        status, out, err = run(*words)
        assert (status, out) == (2, "")
        assert re.search(r"damaged at byte \d+: .*; nothing was changed, see `hourwheel repair`", err)


def test_the_commands_work_where_the_snapshot_is_missing_and_the_path_is_odd(run: Run, store: Path) -> None:
    odd = store.parent / "a [b] 'c'"
    odd.mkdir()
    for path in store.parent.glob("tasks.json.*"):
        path.rename(odd / path.name)
    out = run("repair", odd / "tasks.json")[1]
    commands = [line.strip() for line in out.splitlines() if line.startswith("  m")]
    subprocess.run(["sh", "-ec", "\n".join(commands)], check=True, cwd="/")
    assert run("check", odd / "tasks.json")[0] == 0


@pytest.mark.parametrize("command", ["check", "repair"])
def test_a_store_without_its_snapshot_is_damaged_and_not_missing(run: Run, store: Path, command: str) -> None:
    store.unlink()
    status, out, _ = run(command, store)
    assert "the snapshot is missing" in out
    assert status == (1 if command == "check" else 0)
