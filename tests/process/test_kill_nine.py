"""A producer that is killed with -9 in the middle of its calls: what was acknowledged is there, nothing else is."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hourwheel.store import JsonStore

PRODUCER = """
import sys
from hourwheel.store import JsonStore
from hourwheel.job import Job, Succeeded
from hourwheel.turn import effects
store = JsonStore(sys.argv[1], durability=sys.argv[2])
store._keeper.newest.epoch.most = 3000  # so that the kill meets compactions, too
number = int(sys.argv[3])
while True:
    name = f"job-{number}"
    print("issued", name, flush=True)
    payload = '[["%s"],{}]' % ("x" * (number * 37 % 300))
    store.add([Job(id=name, task="t", due_ms=number, payload=payload, result_ttl_ms=1 << 50)], 0)
    print("added", name, flush=True)
    if number % 3 == 0:
        (claim,) = store.claim("producer", 1 << 40, 1)
        print("claimed", claim.job.id, claim.token, flush=True)
        store.settle(effects([(claim, Succeeded())]), 1)
        print("settled", claim.job.id, flush=True)
    if number % 20 == 0:
        store._keeper._compactor.soon()
    number += 1
"""


@pytest.mark.parametrize("durability", ["os", "sync"])
def test_what_was_acknowledged_before_a_kill_is_there_and_nothing_was_invented(tmp_path: Path, durability: str) -> None:
    path, program = tmp_path / "tasks.json", tmp_path / "producer.py"
    program.write_text(PRODUCER)
    choose = random.Random(durability)
    issued: set[str] = set()
    added: set[str] = set()
    settled: set[str] = set()
    tokens: list[int] = []
    for _ in range(12):
        with subprocess.Popen(
            [sys.executable, program, path, durability, str(len(issued))], stdout=subprocess.PIPE, text=True
        ) as producer:
            assert producer.stdout is not None
            lines = [producer.stdout.readline() for _ in range(choose.randrange(1, 120))]
            producer.kill()
            lines += producer.stdout.readlines()
        for line in lines:
            if not line.endswith("\n"):
                continue
            verb, name, *rest = line.split()
            {"issued": issued, "added": added, "settled": settled}.get(verb, set()).add(name)
            tokens += [int(token) for token in rest]
        store = JsonStore(path, durability=durability)  # type: ignore[arg-type]
        assert store.check() == []
        held = {job.id: job for job in store.scan(limit=100_000)}
        assert added <= set(held), "lost"
        assert set(held) <= issued, "invented"
        assert all(held[name].finished for name in settled if name in held), "a settled job came back"
        store.close()
    assert len(added) > 100 and len(settled) > 20
    assert tokens == sorted(set(tokens)), "a token was given twice"
