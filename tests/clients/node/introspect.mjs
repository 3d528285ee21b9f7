// Reads a schema with what mappers for Node read it with, and prints what they found.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

import knex from "knex";
import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { Sequelize } from "sequelize";
import { DataSource } from "typeorm";

const [dsn] = process.argv.slice(2);
const tables = ["auth_user", "contact", "newsletter_subscriber", "orders"];

async function typeorm() {
  const source = await new DataSource({ type: "postgres", url: dsn }).initialize();
  const runner = source.createQueryRunner();
  const found = await runner.getTables(tables.map((table) => `public.${table}`));
  const views = await runner.getViews([]);
  await source.destroy();
  return found.map(({ name, columns, indices, uniques, foreignKeys, checks }) => ({
    name,
    columns: columns.map(({ name, type, length, isNullable, default: value }) => ({ name, type, length, isNullable, value })),
    constraints: [...indices, ...uniques, ...foreignKeys, ...checks].map((c) => c.name).sort(),
  })).concat(views);
}

async function sequelize() {
  const connection = new Sequelize(dsn, { logging: false });
  const queries = connection.getQueryInterface();
  const found = { all: await queries.showAllTables() };
  for (const table of tables) {
    found[table] = {
      columns: await queries.describeTable(table),
      indexes: await queries.showIndex(table),
      references: await queries.getForeignKeyReferencesForTable(table),
    };
  }
  await connection.close();
  return found;
}

async function knexed() {
  const connection = knex({ client: "pg", connection: dsn });
  const found = {};
  for (const table of tables) {
    found[table] = [await connection.schema.hasTable(table), await connection(table).columnInfo()];
  }
  await connection.destroy();
  return found;
}

async function kysely() {
  const db = new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: dsn }) }) });
  const found = [await db.introspection.getSchemas(), await db.introspection.getTables()];
  await db.destroy();
  return found;
}

function drizzle() {
  const out = mkdtempSync(path.join(tmpdir(), "drizzle-"));
  const here = path.dirname(fileURLToPath(import.meta.url));
  const bin = path.join(here, "node_modules/drizzle-kit/bin.cjs");
  try {
    execFileSync(process.execPath, [bin, "introspect", "--dialect=postgresql", `--url=${dsn}`, `--out=${out}`], {
      stdio: ["ignore", "ignore", "inherit"],
      cwd: here,
    });
    return readdirSync(out).filter((file) => file.endsWith(".ts")).sort()
      .map((file) => readFileSync(path.join(out, file), "utf8"));
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

const found = {
  typeorm: await typeorm(), sequelize: await sequelize(), knex: await knexed(), kysely: await kysely(),
  drizzle: drizzle(),
};
console.log(JSON.stringify(found, null, 1));
