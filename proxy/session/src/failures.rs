//! What becomes of the server's errors: passed on as the client may see them, or replaced by the
//! refusal that they stand for; and what the server skips after one.

use std::sync::Arc;

use memchr::memmem;
use pgveil_seal::ValueError;
use pgveil_sql::physical::schema::REFUSE_MESSAGE;
use pgveil_sql::plan::Planned;
use pgveil_sql::refusal::Refusal;
use pgveil_wire::backend::{ErrorFields, TransactionStatus, tag};
use pgveil_wire::frame::HEADER;

use crate::copying::ENDED;
use crate::errors::{self, Severity, View};
use crate::expectation::{Expected, Owner};
use crate::fold_details::Folds;
use crate::prepared::PLAIN;
use crate::responses::UNFIT;
use crate::sealing::value_refusal;
use crate::session::{End, Session};

impl Session {
    /// An ErrorResponse.
    pub(crate) fn error(&mut self, frame: &[u8]) -> Result<(), End> {
        let fields = ErrorFields::decode(&frame[HEADER..]).map_err(|_| UNFIT)?;
        if fields.get(b'V').is_some_and(|severity| severity != b"ERROR") {
            self.server_ended = true;
            self.rewrite(tag::ERROR_RESPONSE, &fields);
            return Ok(());
        }
        let (owner, script) = match self.queue.front() {
            // Of the session itself, such as an idle time-out.
            None => {
                self.send(frame);
                return Ok(());
            }
            Some(entry) => {
                let waits_for_ready =
                    matches!(entry.expected, Expected::Query(_) | Expected::FunctionCall);
                (entry.owner, waits_for_ready)
            }
        };
        self.copying = false;
        self.copy = None;
        if self.judges_front_at_all() {
            self.drop_judging();
        }
        match owner {
            Owner::Own => self.step_error(&fields),
            Owner::Client => {
                if !self.silenced {
                    self.client_error(&fields);
                }
                let commit = self
                    .queue
                    .front()
                    .is_some_and(|entry| matches!(entry.expected, Expected::Sync));
                if !script && !commit {
                    self.fail();
                    self.judging = self.judging.take().filter(|j| self.queue.has(j.seq));
                }
            }
        }
        Ok(())
    }

    /// After an error in the extended protocol the server skips to the next Sync.
    fn fail(&mut self) {
        let (entries, synced) = self.queue.fail();
        for (index, entry) in entries.iter().enumerate() {
            self.revert(entry, index == 0);
            if entry.owner == Owner::Own
                && let Some(step) = &mut self.step
            {
                step.skipped = true;
            }
        }
        self.skipping |= !synced;
        self.settle_step();
    }

    /// Sends an error of the server's on, or ours in its place.
    fn client_error(&mut self, fields: &ErrorFields<'_>) {
        let code = fields.get(b'C').unwrap_or_default();
        if let Some(ended) = self.copy_error.take()
            && memmem::find(fields.get(b'M').unwrap_or_default(), ENDED).is_some()
        {
            let (refusal, context) = *ended;
            tracing::debug!(code = refusal.code, "copy refused");
            let out = self.link.client.output.tail();
            errors::write_in(out, Severity::Error, &refusal, None, &context);
            return;
        }
        let aborted = self.status == TransactionStatus::Failed;
        let out = self.link.client.output.tail();
        let Some(entry) = self.queue.front() else { return };
        // A Parse or a Query of ours fails at analysis with 42703, a Bind with 26000; anything
        // else (25P02, 57014 ...) is the server's own word.
        let placed = match &entry.expected {
            Expected::Parse { refusal: Some(placed), .. } if code == b"42703" => {
                Some((&placed.refusal, &placed.text))
            }
            Expected::Bind { refusal: Some(placed), .. } if code == b"26000" => {
                if aborted {
                    // The server looks for the statement first, and at its state afterwards.
                    errors::write(out, Severity::Error, &in_failed_block(), None);
                    return;
                }
                Some((&placed.refusal, &placed.text))
            }
            Expected::Query(Some(run)) if code == b"42703" => {
                run.refusal().map(|refusal| (refusal, &run.text))
            }
            _ => None,
        };
        if let Some((refusal, text)) = placed {
            tracing::debug!(code = refusal.code, "statement refused");
            errors::write(out, Severity::Error, refusal, Some(text));
            return;
        }
        self.rewrite(tag::ERROR_RESPONSE, fields);
    }

