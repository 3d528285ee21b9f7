#!/usr/bin/env python3
"""Drives the site against two databases and compares.

    run.py migrate --dsn DSN
        Runs the site's own migrations, directly on a database.

    run.py compare --direct DSN --proxy DSN --database-direct DSN --profile TABLE
        Goes through the same flows on a plain database (--direct) and through pgveil on a
        protected one (--proxy), with every driver, and compares the answers; then reads the
        protected database itself (--database-direct) and opens its tokens, those of the profile
        included, with Python's `cryptography`. MESSAGE_ENCRYPTION_KEY has the keys.

    run.py accounts --direct DSN --proxy DSN
        The same with the tables of django-allauth. ALLAUTH is set, for this and for migrate.

    run.py introspect --plain DSN --direct DSN --proxy DSN
        Compares what tools read of a schema: through pgveil, in the protected database itself
        (--direct), and in a plain one.

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


def output(*command):
    done = python("postgresql://nobody@nowhere/nothing", *command)
    if done.returncode != 0:
        sys.exit(f"{command} failed")
    return done.stdout


def same(what, direct, proxy):
    """Shows where two texts differ; the number of places."""
    lines = [text.splitlines() for text in (direct, proxy)]
    different = list(difflib.unified_diff(*lines, "direct", "proxy", lineterm="", n=2))
    print("\n".join(different))
    print(f"{what}: {len(lines[0])} lines, {'different' if different else 'the same'}")
    return len(different)


def introspect(plain, direct, proxy):
    """Catalog queries show what is there. Where a tool looks at the columns of a query, as
    inspectdb does, it finds the application's own types; only the collation comes from the
    catalog."""
    found = [output("introspect.py", "sqlalchemy", dsn) for dsn in (direct, proxy)]
    wrong = same("SQLAlchemy's inspector", *found)
    for physical in ['"C"', "pgveil_guard_email", "sealed_profile"]:
        if physical not in found[1]:
            print(f"{physical} is not in what is read through pgveil")
            wrong += 1
    models, sealed = [output("introspect.py", "inspectdb", dsn) for dsn in (plain, proxy)]
    classes = sealed.replace(", db_collation='C'", "").split("\n\n\n")
    sealed = "\n\n\n".join(c for c in classes if not c.startswith("class SealedProfile"))
    return wrong + same("inspectdb", models, sealed)


def accounts(direct, proxy):
    """The flows with django-allauth's tables on both."""
    answers = []
    for dsn in (direct, proxy):
        done = python(dsn, "accounts.py")
        if done.returncode != 0:
            sys.exit(f"the flows failed on {dsn}")
        answers.append(json.loads(done.stdout))
    texts = [
        "\n".join(json.dumps(answer, ensure_ascii=False) for answer in side) for side in answers
    ]
    return same("accounts", *texts)


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
    for name in ["accounts", "introspect"]:
        both = commands.add_parser(name)
        both.add_argument("--direct", required=True)
        both.add_argument("--proxy", required=True)
        if name == "introspect":
            both.add_argument("--plain", required=True)
    arguments = parser.parse_args()
    if arguments.command == "accounts":
        sys.exit(1 if accounts(arguments.direct, arguments.proxy) else 0)
    if arguments.command == "introspect":
        wrong = introspect(arguments.plain, arguments.direct, arguments.proxy)
        sys.exit(1 if wrong else 0)
    if arguments.command == "migrate":
        sys.exit(migrate(arguments.dsn))
    wrong = compare_answers(arguments.direct, arguments.proxy)
    wrong += check_tokens(arguments.direct, arguments.database_direct, arguments.profile)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
