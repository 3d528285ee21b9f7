//! The queries behind [`Dependants`].

use pgveil_sql::physical::quote_name;
use tokio_postgres::GenericClient;

use super::{Carrier, DROP, Dependant, Dependants, ForeignKey, Index, Trigger, What};
use crate::error::LifecycleError;
use crate::node_tree::Node;
use crate::view;

impl Dependants {
    /// Reads everything that may use the carriers.
    pub(crate) async fn read(
        client: &impl GenericClient,
        carriers: &[Carrier],
    ) -> Result<Self, LifecycleError> {
        let mut relations: Vec<u32> = carriers.iter().map(|c| c.relation).collect();
        relations.sort_unstable();
        relations.dedup();
        let mut list = Vec::new();
        read_indexes(client, &relations, &mut list).await?;
        read_constraints(client, &relations, &mut list).await?;
        read_expressions(client, &relations, &mut list).await?;
        read_triggers(client, &relations, &mut list).await?;
        read_others(client, &relations, &mut list).await?;
        read_table_wide(client, &relations, &mut list).await?;
        let views = view::read(client, &relations).await?;
        Ok(Self { carriers: carriers.to_vec(), list, views })
    }
}

fn tree(object: &str, text: Option<&str>) -> Result<Option<Node>, LifecycleError> {
    text.map(Node::parse)
        .transpose()
        .map_err(|reason| LifecycleError::NodeTree { object: object.to_owned(), reason })
}

async fn read_indexes(
    client: &impl GenericClient,
    relations: &[u32],
    list: &mut Vec<Dependant>,
) -> Result<(), LifecycleError> {
    let rows = client
        .query(
            "SELECT i.indrelid, pg_describe_object('pg_class'::regclass, i.indexrelid, 0),
                    i.indisunique, m.amname::text, i.indkey::int2[], i.indnkeyatts,
                    ARRAY(SELECT CASE WHEN n.nspname = 'pg_catalog' THEN '' ELSE n.nspname || '.' END
                                 || o.opcname
                          FROM unnest(i.indclass::oid[]) WITH ORDINALITY u(class, at)
                          JOIN pg_opclass o ON o.oid = u.class
                          JOIN pg_namespace n ON n.oid = o.opcnamespace ORDER BY u.at),
                    i.indexprs::text, i.indpred::text, c.oid::regclass::text,
                    pg_get_indexdef(c.oid),
                    ARRAY(SELECT pg_get_indexdef(c.oid, k, false)
                          FROM generate_series(1, i.indnkeyatts) k ORDER BY k),
                    obj_description(c.oid, 'pg_class'), c.relispartition
             FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
             JOIN pg_am m ON m.oid = c.relam
             WHERE i.indrelid = ANY ($1) ORDER BY i.indrelid, c.relname",
            &[&relations],
        )
        .await
        .map_err(LifecycleError::reading)?;
    for row in rows {
        let object: String = row.get(1);
        let mut key: Vec<i16> = row.get(4);
        // What follows the key are INCLUDE columns, which are only carried along.
        key.truncate(usize::try_from(row.get::<_, i16>(5)).unwrap_or_default());
        list.push(Dependant {
            relation: row.get(0),
            what: What::Index(Index {
                unique: row.get(2),
                method: row.get(3),
                key,
                classes: row.get(6),
                expressions: tree(&object, row.get(7))?,
                predicate: tree(&object, row.get(8))?,
                name: row.get(9),
                definition: row.get(10),
                parts: row.get(11),
                comment: row.get(12),
                part: row.get(13),
            }),
            object,
        });
    }
    Ok(())
}

