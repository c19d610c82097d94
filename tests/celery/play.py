"""Run a program that is written for Celery, under Celery or under Hourwheel, and print what it comes to as JSON.

    python run_program.py PROGRAM.py celery|hourwheel DIRECTORY

The program is the same but for its imports: ``from celery`` becomes ``from hourwheel.celery``.
"""

import json
import os
import re
import sys


def main() -> None:
    path, under, directory = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if under == "hourwheel":
        text = switched(text)
    os.chdir(directory)
    os.environ["HOURWHEEL_STORE"] = f"{directory}/tasks.json"
    name = os.path.basename(path)[:-3]
    with open(f"{directory}/{name}.py", "w", encoding="utf-8") as file:
        file.write(text)
    sys.path.insert(0, directory)
    program = __import__(name)
    print("OUTCOME", json.dumps(program.main(), sort_keys=True))


def switched(text: str) -> str:
    """The program with the line changed that switches it."""
    return re.sub(r"^(\s*)from celery", r"\1from hourwheel.celery", text, flags=re.MULTILINE)


if __name__ == "__main__":
    main()
