#!/usr/bin/env python3
"""Drives the site against two databases and compares.

    run.py migrate --dsn DSN
        Runs the site's own migrations, directly on a database.

    run.py compare --direct DSN --proxy DSN --database-direct DSN --profile TABLE
        Goes through the same flows on a plain database (--direct) and through pgveil on a
        protected one (--proxy), with every driver, and compares the answers; then reads the
        protected database itself (--database-direct) and opens its tokens, those of the profile
        included, with Python's `cryptography`. MESSAGE_ENCRYPTION_KEY has the keys.

Both databases must be freshly migrated. Ends with 1 and a diff where anything differs.
"""

import argparse
import difflib
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PERSONAL = ["email", "first_name", "last_name"]

# name, prefix of everything the flows make, environment
DRIVERS = [
    ("psycopg 3, client-side binding", "c3", {}),
    ("psycopg 3, server-side binding", "s3", {"SERVER_SIDE_BINDING": "1"}),
    ("psycopg 2", "p2", {"DRIVER": "psycopg2"}),
]


def python(dsn, *arguments, **environment):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=HERE,
        env=os.environ | environment | {"DATABASE_URL": dsn, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )


def migrate(dsn):
    done = python(dsn, "manage.py", "migrate", "--verbosity", "0")
    return done.returncode


def flows(dsn, prefix, environment):
    done = python(dsn, "flows.py", prefix, **environment)
    if done.returncode != 0:
        sys.exit(f"the flows failed on {dsn}")
    return json.loads(done.stdout)


def compare_answers(direct, proxy):
    """Every driver's flows on both; the number of answers that differ."""
    different = 0
    for name, prefix, environment in DRIVERS:
        plain = flows(direct, prefix, environment)
        sealed = flows(proxy, prefix, environment)
        bad = [pair for pair in zip(plain, sealed) if pair[0] != pair[1]]
        different += len(bad) + abs(len(plain) - len(sealed))
        for one, other in bad:
            lines = [json.dumps(x, ensure_ascii=False, indent=1).splitlines() for x in (one, other)]
            print("\n".join(difflib.unified_diff(*lines, "direct", "proxy", lineterm="", n=2)))
        print(f"{name}: {len(plain)} answers, {len(bad)} different")
    return different


def check_tokens(direct, protected, profile):
    """Opens what the database holds; the number of values that are not what the plain one has."""
    import psycopg
    from cryptography.fernet import Fernet, MultiFernet

    keys = os.environ["MESSAGE_ENCRYPTION_KEY"].split(",")
    fernet = MultiFernet([Fernet(key.strip()) for key in keys])
    columns = ", ".join(PERSONAL)
    copies = ", ".join(f"p.encrypted_{column}" for column in PERSONAL)
    with psycopg.connect(direct) as connection:
        plain = connection.execute(f"SELECT id, {columns} FROM auth_user ORDER BY id").fetchall()
    with psycopg.connect(protected) as connection:
        sealed = connection.execute(
            f"SELECT id, {columns} FROM auth_user ORDER BY id").fetchall()
        copied = connection.execute(
            f"SELECT u.id, {copies} FROM auth_user u LEFT JOIN {profile} p ON p.user_id = u.id"
            " ORDER BY u.id").fetchall()
        has_profile = {user for (user,) in connection.execute(f"SELECT user_id FROM {profile}")}
    wrong = 0
    opened = 0
    if len(plain) != len(sealed):
        print(f"{len(plain)} rows in the plain database, {len(sealed)} in the protected one")
        wrong += 1
    for what, rows in [("auth_user", sealed), (profile, copied)]:
        for row, expected in zip(rows, plain):
            if what != "auth_user" and row[0] not in has_profile:
                continue
            for column, token, value in zip(PERSONAL, row[1:], expected[1:]):
                opened += 1
                try:
                    found = fernet.decrypt(token.encode()).decode()
                except Exception as error:  # noqa: BLE001 (whatever it is, the token is wrong)
                    found = f"{type(error).__name__}"
                if row[0] != expected[0] or found != value:
                    wrong += 1
                    print(f"{what} {row[0]} {column}: {found!r} instead of {value!r}")
    print(f"{opened} tokens of {len(sealed)} users and {len(has_profile)} profiles opened with"
          f" cryptography, {wrong} wrong")
    if not has_profile or not opened:
        print("there is nothing to open")
        wrong += 1
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    migrating = commands.add_parser("migrate")
    migrating.add_argument("--dsn", required=True)
    comparing = commands.add_parser("compare")
    comparing.add_argument("--direct", required=True)
    comparing.add_argument("--proxy", required=True)
    comparing.add_argument("--database-direct", required=True)
    comparing.add_argument("--profile", default="web_profile")
    arguments = parser.parse_args()
    if arguments.command == "migrate":
        sys.exit(migrate(arguments.dsn))
    wrong = compare_answers(arguments.direct, arguments.proxy)
    wrong += check_tokens(arguments.direct, arguments.database_direct, arguments.profile)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