async fn read_constraints(
    client: &impl GenericClient,
    relations: &[u32],
    list: &mut Vec<Dependant>,
) -> Result<(), LifecycleError> {
    let rows = client
        .query(
            "SELECT oid, pg_describe_object('pg_constraint'::regclass, oid, 0), contype::text,
                    conrelid, conkey, confrelid, confkey, conbin::text,
                    conrelid::regclass::text, conname::text, pg_get_constraintdef(oid),
                    obj_description(oid, 'pg_constraint'), conparentid <> 0
             FROM pg_constraint c
             WHERE (conrelid = ANY ($1) AND contype IN ('c', 'f', 'x') OR confrelid = ANY ($1))
               AND NOT (contype = 'c' AND starts_with(conname, 'pgveil_guard_')
                        AND position('token IS NULL) IS NOT NULL' IN pg_get_constraintdef(oid)) > 0)
             ORDER BY c.conrelid, c.conname",
            &[&relations],
        )
        .await
        .map_err(LifecycleError::reading)?;
    for row in rows {
        let object: String = row.get(1);
        let (relation, foreign): (u32, u32) = (row.get(3), row.get(5));
        let key: Vec<i16> = row.get::<_, Option<_>>(4).unwrap_or_default();
        let other_key: Vec<i16> = row.get::<_, Option<_>>(6).unwrap_or_default();
        match row.get::<_, &str>(2) {
            "c" => {
                if let Some(tree) = tree(&object, row.get(7))? {
                    list.push(Dependant { relation, object, what: What::Check(tree) });
                }
            }
            "f" => {
                for (near, key, far, far_key) in [
                    (relation, key.clone(), foreign, other_key.clone()),
                    (foreign, other_key, relation, key),
                ] {
                    list.push(Dependant {
                        relation: near,
                        object: object.clone(),
                        what: What::ForeignKey(ForeignKey {
                            table: row.get(8),
                            name: row.get(9),
                            definition: row.get(10),
                            comment: row.get(11),
                            part: row.get(12),
                            key,
                            other_relation: far,
                            other_key: far_key,
                        }),
                    });
                }
            }
            _ => list.push(Dependant { relation, object, what: What::Exclusion { key } }),
        }
    }
    Ok(())
}

async fn read_expressions(
    client: &impl GenericClient,
    relations: &[u32],
    list: &mut Vec<Dependant>,
) -> Result<(), LifecycleError> {
    let rows = client
        .query(
            "SELECT d.adrelid, pg_describe_object('pg_class'::regclass, d.adrelid, d.adnum),
                    d.adbin::text, true
             FROM pg_attrdef d
             JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
             WHERE d.adrelid = ANY ($1) AND a.attgenerated <> ''
             UNION ALL
             SELECT s.stxrelid, pg_describe_object('pg_statistic_ext'::regclass, s.oid, 0),
                    s.stxexprs::text, false
             FROM pg_statistic_ext s WHERE s.stxrelid = ANY ($1) AND s.stxexprs IS NOT NULL
             ORDER BY 1, 2",
            &[&relations],
        )
        .await
        .map_err(LifecycleError::reading)?;
    for row in rows {
        let object: String = row.get(1);
        let kind =
            if row.get(3) { "a generated column computed" } else { "statistics of an expression" };
        if let Some(tree) = tree(&object, row.get(2))? {
            list.push(Dependant {
                relation: row.get(0),
                object,
                what: What::Expression { kind, tree },
            });
        }
    }
    Ok(())
}

async fn read_triggers(
    client: &impl GenericClient,
    relations: &[u32],
    list: &mut Vec<Dependant>,
) -> Result<(), LifecycleError> {
    let rows = client
        .query(
            "SELECT t.tgrelid, pg_describe_object('pg_trigger'::regclass, t.oid, 0),
                    n.nspname::text, c.relname::text, t.tgname::text, pg_get_triggerdef(t.oid),
                    t.tgenabled::text, obj_description(t.oid, 'pg_trigger'), t.tgattr::int2[],
                    t.tgqual::text
             FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE t.tgrelid = ANY ($1) AND NOT t.tgisinternal AND t.tgparentid = 0
             ORDER BY 3, 4, 5",
            &[&relations],
        )
        .await
        .map_err(LifecycleError::reading)?;
    for row in rows {
        let object: String = row.get(1);
        list.push(Dependant {
            relation: row.get(0),
            what: What::Trigger(Trigger {
                table: quote_name(row.get(2), row.get(3)),
                name: row.get(4),
                definition: row.get(5),
                enabled: row.get(6),
                comment: row.get(7),
                columns: row.get(8),
                condition: tree(&object, row.get(9))?,
            }),
            object,
        });
    }
    Ok(())
}

