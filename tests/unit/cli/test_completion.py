"""``hourwheel completion``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hourwheel.cli.program import COMMANDS

from .conftest import Run

BASH = """
source completion.sh
COMP_WORDS=(%s)
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_shtab_hourwheel
printf '%%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("hourwheel re", {"retry", "repair", "reschedule", "resume"}),
        ("hourwheel jobs --e", {"--error"}),
        ("hourwheel retry --dr", {"--dry-run"}),
        ("hourwheel jobs --state fa", {"failed"}),
        ("hourwheel worker -P thr", {"threads"}),
        ("hourwheel worker --loglevel wa", {"warning"}),
        ("hourwheel jobs tas", {"tasks.json"}),
        ("hourwheel cancel --store tas", {"tasks.json"}),
        ("hourwheel completion z", {"zsh"}),
    ],
)
def test_bash_completes(run: Run, tmp_path: Path, typed: str, wanted: set[str]) -> None:
    (tmp_path / "tasks.json").touch()
    status, out, err = run("completion", "bash")
    assert (status, err) == (0, "")
    (tmp_path / "completion.sh").write_text(out)
    words = " ".join(f"'{word}'" for word in typed.split(" "))
    ended = subprocess.run(["bash", "-c", BASH % words], capture_output=True, text=True, check=True)
    assert wanted <= set(ended.stdout.split())
    assert ended.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh", "fish"])
def test_each_shell_has_a_script_with_every_command(run: Run, shell: str) -> None:
    import shtab

    status, out, err = run("completion", shell)
    if shell not in shtab.SUPPORTED_SHELLS:
        assert (status, "pip install --upgrade shtab" in err) == (2, True)
        return
    assert (status, err) == (0, "")
    assert all(command.name in out for command in COMMANDS)


def test_what_is_missing_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    told = "hourwheel: completion needs shtab: pip install 'hourwheel[completion]'\n"
    assert run("completion", "bash") == (2, "", told)


def test_to_complete_states_is_not_to_take_fewer(run: Run, store: Path) -> None:
    """The script is made from the parser, whose choices must not change for good."""
    run("completion", "bash")
    assert run("jobs", store, "--state", "failed,succeeded")[0] == 0
