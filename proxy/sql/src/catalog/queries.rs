//! The texts that read a catalog.
//!
//! They run on the client's own connection, under whatever `search_path` the client has set, so
//! every name and operator is qualified: a schema in front of `pg_catalog` with an `=` of its own
//! could otherwise hide a protected table. `pg_catalog` is readable by every role.

/// `(what it reads, SQL)`; run in order in one snapshot (one statement each, no parameters).
pub const QUERIES: &[(&str, &str)] = &[
    ("relations", RELATIONS),
    ("attributes", ATTRIBUTES),
    ("inheritance", INHERITANCE),
    ("functions", FUNCTIONS),
    ("triggers", TRIGGERS),
    ("guards", GUARDS),
    ("version", VERSION_QUERY),
];

/// Run last, as many of them as [`super::CatalogLoad::own_queries`] says: the relations may not
/// exist.
pub(super) const OWN_QUERIES: [&str; 4] = [RECORDS, CASE_MAPS, COLLATIONS, OPERATORS];

/// The database's collation, as `default`, and those that are recorded of columns: name, provider,
/// the C library's locales, the builtin provider's, whether it is deterministic. Which of the
/// columns of `pg_database` are there depends on the version.
const COLLATIONS: &str = "SELECT 'default', \
     COALESCE(pg_catalog.to_jsonb(d) OPERATOR(pg_catalog.->>) 'datlocprovider', 'c'), \
     d.datcollate::pg_catalog.text, d.datctype::pg_catalog.text, \
     pg_catalog.to_jsonb(d) OPERATOR(pg_catalog.->>) 'datlocale', 'true' \
     FROM pg_catalog.pg_database d \
     WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database() \
     UNION ALL SELECT k.name, k.collprovider::pg_catalog.text, k.collcollate::pg_catalog.text, \
       k.collctype::pg_catalog.text, k.facts OPERATOR(pg_catalog.->>) 'colllocale', \
       k.collisdeterministic::pg_catalog.text \
     FROM (SELECT pg_catalog.concat(pg_catalog.quote_ident(n.nspname::pg_catalog.text), '.', \
         pg_catalog.quote_ident(l.collname::pg_catalog.text)) AS name, l.collprovider, \
         l.collcollate, l.collctype, l.collisdeterministic, pg_catalog.to_jsonb(l) AS facts \
       FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace n \
         ON n.oid OPERATOR(pg_catalog.=) l.collnamespace \
       WHERE l.collencoding OPERATOR(pg_catalog.=) ANY (ARRAY['-1', \
         (SELECT d.encoding FROM pg_catalog.pg_database d \
          WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())]\
         ::pg_catalog.int4[])) k \
     WHERE k.name OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT pg_catalog.to_jsonb(r) \
       OPERATOR(pg_catalog.->>) 'collation' FROM pgveil.columns r))";

/// What is recorded of the sealed columns; `fold` and `collation` may not be there.
const RECORDS: &str = "SELECT r.relation::pg_catalog.oid::pg_catalog.text, r.column_name, \
     r.policy, r.mode, r.domain, r.keyring, r.key_id, r.key_check, r.type_oid::pg_catalog.text, \
     r.typmod::pg_catalog.text, r.stage, \
     pg_catalog.to_jsonb(r) OPERATOR(pg_catalog.->>) 'fold', \
     pg_catalog.to_jsonb(r) OPERATOR(pg_catalog.->>) 'collation' FROM pgveil.columns r";

/// The recorded case maps; in a form that every client encoding has.
const CASE_MAPS: &str = "SELECT m.fold, \
     pg_catalog.encode(pg_catalog.convert_to(m.from_chars, 'UTF8'), 'hex'), \
     pg_catalog.encode(pg_catalog.convert_to(m.to_chars, 'UTF8'), 'hex') FROM pgveil.case_maps m";

