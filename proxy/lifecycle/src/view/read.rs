//! The queries behind [`View`].

use std::collections::HashSet;

use tokio_postgres::GenericClient;

use super::View;
use crate::error::LifecycleError;
use crate::node_tree::Node;

/// Reads all views over the relations, and over these views, in the order in which they can be
/// made.
pub(crate) async fn read(
    client: &impl GenericClient,
    relations: &[u32],
) -> Result<Vec<View>, LifecycleError> {
    let rows = client
        .query(
            "WITH RECURSIVE reads AS (
               SELECT DISTINCT r.ev_class AS view, d.refobjid AS relation
               FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> d.refobjid
               WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass),
             found AS (
               SELECT view FROM reads WHERE relation = ANY ($1)
               UNION SELECT r.view FROM reads r JOIN found f ON r.relation = f.view)
             SELECT c.oid, pg_describe_object('pg_class'::regclass, c.oid, 0), n.nspname::text,
                    c.relname::text, c.relkind::text, o.rolname::text,
                    (SELECT w.ev_action::text FROM pg_rewrite w
                     WHERE w.ev_class = c.oid AND w.rulename = '_RETURN'),
                    COALESCE(pg_get_viewdef(c.oid), ''), COALESCE(c.reloptions, '{}'),
                    ARRAY(SELECT r.relation FROM reads r WHERE r.view = c.oid), c.relispopulated
             FROM pg_class c JOIN found f ON f.view = c.oid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_roles o ON o.oid = c.relowner ORDER BY 3, 4",
            &[&relations],
        )
        .await
        .map_err(LifecycleError::reading)?;
    let mut views = Vec::new();
    for row in rows {
        let (oid, object): (u32, String) = (row.get(0), row.get(1));
        let query = match row.get::<_, Option<&str>>(6) {
            None => Node::List(Vec::new()),
            Some(text) => Node::parse(text)
                .map_err(|reason| LifecycleError::NodeTree { object: object.clone(), reason })?,
        };
        views.push(View {
            oid,
            schema: row.get(2),
            name: row.get(3),
            kind: row.get(4),
            owner: row.get(5),
            query,
            definition: row.get(7),
            options: row.get(8),
            grants: read_grants(client, oid).await.map_err(LifecycleError::reading)?,
            comments: read_comments(client, oid).await.map_err(LifecycleError::reading)?,
            attached: read_attached(client, oid).await.map_err(LifecycleError::reading)?,
            reads: row.get(9),
            populated: row.get(10),
            object,
        });
    }
    Ok(in_order(views))
}

type Read<T> = Result<Vec<T>, tokio_postgres::Error>;

async fn read_grants(
    client: &impl GenericClient,
    view: u32,
) -> Read<(String, String, bool, Option<String>)> {
    let rows = client
        .query(
            "SELECT CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(g.rolname) END,
                    x.privilege_type, x.is_grantable, l.name
             FROM (SELECT relacl AS acl, NULL::text AS name FROM pg_class WHERE oid = $1
                   UNION ALL SELECT attacl, attname::text FROM pg_attribute WHERE attrelid = $1) l
             CROSS JOIN LATERAL aclexplode(l.acl) x
             LEFT JOIN pg_roles g ON g.oid = x.grantee ORDER BY 4 NULLS FIRST, 1, 2",
            &[&view],
        )
        .await?;
    Ok(rows.iter().map(|r| (r.get(0), r.get(1), r.get(2), r.get(3))).collect())
}

async fn read_comments(client: &impl GenericClient, view: u32) -> Read<(Option<String>, String)> {
    let rows = client
        .query(
            "SELECT a.attname::text, d.description FROM pg_description d
             LEFT JOIN pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid
               AND d.objsubid > 0
             WHERE d.classoid = 'pg_class'::regclass AND d.objoid = $1 ORDER BY d.objsubid",
            &[&view],
        )
        .await?;
    Ok(rows.iter().map(|r| (r.get(0), r.get(1))).collect())
}

async fn read_attached(client: &impl GenericClient, view: u32) -> Read<String> {
    let rows = client
        .query(
            "SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid)
             FROM pg_depend d
             LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
             LEFT JOIN pg_class c ON c.oid = r.ev_class
             LEFT JOIN pg_type t ON t.typrelid = $1
             WHERE (d.refclassid = 'pg_class'::regclass AND d.refobjid = $1
                    OR d.refclassid = 'pg_type'::regclass
                       AND d.refobjid IN (t.oid, t.typarray))
               -- Its own rule and row type, and views over it, which are made again too.
               AND (r.rulename = '_RETURN' AND c.relkind IN ('v', 'm')) IS NOT TRUE
               AND d.deptype <> 'i'
               AND NOT (d.classid = 'pg_type'::regclass AND d.objid IN (t.oid, t.typarray))
             ORDER BY 1",
            &[&view],
        )
        .await?;
    Ok(rows.iter().map(|r| r.get(0)).collect())
}

/// What a view reads comes before it. PostgreSQL has no cycles of views.
fn in_order(mut views: Vec<View>) -> Vec<View> {
    let mut ordered: Vec<View> = Vec::new();
    while !views.is_empty() {
        let waiting: HashSet<u32> = views.iter().map(|v| v.oid).collect();
        let (ready, rest): (Vec<_>, Vec<_>) =
            views.into_iter().partition(|v| !v.reads.iter().any(|r| waiting.contains(r)));
        if ready.is_empty() {
            ordered.extend(rest);
            break;
        }
        ordered.extend(ready);
        views = rest;
    }
    ordered
}
