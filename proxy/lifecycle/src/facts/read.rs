//! The queries behind [`super::Facts`].

use pgveil_sql::physical::fill::KeyColumn;
use pgveil_sql::physical::{FoundTrigger, quote_name};
use pgveil_sql::protection::TableProtection;
use tokio_postgres::GenericClient;

use super::{
    Changes, Column, OwnFunction, OwnTrigger, Partition, Record, Refuse, Relation, Schema, Server,
    TableFacts, TokenDomain,
};

type Read<T> = Result<T, tokio_postgres::Error>;

/// Rights on single parameters exist since PostgreSQL 15.
const PARAMETER_RIGHTS: i32 = 150_000;

pub(super) async fn read_server(client: &impl GenericClient) -> Read<Server> {
    let row = client
        .query_one(
            "SELECT current_database()::text, current_setting('server_encoding'),
                    current_setting('server_version_num')::int,
                    EXISTS (SELECT FROM pg_language WHERE lanname = 'plpgsql'),
                    current_user::text,
                    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
                    has_database_privilege(current_database(), 'CREATE')",
            &[],
        )
        .await?;
    let (version, superuser): (i32, bool) = (row.get(2), row.get(5));
    let may_silence = superuser
        || version >= PARAMETER_RIGHTS
            && client
                .query_one(
                    "SELECT has_parameter_privilege('log_min_error_statement', 'SET')
                        AND has_parameter_privilege('log_error_verbosity', 'SET')",
                    &[],
                )
                .await?
                .get(0);
    Ok(Server {
        database: row.get(0),
        encoding: row.get(1),
        version,
        plpgsql: row.get(3),
        user: row.get(4),
        superuser,
        may_silence,
        may_create_schema: row.get(6),
    })
}

pub(super) async fn read_schema(client: &impl GenericClient, version: i32) -> Read<Schema> {
    let row = client
        .query_opt(
            "SELECT has_schema_privilege(n.oid, 'CREATE'),
                    c.oid IS NOT NULL,
                    COALESCE(has_table_privilege(c.oid, 'INSERT, UPDATE'), false),
                    EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid
                            AND a.attname = 'fold' AND NOT a.attisdropped),
                    EXISTS (SELECT FROM pg_class m WHERE m.relnamespace = n.oid
                            AND m.relname = 'case_maps' AND m.relkind = 'r'),
                    EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid
                            AND a.attname = 'collation' AND NOT a.attisdropped)
             FROM pg_namespace n
             LEFT JOIN pg_class c
               ON c.relnamespace = n.oid AND c.relname = 'columns' AND c.relkind = 'r'
             WHERE n.nspname = 'pgveil'",
            &[],
        )
        .await?;
    let Some(row) = row else {
        return Ok(Schema {
            exists: false,
            may_create: true,
            columns: false,
            fold_column: false,
            collation_column: false,
            case_maps: false,
            may_record: true,
            refuse: None,
            token: None,
            changes: None,
        });
    };
    let parameters = if version >= PARAMETER_RIGHTS {
        "has_parameter_privilege(r.oid, 'log_min_error_statement', 'SET')
           AND has_parameter_privilege(r.oid, 'log_error_verbosity', 'SET')"
    } else {
        "false"
    };
    let refuse = client
        .query_opt(
            &format!(
                "SELECT r.rolname::text, pg_has_role(r.oid, 'USAGE'), r.rolsuper OR {parameters},
                        p.prosrc, p.proconfig::text, p.prosecdef, p.provolatile = 'v'
                 FROM pg_proc p
                 JOIN pg_namespace n ON n.oid = p.pronamespace
                 JOIN pg_roles r ON r.oid = p.proowner
                 WHERE n.nspname = 'pgveil' AND p.proname = 'refuse' AND p.pronargs = 0"
            ),
            &[],
        )
        .await?;
    let token = client
        .query_opt(
            "SELECT pg_has_role(t.typowner, 'USAGE'),
                    ARRAY(SELECT k.conname::text FROM pg_constraint k WHERE k.contypid = t.oid),
                    t.typbasetype = 'text'::regtype AND l.collname = 'C'
                      AND l.collnamespace = 'pg_catalog'::regnamespace
                      AND (SELECT count(*) = 1
                             AND bool_and(k.convalidated
                               AND strpos(pg_get_constraintdef(k.oid), 'refuse()') > 0)
                           FROM pg_constraint k WHERE k.contypid = t.oid)
             FROM pg_type t
             JOIN pg_namespace n ON n.oid = t.typnamespace
             LEFT JOIN pg_collation l ON l.oid = t.typcollation
             WHERE n.nspname = 'pgveil' AND t.typname = 'token' AND t.typtype = 'd'",
            &[],
        )
        .await?;
    Ok(Schema {
        exists: true,
        may_create: row.get(0),
        columns: row.get(1),
        fold_column: row.get(3),
        collation_column: row.get(5),
        case_maps: row.get(4),
        may_record: row.get(2),
        refuse: refuse.map(|row| Refuse {
            owner: row.get(0),
            owned_by_us: row.get(1),
            owner_may_silence: row.get(2),
            body: row.get(3),
            config: row.get(4),
            security_definer: row.get(5),
            volatile: row.get(6),
        }),
        token: token.map(|row| TokenDomain {
            owned_by_us: row.get(0),
            constraints: row.get(1),
            sound: row.get(2),
        }),
        changes: read_changes(client).await?,
    })
}