/// Tables, views, sequences, foreign tables and composite types; other sessions' temporary ones,
/// indexes and TOAST tables are of no interest to a statement.
const RELATIONS: &str = "SELECT c.oid::pg_catalog.text, n.nspname::pg_catalog.text, \
     c.relname::pg_catalog.text, c.relkind::pg_catalog.text, c.reltype::pg_catalog.text, \
     CASE WHEN c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['v', 'm']::pg_catalog.\"char\"[]) \
       AND c.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid \
       THEN pg_catalog.pg_get_viewdef(c.oid) END \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n \
       ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
     WHERE c.relkind OPERATOR(pg_catalog.=) ANY \
         (ARRAY['r', 'p', 'v', 'm', 'f', 'S', 'c']::pg_catalog.\"char\"[]) \
       AND (c.relpersistence OPERATOR(pg_catalog.<>) 't'::pg_catalog.\"char\" \
         OR c.relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())";

/// Columns, in the order that `*` shows them.
const ATTRIBUTES: &str = "SELECT a.attrelid::pg_catalog.text, a.attnum::pg_catalog.text, \
     a.attname::pg_catalog.text, a.atttypid::pg_catalog.text, a.atttypmod::pg_catalog.text, \
     a.attgenerated::pg_catalog.text \
     FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c \
       ON c.oid OPERATOR(pg_catalog.=) a.attrelid \
     WHERE a.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2 AND NOT a.attisdropped \
       AND c.relkind OPERATOR(pg_catalog.=) ANY \
         (ARRAY['r', 'p', 'v', 'm', 'f', 'S', 'c']::pg_catalog.\"char\"[]) \
       AND (c.relpersistence OPERATOR(pg_catalog.<>) 't'::pg_catalog.\"char\" \
         OR c.relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()) \
     ORDER BY a.attrelid, a.attnum";

/// Partitions and inheritance children.
const INHERITANCE: &str = "SELECT i.inhrelid::pg_catalog.text, i.inhparent::pg_catalog.text \
     FROM pg_catalog.pg_inherits i";

/// Functions that are not the server's own. `pg_proc.prosrc` is readable by everyone; a body in
/// SQL-standard form is deparsed.
const FUNCTIONS: &str = "SELECT n.nspname::pg_catalog.text, p.proname::pg_catalog.text, \
     pg_catalog.concat(p.prosrc, ' ', pg_catalog.pg_get_function_sqlbody(p.oid)), \
     p.prorettype::pg_catalog.text, \
     pg_catalog.array_to_string(p.proallargtypes, ' ') \
     FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n \
       ON n.oid OPERATOR(pg_catalog.=) p.pronamespace \
     WHERE p.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid";

/// Operators over text, as a whole: whether there is one that is not the server's own. (`text`,
/// `varchar`, `bpchar`, `unknown`, and what takes anything.)
const OPERATORS: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_operator o \
     WHERE o.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid \
       AND (o.oprleft OPERATOR(pg_catalog.=) ANY (t.types) \
         OR o.oprright OPERATOR(pg_catalog.=) ANY (t.types)))::pg_catalog.text \
     FROM (SELECT ARRAY['pg_catalog.text', 'pg_catalog.varchar', 'pg_catalog.bpchar', \
       'pg_catalog.unknown', 'pg_catalog.anyelement', 'pg_catalog.anynonarray', \
       'pg_catalog.anycompatible', 'pg_catalog.anycompatiblenonarray']::pg_catalog.regtype[]\
       ::pg_catalog.oid[] AS types) t";

/// Triggers of tables that are not the server's own, with what makes them what they are.
const TRIGGERS: &str = "SELECT t.tgrelid::pg_catalog.text, t.tgname::pg_catalog.text, \
     t.tgenabled::pg_catalog.text, t.tgtype::pg_catalog.text, n.nspname::pg_catalog.text, \
     p.proname::pg_catalog.text, p.prosrc, p.prosecdef::pg_catalog.text, \
     p.proconfig::pg_catalog.text, (t.tgqual IS NOT NULL)::pg_catalog.text, \
     (pg_catalog.cardinality(t.tgattr) OPERATOR(pg_catalog.>) 0)::pg_catalog.text, \
     pg_catalog.encode(t.tgargs, 'escape') \
     FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p \
       ON p.oid OPERATOR(pg_catalog.=) t.tgfoid \
     JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace \
     WHERE NOT t.tgisinternal AND n.nspname OPERATOR(pg_catalog.=) 'pgveil'::pg_catalog.name";