    /// Sends an error or notice of the server's on, as the client may see it.
    pub(crate) fn rewrite(&mut self, kind: u8, fields: &ErrorFields<'_>) {
        let tokens = !self.reveal;
        let last = self.last_access.clone();
        let loaded = Arc::clone(&self.loaded);
        let wrapped = self.answers_wrapped();
        let out = self.link.client.output.tail();
        let mut view = View {
            sealing: &loaded.sealing,
            open: false,
            tokens,
            texts: None,
            wrapped,
            folds: None,
        };
        let Some(entry) = self.queue.front() else {
            return errors::rewrite(out, kind, fields, view);
        };
        let planned = match &entry.expected {
            Expected::Query(Some(run)) => run.rows().map(|(planned, _)| planned),
            Expected::Execute { portal: Some(portal), .. } => portal.prepared.planned(),
            _ => None,
        };
        if let Some(logical) = planned.and_then(Planned::row_type)
            && fields.get(b'C') == Some(b"23514")
            && fields.get(b'M') == Some(REFUSE_MESSAGE.as_bytes())
        {
            let refusal = value_refusal(&ValueError::TooLong { logical });
            return errors::write(out, Severity::Error, &refusal, None);
        }
        // A deferred constraint of a protected table is checked when the transaction ends, or when
        // SET CONSTRAINTS says so: whoever wrote last may see the values or not.
        let name = |field| fields.get(field).and_then(|name| str::from_utf8(name).ok());
        let ours = name(b's').zip(name(b't')).and_then(|(schema, table)| {
            loaded.catalog.relation(schema, table).filter(|relation| relation.in_scope)
        });
        let of_another = match &entry.expected {
            Expected::Query(Some(run)) => run.access().is_none_or(|access| access.verdict == PLAIN),
            Expected::Query(None) | Expected::Execute { portal: None, .. } => true,
            Expected::Execute { portal: Some(portal), .. } => portal.access.verdict == PLAIN,
            _ => false,
        };
        match &entry.expected {
            _ if of_another && ours.is_some() => {
                view.open = last.is_some_and(|access| access.opens_errors);
            }
            // Nothing of it is in scope: the server's own words, tokens and all.
            Expected::Query(None)
            | Expected::Execute { portal: None, .. }
            | Expected::FunctionCall => view.tokens = true,
            Expected::Query(Some(run)) => {
                view.sealing = &run.loaded.sealing;
                view.open = run.access().is_some_and(|access| access.opens_errors);
                view.texts = Some((&run.rendered, &run.text));
                let sent = [run.rendered.text.as_bytes(), &[]];
                view.folds = Some(Folds { catalog: &run.loaded.catalog, sent });
            }
            Expected::Parse { prepared: Some(prepared), .. } => {
                // Nothing has run: a token in the error is the client's own literal.
                view.open = true;
                view.texts = Some((&prepared.rendered, &prepared.analysed.text));
            }
            Expected::Execute { portal: Some(portal), .. }
            | Expected::Bind { portal: Some(portal), .. } => {
                view.sealing = &portal.prepared.loaded.sealing;
                view.open = portal.access.opens_errors;
                view.texts = Some((&portal.prepared.rendered, &portal.prepared.analysed.text));
                let sent = [portal.prepared.rendered.text.as_bytes(), &portal.folded];
                view.folds = Some(Folds { catalog: &portal.prepared.loaded.catalog, sent });
            }
            // Deferred constraints are checked when the transaction ends.
            _ => view.open = last.is_some_and(|access| access.opens_errors),
        }
        errors::rewrite(out, kind, fields, view);
    }
}

impl Session {
    /// The statement that is answered runs inside a block of ours.
    pub(crate) fn answers_wrapped(&mut self) -> bool {
        match self.queue.front().map(|entry| &entry.expected) {
            Some(Expected::Query(Some(run))) => run.planned().is_some_and(|p| p.wrapped.is_some()),
            Some(Expected::Execute { portal: Some(portal), .. }) => {
                portal.prepared.planned().is_some_and(|p| p.wrapped.is_some())
            }
            _ => false,
        }
    }
}

fn in_failed_block() -> Refusal {
    Refusal {
        code: "25P02",
        message: "current transaction is aborted, commands ignored until end of transaction block"
            .to_owned(),
        detail: None,
        hint: None,
        position: None,
    }
}
