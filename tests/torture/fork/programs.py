"""Programs that use processes as programs do: a script of their own, imported again by the processes that they start."""

from __future__ import annotations

MULTIPROCESSING = """
import multiprocessing, os, signal, sys, threading, time
from concurrent.futures import ProcessPoolExecutor
from tests.torture.fork.site import Site

site = Site(sys.argv[1], durability="os")  # a spawned process imports this module, and then has one, too
app, way = site.app, sys.argv[2]

def helper(number):
    site.add()
    return number

@app.task(name="process")
def process():
    one = multiprocessing.get_context(way).Process(target=helper, args=(1,))
    one.start()
    one.join()
    while one.exitcode is None:  # CPython: another thread's multiprocessing has reaped it, and is about to say so
        time.sleep(0.001)
    return 7 if one.exitcode == 0 else one.exitcode

@app.task(name="pool")
def pool():
    with multiprocessing.get_context(way).Pool(2) as helpers:
        result = sum(helpers.map(helper, range(4)))
        helpers.apply_async(time.sleep, (60,))
        return result  # leaving the block ends the helpers by SIGTERM

@app.task(name="executor")
def executor():
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(way)) as helpers:
        return sum(helpers.map(helper, range(5)))

def wait_and_stop():
    results = [task.delay() for task in (process, pool, executor)]
    print(*(result.get(timeout=50) for result in results), flush=True)
    while (stats := app.store.stats(0)).scheduled or stats.running:  # what is not begun would go back to the ring
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)

if __name__ == "__main__":
    threading.Thread(target=wait_and_stop, daemon=True).start()
    left = app.run(timeout=10)
    sys.exit(len(left))
"""

RELOADED = """
import os, subprocess, sys, time
from tests.torture.fork.site import Site

site = Site(sys.argv[1], durability="os")
site.app.start()  # when it is imported, in whichever process

def serve():
    for _ in range(40):
        site.add()
    time.sleep(0.05)
    os._exit(3)  # reload, as werkzeug and django do it: without any ado

def watch(times):
    for _ in range(times + 1):
        status = subprocess.call([sys.executable, *sys.argv], env=os.environ | {"RUN_MAIN": "true"})
        assert status == 3, status
    site.app.stop()

if os.environ.get("RUN_MAIN") == "true":
    serve()
else:
    watch(int(sys.argv[2]))
"""