async fn read_changes(client: &impl GenericClient) -> Read<Option<Changes>> {
    let row = client
        .query_opt(
            "SELECT r.rolname::text,
                    c.relrowsecurity AND NOT c.relforcerowsecurity
                      AND has_table_privilege('public', c.oid, 'SELECT')
                      AND NOT has_table_privilege('public', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
                      AND COALESCE((SELECT count(*) = 1 AND bool_and(p.polpermissive
                            AND p.polcmd = 'r' AND p.polroles = '{0}'
                            AND pg_get_expr(p.polqual, p.polrelid) LIKE
                              '%has_column_privilege(%) AND (NOT row_security_active(relation))%')
                          FROM pg_policy p WHERE p.polrelid = c.oid), false)
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_roles r ON r.oid = c.relowner
             WHERE n.nspname = 'pgveil' AND c.relname = 'changes' AND c.relkind = 'r'",
            &[],
        )
        .await?;
    Ok(row.map(|row| Changes { owner: row.get(0), secure: row.get(1) }))
}

pub(super) async fn read_records(
    client: &impl GenericClient,
    schema: &Schema,
) -> Read<Vec<Record>> {
    let fold = if schema.fold_column { "fold" } else { "NULL::text" };
    let collation = if schema.collation_column { "\"collation\"" } else { "NULL::text" };
    let rows = client
        .query(
            &format!(
                "SELECT relation::oid, relation::text, column_name::text, policy, mode, domain,
                        keyring, key_id, key_check, stage, {fold}, {collation}
                 FROM pgveil.columns ORDER BY relation::oid, column_name"
            ),
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Record {
            relation: row.get(0),
            relation_name: row.get(1),
            column: row.get(2),
            policy: row.get(3),
            mode: row.get(4),
            domain: row.get(5),
            keyring: row.get(6),
            key_id: row.get(7),
            key_check: row.get(8),
            sealed: row.get::<_, &str>(9) == "sealed",
            fold: row.get(10),
            collation: row.get(11),
        })
        .collect())
}

pub(super) async fn read_table(
    client: &impl GenericClient,
    table: &TableProtection,
) -> Read<TableFacts> {
    let base = read_relation(client, &table.schema, &table.table).await?;
    let (profile, profile_schema) = match &table.profile {
        None => (None, true),
        Some(profile) => {
            let schema = client
                .query_one(
                    "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)",
                    &[&profile.schema],
                )
                .await?
                .get(0);
            (read_relation(client, &profile.schema, &profile.table).await?, schema)
        }
    };
    Ok(TableFacts { base, profile, profile_schema })
}

