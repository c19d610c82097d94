"""A FastAPI app whose requests add jobs. The scheduler starts and stops with the app.

pip install fastapi uvicorn
uvicorn --app-dir examples fastapi_app:web --workers 4

POST /numbers         squares a random number in the background; the response has the job's id
GET  /jobs/{id}       the job's state and result
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException
from hourwheel import Scheduler

app = Scheduler(os.environ.get("HOURWHEEL_STORE", "tasks.json"))


@app.task
async def square(number: int) -> int:
    await asyncio.sleep(0.2)
    return number * number


@asynccontextmanager
async def life(_: FastAPI) -> AsyncIterator[None]:
    app.start()
    yield
    await asyncio.to_thread(app.stop, 10)


web = FastAPI(lifespan=life)


@web.post("/numbers", status_code=202)
def numbers() -> dict[str, object]:  # not async, so FastAPI runs it in a thread: delay() writes to the disk
    number = random.randrange(1000)
    return {"id": square.delay(number).id, "number": number}


@web.get("/jobs/{id}")
def job(id: str) -> dict[str, object]:
    found = app.AsyncResult(id).job()
    if found is None:
        raise HTTPException(404, "no such job")
    return {"id": found.id, "state": found.state, "result": found.result}
