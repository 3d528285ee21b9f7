#!/usr/bin/env python3
"""What a statement costs: the same point select and insert directly, through PgBouncer, through
pgveil untouched (a table it does not protect) and sealed, and with the server's own `pgcrypto`, with
pgbench on one machine.

    cargo build --release -p pgveil
    python3 tests/bench/cost.py [--seconds 5] [--rounds 3] [--durable]

Needs PostgreSQL's binaries (initdb, postgres, psql, pgbench) and, for its column, pgbouncer. The
targets take turns, round by round, so that a machine that changes its speed changes it for all;
ratios are medians over the rounds, against the direct connection of the same round, and in the last
columns of the sealed table against the untouched one and against `pgcrypto`.

The server runs without fsync, which shows the work and hides the disk; `--durable` leaves its
defaults.
"""

import argparse
import contextlib
import os
import pathlib
import pwd
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROWS = 10_000

SCHEMA = """
CREATE TABLE {name} (id serial PRIMARY KEY, email varchar(254) NOT NULL UNIQUE,
                     first_name varchar(150) NOT NULL, note text NOT NULL DEFAULT '');
"""

CONFIG = """
listen = ["127.0.0.1:{port}"]

[server]
address = "127.0.0.1:{server}"

[[policy]]
name = "bench"
builtin = "user-profile"

[[policy.config.tables]]
schema = "public"
table = "sealed"
columns = [
    {{ column = "email", mode = "deterministic", domain = "email" }},
    {{ column = "first_name", mode = "randomized" }},
]

[log]
filter = "warn"
"""

SELECT = """\\set n random(1, {rows})
SELECT id, email, first_name FROM {table} WHERE id = :n;
"""

LOOKUP = """SELECT id, email, first_name FROM {table} WHERE email = :email;
"""

INSERT = """INSERT INTO {table} (email, first_name, note) VALUES (:email, :name, 'x');
"""


# What pgcrypto needs for the same: authenticated encryption of both columns (OpenPGP), and a keyed
# hash beside the address to look it up by.
CRYPTO_SCHEMA = """
CREATE EXTENSION pgcrypto;
CREATE TABLE crypto (id serial PRIMARY KEY, email bytea NOT NULL, email_hash bytea NOT NULL UNIQUE,
                     first_name bytea NOT NULL, note text NOT NULL DEFAULT '');
"""

CRYPTO_COLUMNS = ("id, pgp_sym_decrypt(email, 'the key') AS email, "
                  "pgp_sym_decrypt(first_name, 'the key') AS first_name")

CRYPTO_SELECT = f"""\\set n random(1, {{rows}})
SELECT {CRYPTO_COLUMNS} FROM crypto WHERE id = :n;
"""

CRYPTO_LOOKUP = f"""SELECT {CRYPTO_COLUMNS} FROM crypto
WHERE email_hash = hmac(:email, 'the key', 'sha256');
"""

CRYPTO_INSERT = """INSERT INTO crypto (email, email_hash, first_name, note)
VALUES (pgp_sym_encrypt(:email, 'the key'), hmac(:email, 'the key', 'sha256'),
        pgp_sym_encrypt(:name, 'the key'), 'x');
"""

