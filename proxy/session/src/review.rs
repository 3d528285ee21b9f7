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
