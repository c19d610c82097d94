"""Extract, transform, load: chains of groups, immutable signatures, partials, maps and chunks."""

from celery import Celery, chain, chord, group, signature
from celery.contrib.testing.worker import start_worker

app = Celery("etl", broker="memory://", backend="cache+memory://")


@app.task
def extract(source):
    return list(range(source))


@app.task
def double(rows):
    return [2 * row for row in rows]


@app.task
def add(x, y):
    return x + y


@app.task
def load(*parts, table="facts"):
    return {"table": table, "rows": parts}


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def clean():
    return "clean"


def main():
    with start_worker(app, perform_ping_check=False):
        one = chain(extract.s(3), double.s(), load.s(table="numbers")).apply_async().get(timeout=90)
        two = (clean.si() | add.si(2, 3) | add.s(10)).apply_async().get(timeout=90)
        three = chain(group(add.s(n, n) for n in range(4)), total.s()).apply_async().get(timeout=90)
        four = chord((add.s(n, 1) for n in range(3)), total.s()).apply_async().get(timeout=90)
        five = add.chunks(zip(range(6), range(6)), 4).apply_async().get(timeout=90)
        six = group([chain(add.s(1, 1), add.s(5)), add.s(3, 3)]).apply_async().get(timeout=90)
        seven = signature("etl_chain.add", args=(2,), app=app).delay(4).get(timeout=90)
        eight = add.s(1).apply_async((41,)).get(timeout=90)
        nine = add.signature((4, 4), countdown=0.01).apply_async().get(timeout=90)
        ten = total.map([[1, 2], [3, 4]]).apply_async().get(timeout=90)
        eleven = add.starmap([(1, 2), (3, 4)]).apply_async().get(timeout=90)
        nested = chain(add.s(1, 2), group(add.s(1), add.s(2))).apply_async().get(timeout=90)
    return one, two, three, four, five, six, seven, eight, nine, ten, eleven, nested
