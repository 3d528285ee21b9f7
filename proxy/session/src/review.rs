//! What the policies let this session see of a statement.

use std::sync::Arc;

use pgveil_policy::{PolicyError, Reveal, Verdict};
use pgveil_sql::plan::{Output, Planned};
use pgveil_sql::refusal::Refusal;

use crate::output;
use crate::prepared::Access;
use crate::session::Session;

impl Session {
    /// The policies' verdict on a statement; an error when it must not run.
    pub(crate) fn access(&mut self, planned: &Planned) -> Result<Arc<Access>, Refusal> {
        let sealed = !planned.output.iter().all(Output::is_plain);
        if planned.facts.relations.is_empty() && !sealed {
            return Ok(Arc::clone(&self.plain));
        }
        let verdict =
            self.reviewer.review(&self.facts, &planned.facts).map_err(|error| failed(&error))?;
        match &*verdict {
            Verdict::Deny { message, hint } => Err(Refusal {
                code: "42501",
                message: message.clone(),
                detail: None,
                hint: hint.clone(),
                position: None,
            }),
            Verdict::Allow(columns) => {
                let decide = |id| {
                    let found = columns.iter().find(|(column, _)| *column == id);
                    found.map(|(_, reveal)| reveal.clone())
                };
                for (left, right) in &planned.mixed {
                    if decide(*left) != decide(*right) {
                        return Err(mixed());
                    }
                }
                let mut used = planned.facts.relations.iter().flat_map(|r| &r.columns);
                let hidden = |id| decide(id) != Some(Reveal::Reveal);
                if let Some(column) = used.find(|c| c.uses.computed && hidden(c.id)) {
                    return Err(not_shown(&column.column));
                }
                let reveals = |(_, reveal): &(_, Reveal)| matches!(reveal, Reveal::Reveal);
                let opens_errors = columns.iter().all(reveals);
                Ok(Arc::new(Access {
                    cells: output::cells(&planned.output, decide)?,
                    opens_errors,
                    verdict: if opens_errors { "reveal" } else { "restrict" },
                }))
            }
        }
    }
}

/// Predicates and order tell a value piece by piece: who may not see it may not ask for them.
fn not_shown(column: &str) -> Refusal {
    Refusal {
        code: "42501",
        message: format!("permission denied: the policy does not show all of column \"{column}\""),
        detail: Some("Evaluating over its values would tell what they are.".to_owned()),
        hint: Some("Compare with =, or ask as a role to which the policy reveals it.".to_owned()),
        position: None,
    }
}

fn mixed() -> Refusal {
    Refusal {
        code: "42501",
        message: "permission denied: one expression mixes columns of which the policy shows \
                  different parts"
            .to_owned(),
        detail: None,
        hint: Some("Select the columns separately.".to_owned()),
        position: None,
    }
}

fn failed(error: &PolicyError) -> Refusal {
    tracing::warn!(%error, detail = error.detail(), "a policy did not answer");
    Refusal {
        code: error.sqlstate(),
        message: error.to_string(),
        detail: error.detail(),
        hint: Some(error.hint().to_owned()),
        position: None,
    }
}