/// The guards, by their name's prefix, with the conditions of the domains that they cast to.
const GUARDS: &str = "SELECT k.conrelid::pg_catalog.text, k.conname::pg_catalog.text, \
     k.convalidated::pg_catalog.text, \
     pg_catalog.concat_ws(' ', pg_catalog.pg_get_constraintdef(k.oid), \
       (SELECT pg_catalog.string_agg(pg_catalog.pg_get_constraintdef(d.oid), ' ') \
        FROM pg_catalog.pg_depend p JOIN pg_catalog.pg_constraint d \
          ON d.contypid OPERATOR(pg_catalog.=) p.refobjid \
        WHERE p.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_constraint'::pg_catalog.regclass \
          AND p.objid OPERATOR(pg_catalog.=) k.oid \
          AND p.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass)) \
     FROM pg_catalog.pg_constraint k \
     WHERE k.contype OPERATOR(pg_catalog.=) 'c'::pg_catalog.\"char\" \
       AND pg_catalog.starts_with(k.conname::pg_catalog.text, 'pgveil_guard_')";

/// Changes its one-cell result whenever anything that [`QUERIES`] read has changed.
///
/// The sum of a hash over `(oid, xmin)` of the catalog rows: exact under MVCC, where a counter
/// that is not transactional could be seen before the change it counts. `pgveil.columns` is
/// covered because its rows only change together with a column's type. About 3 ms for 10,000
/// columns, once a lease.
pub const VERSION_QUERY: &str = "SELECT pg_catalog.concat_ws(':', \
     (SELECT pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat(c.oid, ' ', c.xmin, ' ', \
         a.attnum, ' ', a.xmin))) \
       FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_attribute a \
         ON a.attrelid OPERATOR(pg_catalog.=) c.oid \
           AND a.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2 \
       WHERE c.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid \
         AND c.relpersistence OPERATOR(pg_catalog.<>) 't'::pg_catalog.\"char\" \
         AND c.relkind OPERATOR(pg_catalog.=) ANY \
           (ARRAY['r', 'p', 'v', 'm', 'f', 'c']::pg_catalog.\"char\"[])), \
     (SELECT pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat(p.oid, ' ', p.xmin))) \
       FROM pg_catalog.pg_proc p WHERE p.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid), \
     (SELECT pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat(o.oid, ' ', o.xmin))) \
       FROM pg_catalog.pg_operator o WHERE o.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid), \
     (SELECT pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat(t.oid, ' ', t.xmin))) \
       FROM pg_catalog.pg_trigger t WHERE NOT t.tgisinternal), \
     (SELECT pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat(r.oid, ' ', r.xmin))) \
       FROM pg_catalog.pg_rewrite r WHERE r.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid), \
     (SELECT pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat(k.oid, ' ', k.xmin))) \
       FROM pg_catalog.pg_constraint k \
       WHERE k.contype OPERATOR(pg_catalog.=) 'c'::pg_catalog.\"char\" \
         AND k.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid), \
     (SELECT pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat(i.inhrelid, ' ', i.inhparent, \
         ' ', i.xmin))) FROM pg_catalog.pg_inherits i), \
     (SELECT pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat(s.oid, ' ', s.xmin))) \
       FROM pg_catalog.pg_namespace s \
       WHERE NOT pg_catalog.starts_with(s.nspname::pg_catalog.text, 'pg_')))";

/// One row; read by [`super::Settings::from_row`].
pub const SETTINGS_QUERY: &str = "SELECT pg_catalog.current_schemas(true)::pg_catalog.text, \
     CURRENT_USER::pg_catalog.text, \
     pg_catalog.current_setting('standard_conforming_strings'), \
     pg_catalog.current_setting('client_encoding'), pg_catalog.current_setting('server_encoding')";
