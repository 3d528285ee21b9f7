//! The catalog queries with which tools read a schema pass as they came, and show what is there.

use pgveil_tests::Reply;

use crate::sample::site;

/// What ActiveRecord and Prisma ask, in their manner: table by table, names in literals. (Other
/// mappers ask by themselves: see `clients`.)
const QUERIES: &[&str] = &[
    // ActiveRecord's schema dump.
    r"SELECT c.relname FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = ANY (current_schemas(false)) AND c.relkind IN ('r','p') ORDER BY 1",
    r#"SELECT a.attname, format_type(a.atttypid, a.atttypmod),
              pg_get_expr(d.adbin, d.adrelid), a.attnotnull, a.atttypid, a.atttypmod,
              c.collname, col_description(a.attrelid, a.attnum) AS comment,
              attidentity AS identity, attgenerated as attgenerated
         FROM pg_attribute a
         LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum
         LEFT JOIN pg_type t ON a.atttypid = t.oid
         LEFT JOIN pg_collation c ON a.attcollation = c.oid AND a.attcollation <> t.typcollation
        WHERE a.attrelid = '"auth_user"'::regclass AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum"#,
    r"SELECT DISTINCT i.relname, d.indisunique, d.indkey, pg_get_indexdef(d.indexrelid),
              pg_catalog.obj_description(i.oid, 'pg_class') AS comment, d.indisvalid
         FROM pg_class t
         INNER JOIN pg_index d ON t.oid = d.indrelid
         INNER JOIN pg_class i ON d.indexrelid = i.oid
         LEFT JOIN pg_namespace n ON n.oid = t.relnamespace
        WHERE i.relkind IN ('i', 'I') AND d.indisprimary = 'f' AND t.relname = 'auth_user'
          AND n.nspname = ANY (current_schemas(false))
        ORDER BY i.relname",
    r"SELECT conname, pg_get_constraintdef(c.oid, true) AS constraintdef, c.convalidated AS valid
         FROM pg_constraint c JOIN pg_class t ON c.conrelid = t.oid
         JOIN pg_namespace n ON n.oid = c.connamespace
        WHERE c.contype = 'c' AND t.relname = 'auth_user'
          AND n.nspname = ANY (current_schemas(false)) ORDER BY 1",
    r"SELECT t2.oid::regclass::text AS to_table, c.conname AS name, c.confupdtype AS on_update,
              c.confdeltype AS on_delete, c.convalidated AS valid, c.condeferrable AS deferrable,
              c.conkey, c.confkey, c.conrelid, c.confrelid
         FROM pg_constraint c JOIN pg_class t1 ON c.conrelid = t1.oid
         JOIN pg_class t2 ON c.confrelid = t2.oid
         JOIN pg_namespace n ON c.connamespace = n.oid
        WHERE c.contype = 'f' AND t1.relname = 'contact'
          AND n.nspname = ANY (current_schemas(false)) ORDER BY c.conname",
    r#"SELECT a.attname FROM (
           SELECT indrelid, indkey, generate_subscripts(indkey, 1) idx FROM pg_index
            WHERE indrelid = '"auth_user"'::regclass AND indisprimary) i
         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[i.idx]
        ORDER BY i.idx"#,
    // Prisma's introspection.
    r"SELECT tbl.relname AS table_name, namespace.nspname AS namespace,
              (tbl.relhassubclass AND tbl.relkind = 'p') AS is_partition,
              (tbl.relhassubclass AND tbl.relkind = 'r') AS has_subclass,
              tbl.relrowsecurity AS has_row_level_security, reloptions,
              obj_description(tbl.oid, 'pg_class') AS description
         FROM pg_class AS tbl INNER JOIN pg_namespace AS namespace
           ON namespace.oid = tbl.relnamespace
        WHERE tbl.relkind IN ('r', 'p') AND namespace.nspname = ANY (ARRAY['public'])
        ORDER BY namespace, table_name",
    r"SELECT oid.namespace, info.table_name, info.column_name,
              format_type(att.atttypid, att.atttypmod) AS formatted_type,
              info.numeric_precision, info.numeric_scale, info.character_maximum_length,
              info.data_type, pg_get_expr(attdef.adbin, attdef.adrelid) AS column_default,
              info.is_nullable, info.is_identity, info.character_maximum_length
         FROM information_schema.columns info
         JOIN pg_attribute att ON att.attname = info.column_name
         JOIN (SELECT pg_class.oid, relname, pg_namespace.nspname AS namespace FROM pg_class
                JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
                 AND pg_namespace.nspname = ANY (ARRAY['public'])) AS oid
           ON oid.oid = att.attrelid AND relname = info.table_name
          AND namespace = info.table_schema
         LEFT OUTER JOIN pg_attrdef attdef
           ON attdef.adrelid = att.attrelid AND attdef.adnum = att.attnum
        WHERE table_schema = ANY (ARRAY['public']) ORDER BY namespace, table_name, ordinal_position",
    r"SELECT table_name, column_name, data_type, character_maximum_length, collation_name
         FROM information_schema.columns WHERE table_name = 'auth_user' ORDER BY ordinal_position",
];

#[test]
fn what_tools_ask_shows_what_is_there() {
    let site = site();
    let (mut proxied, mut direct) = (site.connect(), site.direct());
    let shown = |reply: Reply| (reply.rows(), format!("{:?}", reply.results));
    for query in QUERIES {
        let (there, found) = (shown(direct.run(query)), shown(proxied.run(query)));
        assert!(there == found && !found.0.is_empty(), "{query}");
        assert_eq!(
            shown(direct.execute(query, &[])),
            shown(proxied.execute(query, &[])),
            "{query}"
        );
        let sent = String::from_utf8_lossy(&site.relay.upstream()).into_owned();
        assert!(sent.contains(query), "not passed as it came: {query}");
    }
    let physical = proxied.run(
        "SELECT string_agg(column_name || ' ' || data_type, ', ' ORDER BY ordinal_position)
         FROM information_schema.columns
         WHERE table_name = 'auth_user' AND collation_name = 'C'",
    );
    assert_eq!(physical.value(), "first_name text, last_name text, email text");
}
