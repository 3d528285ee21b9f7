//! What a policy is told and what it answers.

use pgveil_sql::catalog::ColumnId;
use pgveil_sql::plan::{Facts, Uses};

use crate::bindings::pgveil::policy::types as wit;
use crate::guest::one_line;
use crate::mask::Mask;

/// Characters of a message, hint or mask text of a policy's; the rest is cut.
pub(crate) const TEXT_CHARACTERS: usize = 1_000;

/// Who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct SessionFacts {
    /// `session_user`: the role that logged in.
    pub user: String,
    /// `current_user`: the role whose privileges apply.
    pub role: String,
    /// The database.
    pub database: String,
    /// `application_name`, which the client chooses.
    pub application_name: String,
    /// The client's IP address; empty on a Unix socket.
    pub client_address: String,
}

/// Whether a statement runs, and what the client sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It does not run: SQLSTATE 42501 (insufficient_privilege).
    Deny {
        /// One line.
        message: String,
        /// What to do instead.
        hint: Option<String>,
    },
    /// It runs. Every column in the facts is here exactly once, in the facts' order.
    Allow(Vec<(ColumnId, Reveal)>),
}

/// What the client sees of a column's values. NULL is always NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reveal {
    /// The value.
    Reveal,
    /// Some of its characters.
    Mask(Mask),
    /// NULL.
    Withhold,
}

impl SessionFacts {
    pub(crate) fn to_wit(&self) -> wit::Session {
        wit::Session {
            user: self.user.clone(),
            role: self.role.clone(),
            database: self.database.clone(),
            application_name: self.application_name.clone(),
            client_address: self.client_address.clone(),
        }
    }
}

pub(crate) fn facts_to_wit(facts: &Facts) -> wit::Facts {
    let relations = facts.relations.iter().map(|relation| wit::RelationFacts {
        schema: relation.schema.clone(),
        table: relation.table.clone(),
        columns: relation
            .columns
            .iter()
            .map(|column| wit::ColumnFacts {
                id: column.id.0,
                column: column.column.clone(),
                uses: uses_to_wit(column.uses),
            })
            .collect(),
    });
    wit::Facts { verb: facts.verb.to_owned(), relations: relations.collect() }
}

fn uses_to_wit(uses: Uses) -> wit::Uses {
    let Uses { output, compared, grouped, written, tested, computed } = uses;
    let flags = [
        (output, wit::Uses::OUTPUT),
        (compared, wit::Uses::COMPARED),
        (grouped, wit::Uses::GROUPED),
        (written, wit::Uses::WRITTEN),
        (tested, wit::Uses::TESTED),
        (computed, wit::Uses::COMPUTED),
    ];
    let held = flags.into_iter().filter(|(holds, _)| *holds);
    held.fold(wit::Uses::empty(), |all, (_, flag)| all | flag)
}

impl Verdict {
    /// The answer to a question about `facts`, or what is wrong with it.
    pub(crate) fn from_wit(answer: wit::Verdict, facts: &Facts) -> Result<Self, String> {
        let decisions = match answer {
            wit::Verdict::Deny(denial) => {
                return Ok(Self::Deny {
                    message: one_line(&denial.message, TEXT_CHARACTERS),
                    hint: denial.hint.map(|hint| one_line(&hint, TEXT_CHARACTERS)),
                });
            }
            wit::Verdict::Allow(decisions) => decisions,
        };
        let columns = || facts.relations.iter().flat_map(|r| r.columns.iter().map(move |c| (r, c)));
        let mut allowed: Vec<(ColumnId, Option<Reveal>)> =
            columns().map(|(_, column)| (column.id, None)).collect();
        for decision in decisions {
            let slot = allowed.iter_mut().find(|(id, _)| id.0 == decision.column);
            let Some((_, slot)) = slot else {
                return Err(format!("It decides about column {}, unasked.", decision.column));
            };
            if slot.is_some() {
                return Err(format!("It decides twice about column {}.", decision.column));
            }
            *slot = Some(Reveal::from_wit(decision.reveal)?);
        }
        let decided = allowed.into_iter().zip(columns()).map(|((id, reveal), (table, column))| {
            reveal.map(|reveal| (id, reveal)).ok_or_else(|| {
                format!("It does not decide about {}.{}.", table.table, column.column)
            })
        });
        decided.collect::<Result<_, _>>().map(Self::Allow)
    }
}

impl Reveal {
    fn from_wit(reveal: wit::Reveal) -> Result<Self, String> {
        Ok(match reveal {
            wit::Reveal::Reveal => Self::Reveal,
            wit::Reveal::Withhold => Self::Withhold,
            wit::Reveal::Mask(wit::Mask { keep_first, keep_last, with }) => {
                if with.contains('\0') || with.chars().count() > TEXT_CHARACTERS {
                    return Err(format!(
                        "The text of a mask has U+0000 in it or is longer than {TEXT_CHARACTERS} \
                         characters."
                    ));
                }
                Self::Mask(Mask { keep_first, keep_last, with })
            }
        })
    }
}