/// What `pg_depend` knows beyond the kinds that are read with their expressions.
async fn read_others(
    client: &impl GenericClient,
    relations: &[u32],
    list: &mut Vec<Dependant>,
) -> Result<(), LifecycleError> {
    let rows = client
        .query(
            "SELECT DISTINCT d.refobjid, d.refobjsubid::int2, d.classid::regclass::text,
                    pg_describe_object(d.classid, d.objid, d.objsubid)
             FROM pg_depend d
             WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY ($1)
               AND d.refobjsubid > 0
               AND d.classid <> ALL (ARRAY['pg_class', 'pg_constraint', 'pg_attrdef', 'pg_trigger',
                                           'pg_statistic_ext', 'pg_rewrite']::regclass[])
             ORDER BY 1, 2, 4",
            &[&relations],
        )
        .await
        .map_err(LifecycleError::reading)?;
    for row in rows {
        let (reason, todo) = match row.get(2) {
            "pg_policy" => (
                "a row security policy that would compute on the tokens of",
                "drop the policy, or let it use another column",
            ),
            "pg_publication_rel" => (
                "its column list or row filter names",
                "take the table out of the publication, and add it again afterwards",
            ),
            "pg_proc" => (
                "its body, parsed when it was made, uses",
                "drop the function, and make it again through pgveil afterwards",
            ),
            _ => ("is of a kind that this version does not know, and uses", DROP),
        };
        list.push(Dependant {
            relation: row.get(0),
            object: row.get(3),
            what: What::Opaque { number: row.get(1), reason, todo },
        });
    }
    Ok(())
}

/// Rules on the table, columns of its row type, and functions that PostgreSQL keeps as text.
async fn read_table_wide(
    client: &impl GenericClient,
    relations: &[u32],
    list: &mut Vec<Dependant>,
) -> Result<(), LifecycleError> {
    let rules = client
        .query(
            "SELECT ev_class, pg_describe_object('pg_rewrite'::regclass, oid, 0) FROM pg_rewrite
             WHERE ev_class = ANY ($1) ORDER BY 1, 2",
            &[&relations],
        )
        .await
        .map_err(LifecycleError::reading)?;
    let row_types = client
        .query(
            "SELECT c.oid, pg_describe_object('pg_class'::regclass, a.attrelid, a.attnum)
             FROM pg_class c JOIN pg_type t ON t.oid = c.reltype
             JOIN pg_attribute a ON a.atttypid IN (t.oid, t.typarray) AND NOT a.attisdropped
             JOIN pg_class u ON u.oid = a.attrelid AND u.relkind IN ('r', 'p', 'm', 'f', 'c')
             WHERE c.oid = ANY ($1) ORDER BY 1, 2",
            &[&relations],
        )
        .await
        .map_err(LifecycleError::reading)?;
    let functions = client
        .query(
            "SELECT c.oid, pg_describe_object('pg_proc'::regclass, p.oid, 0)
             FROM pg_class c CROSS JOIN pg_proc p
             JOIN pg_namespace n ON n.oid = p.pronamespace
             JOIN pg_language l ON l.oid = p.prolang
             WHERE c.oid = ANY ($1) AND NOT c.relispartition
               AND n.nspname <> ALL (ARRAY['pg_catalog', 'information_schema', 'pgveil'])
               AND l.lanname <> ALL (ARRAY['internal', 'c'])
               AND (position(lower(c.relname) IN lower(p.prosrc)) > 0 OR p.prorettype = c.reltype)
             ORDER BY 1, 2",
            &[&relations],
        )
        .await
        .map_err(LifecycleError::reading)?;
    let kinds = [
        (rules, true, "a rewrite rule on the table", "drop the rule, or use a trigger"),
        (row_types, true, "a column of the table's row type", "give it another type"),
        (
            functions,
            false,
            "its body or result names the table: it will see tokens there, and a variable of the \
             old length may be too short for them",
            "read it, and change it where it uses a protected column",
        ),
    ];
    for (rows, refused, reason, todo) in kinds {
        for row in rows {
            list.push(Dependant {
                relation: row.get(0),
                object: row.get(1),
                what: What::Table { refused, reason, todo },
            });
        }
    }
    Ok(())
}
