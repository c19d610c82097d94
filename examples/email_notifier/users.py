"""The table of users. SQLite stands in for the database of your web application."""

import os
import sqlite3

TABLE = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT)"


def database() -> sqlite3.Connection:
    return sqlite3.connect(os.environ["USERS"], isolation_level=None)


def create(count: int) -> list[int]:
    people = [(id, f"User {id}", f"user{id}@example.org") for id in range(1, count + 1)]
    with database() as connection:
        connection.execute(TABLE)
        connection.executemany("INSERT INTO users VALUES (?, ?, ?)", people)
    connection.close()
    return [id for id, _, _ in people]


def find(id: int) -> tuple[str, str]:
    connection = database()
    name, email = connection.execute("SELECT name, email FROM users WHERE id = ?", (id,)).fetchone()
    connection.close()
    return name, email


def moved(id: int, email: str) -> None:
    connection = database()
    connection.execute("UPDATE users SET email = ? WHERE id = ?", (email, id))
    connection.close()