async fn read_relation(
    client: &impl GenericClient,
    schema: &str,
    name: &str,
) -> Read<Option<Relation>> {
    let Some(row) = client
        .query_opt(
            "SELECT c.oid, c.relkind::text, c.relpersistence = 't', r.rolname::text,
                    c.relrowsecurity AND c.relforcerowsecurity
                      AND NOT (r.rolsuper OR r.rolbypassrls),
                    c.relispartition,
                    EXISTS (SELECT FROM pg_inherits i
                            JOIN pg_class k ON k.oid = i.inhrelid AND NOT k.relispartition
                            WHERE c.oid IN (i.inhrelid, i.inhparent)),
                    c.reloftype <> 0, obj_description(c.oid, 'pg_class')
             FROM pg_class c
             JOIN pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_roles r ON r.oid = c.relowner
             WHERE n.nspname = $1 AND c.relname = $2",
            &[&schema, &name],
        )
        .await?
    else {
        return Ok(None);
    };
    let (oid, kind): (u32, String) = (row.get(0), row.get(1));
    let is_table = matches!(kind.as_str(), "r" | "p");
    // Whether the role may read the table is found out here, before anything changes.
    let has_rows = is_table
        && client
            .query_one(&format!("SELECT EXISTS (SELECT FROM {})", quote_name(schema, name)), &[])
            .await?
            .get(0);
    let partition_rows = client
        .query(
            "WITH RECURSIVE t AS (
               SELECT inhrelid FROM pg_inherits WHERE inhparent = $1
               UNION ALL SELECT i.inhrelid FROM pg_inherits i JOIN t ON i.inhparent = t.inhrelid)
             SELECT c.oid, n.nspname::text, c.relname::text, c.relkind = 'f'
             FROM t JOIN pg_class c ON c.oid = t.inhrelid AND c.relispartition
             JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 2, 3",
            &[&oid],
        )
        .await?;
    let mut partitions = Vec::new();
    for p in &partition_rows {
        let oid = p.get(0);
        partitions.push(Partition {
            oid,
            schema: p.get(1),
            name: p.get(2),
            foreign: p.get(3),
            columns: read_columns(client, oid).await?,
        });
    }
    let guards = client
        .query(
            "SELECT conname::text, convalidated FROM pg_constraint
             WHERE conrelid = $1 AND contype = 'c' AND starts_with(conname, 'pgveil_guard_')
               AND position('token IS NULL) IS NOT NULL' IN pg_get_constraintdef(oid)) > 0
             ORDER BY 1",
            &[&oid],
        )
        .await?;
    Ok(Some(Relation {
        oid,
        schema: schema.to_owned(),
        name: name.to_owned(),
        kind,
        temporary: row.get(2),
        owner: row.get(3),
        owner_restricted: row.get(4),
        is_partition: row.get(5),
        inherits: row.get(6),
        typed: row.get(7),
        has_rows,
        comment: row.get(8),
        columns: read_columns(client, oid).await?,
        partitions,
        keys: read_keys(client, oid).await?,
        guards: guards.iter().map(|row| (row.get(0), row.get(1))).collect(),
    }))
}

async fn read_keys(client: &impl GenericClient, relation: u32) -> Read<Vec<Vec<KeyColumn>>> {
    let rows = client
        .query(
            "SELECT i.indexrelid, i.indnkeyatts, a.attname::text,
                    format_type(a.atttypid, a.atttypmod),
                    'OPERATOR(' || quote_ident(n.nspname) || '.' || o.oprname || ')',
                    quote_ident(ln.nspname) || '.' || quote_ident(l.collname)
             FROM pg_index i
             CROSS JOIN LATERAL generate_series(0, i.indnkeyatts - 1) AS k
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k]
              AND a.attnotnull AND i.indcollation[k] = a.attcollation
             JOIN pg_opclass c ON c.oid = i.indclass[k] AND c.opcdefault
             JOIN pg_amop m ON m.amopfamily = c.opcfamily AND m.amopstrategy = 3
              AND m.amoplefttype = c.opcintype AND m.amoprighttype = c.opcintype
             JOIN pg_operator o ON o.oid = m.amopopr
             JOIN pg_namespace n ON n.oid = o.oprnamespace
             LEFT JOIN pg_collation l ON l.oid = a.attcollation
             LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
             WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate
               AND i.indpred IS NULL
             ORDER BY NOT i.indisprimary, i.indexrelid, k",
            &[&relation],
        )
        .await?;
    let mut keys: Vec<(u32, usize, Vec<KeyColumn>)> = Vec::new();
    for row in &rows {
        let index = row.get(0);
        if keys.last().is_none_or(|(last, ..)| *last != index) {
            let size = usize::try_from(row.get::<_, i16>(1)).unwrap_or_default();
            keys.push((index, size, Vec::new()));
        }
        if let Some((_, _, columns)) = keys.last_mut() {
            columns.push(KeyColumn {
                name: row.get(2),
                type_name: row.get(3),
                equality: row.get(4),
                collation: row.get(5),
            });
        }
    }
    // One that lacks a column has an expression, or a column that does not qualify.
    Ok(keys.into_iter().filter(|(_, size, key)| key.len() == *size).map(|(.., key)| key).collect())
}