CRYPTO = {SELECT: CRYPTO_SELECT, LOOKUP: CRYPTO_LOOKUP, INSERT: CRYPTO_INSERT}


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def binaries():
    found = os.environ.get("PGVEIL_PG_BIN")
    candidates = [found] if found else sorted(
        map(str, pathlib.Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    for directory in candidates:
        if all(shutil.which(name, path=directory) for name in ("initdb", "postgres", "pgbench")):
            return directory
    sys.exit("no PostgreSQL binaries: set PGVEIL_PG_BIN to the directory with initdb and pgbench")


def as_user():
    """Servers refuse to run as root."""
    if os.getuid() != 0:
        return {}
    account = pwd.getpwnam("postgres")
    return {"user": account.pw_uid, "group": account.pw_gid}


def wait_for(port, log):
    for _ in range(300):
        with contextlib.suppress(OSError), contextlib.closing(
                socket.create_connection(("127.0.0.1", port), 1)):
            return
        time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}:\n{pathlib.Path(log).read_text()}")


class Bench:
    def __init__(self, directory, seconds, clients, durable):
        self.directory = pathlib.Path(directory)
        self.durable = durable
        self.seconds = seconds
        self.clients = clients
        self.bin = binaries()
        self.processes = []
        self.ports = {}

    def start(self, command, port, **more):
        path = self.directory / f"{pathlib.Path(command[0]).name}.log"
        with open(path, "wb") as log:
            self.processes.append(
                subprocess.Popen(command, stdout=log, stderr=log, cwd=self.directory, **more))
        wait_for(port, path)

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)

    def psql(self, port, sql):
        subprocess.run(
            [f"{self.bin}/psql", "-qX", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p",
             str(port), "-U", "postgres", "-d", "bench"],
            input=sql, text=True, check=True, stdout=subprocess.DEVNULL)

    def set_up(self):
        data = self.directory / "data"
        subprocess.run([f"{self.bin}/initdb", "-D", data, "-A", "trust", "-U", "postgres",
                        "--no-locale", "-E", "UTF8"], check=True, stdout=subprocess.DEVNULL,
                       **as_user())
        server = free_port()
        settings = ["listen_addresses=127.0.0.1", "max_connections=200"]
        if not self.durable:
            settings += ["fsync=off", "synchronous_commit=off"]
        self.start([f"{self.bin}/postgres", "-D", str(data), "-p", str(server), "-k", ""]
                   + [word for setting in settings for word in ("-c", setting)],
                   server, **as_user())
        subprocess.run([f"{self.bin}/createdb", "-h", "127.0.0.1", "-p", str(server), "-U",
                        "postgres", "bench"], check=True)
        self.ports["direct"] = self.ports["pgcrypto"] = server
        self.psql(server, SCHEMA.format(name="plain") + SCHEMA.format(name="sealed") + CRYPTO_SCHEMA)

        veil = ROOT / "target/release/pgveil"
        if not veil.exists():
            sys.exit("build it first: cargo build --release -p pgveil")
        port = free_port()
        config = self.directory / "pgveil.toml"
        config.write_text(CONFIG.format(port=port, server=server))
        key = subprocess.run([veil, "keygen"], check=True, capture_output=True, text=True)
        environment = {**os.environ, "MESSAGE_ENCRYPTION_KEY": key.stdout.strip()}
        subprocess.run(
            [veil, "migrate", "apply", "--yes", "--config", config, "--dsn",
             f"postgresql://postgres@127.0.0.1:{server}/bench"],
            check=True, stdout=subprocess.DEVNULL, env=environment)
        self.start([str(veil), "serve", "--config", str(config)], port, env=environment)
        self.ports["untouched"] = self.ports["sealed"] = port

        if bouncer := shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin"):
            port = free_port()
            ini = self.directory / "pgbouncer.ini"
            ini.write_text(f"""[databases]
bench = host=127.0.0.1 port={server} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = session
default_pool_size = 50
logfile = {self.directory}/pgbouncer-own.log
""")
            os.chmod(self.directory, 0o777)
            self.start([bouncer, str(ini)], port, **as_user())
            self.ports["pgbouncer"] = port

        rows = ",\n".join(f"('person-{n}@example.org', 'First{n}', 'note')"
                          for n in range(1, ROWS + 1))
        for table in ("plain", "sealed"):
            self.psql(self.ports["sealed"],
                      f"INSERT INTO {table} (email, first_name, note) VALUES {rows};")
        self.psql(server, "INSERT INTO crypto (email, email_hash, first_name, note) SELECT "
                  "pgp_sym_encrypt(email, 'the key'), hmac(email, 'the key', 'sha256'), "
                  "pgp_sym_encrypt(first_name, 'the key'), note FROM plain ORDER BY id;")
        self.psql(server, "VACUUM ANALYZE")

    def rate(self, target, script, mode):
        table = "sealed" if target == "sealed" else "plain"
        path = self.directory / "script.sql"
        script = CRYPTO[script] if target == "pgcrypto" else script
        path.write_text(script.format(table=table, rows=ROWS))
        command = [f"{self.bin}/pgbench", "-n", "-f", str(path), "-M", mode, "-c",
                   str(self.clients), "-j", "1", "-T", str(self.seconds), "-h", "127.0.0.1", "-p",
                   str(self.ports[target]), "-U", "postgres", "-D",
                   "email='person-77@example.org'" if mode == "simple"
                   else "email=person-77@example.org", "-D",
                   "name='Ann'" if mode == "simple" else "name=Ann", "bench"]
        result = subprocess.run(command, capture_output=True, text=True)
        found = re.search(r"tps = ([0-9.]+)", result.stdout)
        if result.returncode or not found:
            sys.exit(f"pgbench failed for {target}:\n{result.stdout}{result.stderr}")
        return float(found.group(1))


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seconds", type=int, default=5, help="of each run")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--clients", type=int, default=1)
    options.add_argument("--durable", action="store_true", help="with fsync, as servers run")
    chosen = options.parse_args()
    directory = tempfile.mkdtemp(prefix="pgveil-bench-")
    if os.getuid() == 0:
        os.chown(directory, *as_user().values())
        os.chmod(directory, 0o777)
    bench = Bench(directory, chosen.seconds, chosen.clients, chosen.durable)
    try:
        bench.set_up()
        targets = [t for t in ("direct", "pgbouncer", "untouched", "sealed", "pgcrypto") if t in bench.ports]
        against = [t for t in ("untouched", "pgcrypto") if t in bench.ports]
        print(f"{'':<28}" + "".join(f"{target:>20}" for target in targets)
              + "".join(f"{'sealed/' + target:>18}" for target in against))
        scripts = [("select by id", SELECT), ("select by e-mail", LOOKUP), ("insert", INSERT)]
        for name, script in scripts:
            for mode in ("simple", "extended", "prepared"):
                rates = {target: [] for target in targets}
                for _ in range(chosen.rounds):
                    for target in targets:
                        if name == "insert":
                            # E-mails repeat: the index that forbids it is not what is measured.
                            bench.psql(bench.ports["direct"],
                                       "ALTER TABLE plain DROP CONSTRAINT IF EXISTS plain_email_key;"
                                       "ALTER TABLE sealed DROP CONSTRAINT IF EXISTS sealed_email_key;"
                                       "ALTER TABLE crypto DROP CONSTRAINT IF EXISTS "
                                       "crypto_email_hash_key;")
                        rates[target].append(bench.rate(target, script, mode))
                cells, ratios = [], []
                for target in targets:
                    ratio = statistics.median(
                        rate / direct for rate, direct in zip(rates[target], rates["direct"]))
                    cells.append(f"{statistics.median(rates[target]):>11,.0f}/s {ratio:>6.2f}")
                for target in against:
                    ratio = statistics.median(
                        sealed / other for sealed, other in zip(rates["sealed"], rates[target]))
                    ratios.append(f"{ratio:>18.2f}")
                print(f"{name + ', ' + mode:<28}" + "".join(f"{cell:>20}" for cell in cells)
                      + "".join(ratios),
                      flush=True)
    finally:
        bench.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