async fn read_columns(client: &impl GenericClient, relation: u32) -> Read<Vec<Column>> {
    let rows = client
        .query(
            "SELECT a.attnum, a.attname::text, a.atttypid, a.atttypmod,
                    format_type(a.atttypid, a.atttypmod), n.nspname = 'pg_catalog',
                    a.attnotnull, a.attidentity <> '', a.attgenerated <> '',
                    CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
                    COALESCE(l.collisdeterministic, true), COALESCE(l.collname = 'C', false),
                    EXISTS (SELECT FROM pg_partitioned_table p WHERE p.partrelid = a.attrelid
                            AND (a.attnum = ANY (p.partattrs) OR p.partexprs::text
                              ~ ('VAR :varno 1 :varattno (0|' || a.attnum || ') '))),
                    a.attacl IS NOT NULL,
                    EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid
                            AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
                            AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum),
                    CASE WHEN l.oid = 'pg_catalog.default'::regcollation THEN 'default'
                         ELSE quote_ident(ln.nspname) || '.' || quote_ident(l.collname) END
             FROM pg_attribute a
             JOIN pg_type t ON t.oid = a.atttypid
             JOIN pg_namespace n ON n.oid = t.typnamespace
             LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
             LEFT JOIN pg_collation l ON l.oid = a.attcollation
             LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
             WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            &[&relation],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Column {
            number: row.get(0),
            name: row.get(1),
            type_oid: row.get(2),
            typmod: row.get(3),
            type_name: row.get(4),
            builtin_type: row.get(5),
            not_null: row.get(6),
            identity: row.get(7),
            generated: row.get(8),
            default: row.get(9),
            deterministic_collation: row.get(10),
            c_collation: row.get(11),
            folds_otherwise: None,
            partition_key: row.get(12),
            privileges: row.get(13),
            unique: row.get(14),
            collation: row.get(15),
        })
        .collect())
}

pub(super) async fn read_triggers(client: &impl GenericClient) -> Read<Vec<OwnTrigger>> {
    let rows = client
        .query(
            "SELECT t.tgrelid, rn.nspname::text, c.relname::text, t.tgname::text, p.proname::text,
                    r.rolname::text, t.tgparentid <> 0, t.tgenabled::text, t.tgtype, p.prosrc,
                    p.prosecdef, p.proconfig::text, t.tgqual IS NOT NULL,
                    t.tgattr::text <> '', encode(t.tgargs, 'escape')
             FROM pg_trigger t
             JOIN pg_proc p ON p.oid = t.tgfoid
             JOIN pg_namespace pn ON pn.oid = p.pronamespace AND pn.nspname = 'pgveil'
             JOIN pg_roles r ON r.oid = p.proowner
             JOIN pg_class c ON c.oid = t.tgrelid
             JOIN pg_namespace rn ON rn.oid = c.relnamespace
             ORDER BY 2, 3, 4",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| OwnTrigger {
            relation: row.get(0),
            schema: row.get(1),
            table: row.get(2),
            name: row.get(3),
            function: row.get(4),
            function_owner: row.get(5),
            clone: row.get(6),
            found: FoundTrigger {
                enabled: row.get::<_, &str>(7).chars().next().unwrap_or('?'),
                tgtype: row.get(8),
                body: row.get(9),
                security_definer: row.get(10),
                config: row.get(11),
                condition: row.get(12),
                columns: row.get(13),
                arguments: row.get(14),
            },
        })
        .collect())
}

pub(super) async fn read_functions(client: &impl GenericClient) -> Read<Vec<OwnFunction>> {
    let rows = client
        .query(
            "SELECT p.proname::text, p.prosrc, p.proconfig::text, p.prosecdef,
                    pg_has_role(p.proowner, 'USAGE'), obj_description(p.oid, 'pg_proc'),
                    r.rolname::text
             FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
             JOIN pg_roles r ON r.oid = p.proowner
             WHERE n.nspname = 'pgveil' ORDER BY 1, p.oid",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| OwnFunction {
            name: row.get(0),
            body: row.get(1),
            config: row.get(2),
            security_definer: row.get(3),
            owned_by_us: row.get(4),
            comment: row.get(5),
            owner: row.get(6),
        })
        .collect())
}

pub(super) async fn read_default_grantees(client: &impl GenericClient) -> Read<Vec<String>> {
    let rows = client
        .query(
            "SELECT DISTINCT CASE WHEN x.grantee = 0 THEN 'PUBLIC'
                                  ELSE quote_ident(g.rolname) END
             FROM pg_default_acl d
             JOIN pg_roles r ON r.oid = d.defaclrole AND r.rolname = current_user
             CROSS JOIN LATERAL aclexplode(d.defaclacl) x
             LEFT JOIN pg_roles g ON g.oid = x.grantee
             WHERE d.defaclobjtype = 'r' ORDER BY 1",
            &[],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
