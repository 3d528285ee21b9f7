//! COPY: protected columns sealed and opened inside the stream.
//!
//! While one runs, the client's data is taken apart as it comes, however it was cut; whole rows
//! go on. What does not become a row ends the copy with CopyFail, and the error that the server
//! then raises is replaced by ours.

use std::sync::Arc;

use pgveil_sql::catalog::ColumnId;
use pgveil_sql::copy::{ColumnList, CopyFormatName, CopyHeader, CopyOptions, CopyPlan};
use pgveil_sql::plan::{Purpose, Slot};
use pgveil_sql::refusal::Refusal;
use pgveil_wire::backend::tag as server_tag;
use pgveil_wire::copy::{
    Columns, CopyError, CopyFormat, CopyKind, CopyTransform, Direction, FormatError, Header,
    Replaced, embeds_ascii,
};
use pgveil_wire::frame::HEADER;
use pgveil_wire::{frontend::tag as client_tag, write};

use crate::catalog_cache::Loaded;
use crate::errors::Context;
use crate::expectation::{Expected, Owner};
use crate::output::{self, Cell, RowError, Scratch};
use crate::prepared::Access;
use crate::session::Session;
use crate::simple::foreign_encoding;

/// The reason that the server gets; it stands in the error that it raises.
pub(crate) const ENDED: &[u8] = b"ended by pgveil";

/// A COPY under way whose data needs work.
#[derive(Debug)]
pub(crate) struct Copying {
    transform: CopyTransform,
    plan: Arc<CopyPlan>,
    loaded: Arc<Loaded>,
    /// COPY FROM: how each column's values are sealed.
    slots: Box<[Option<Slot>]>,
    /// COPY TO: what the client sees of each column.
    access: Arc<Access>,
    /// The encoding of the stream.
    encoding: Box<str>,
}

impl Copying {
    /// True for COPY FROM STDIN.
    pub(crate) fn is_into(&self) -> bool {
        self.plan.into
    }

    fn context(&self, line: u64, column: Option<usize>) -> Option<String> {
        let relation = self.plan.relation.as_ref()?;
        let column = column.and_then(|index| self.plan.columns.get(index));
        let column = column.map(|column| format!(", column {}", column.name)).unwrap_or_default();
        Some(format!("COPY {relation}, line {line}{column}"))
    }
}

/// Why a stream does not go on.
#[derive(Debug)]
struct Broken {
    refusal: Refusal,
    context: Option<String>,
}

impl Session {
    /// The server reads copy data.
    pub(crate) fn copy_in(&mut self, frame: &[u8]) {
        let ignored = self.queue.copy_in();
        if self.silenced {
            // The client will not hear that it should send.
            self.fail_copy();
            return self.repeat_syncs(ignored);
        }
        match self.begin_copy(&frame[HEADER..]) {
            Ok(copying) => {
                self.copying = true;
                self.copy = copying;
                self.send(frame);
            }
            Err(refusal) => {
                self.end_copy(refusal, None);
                self.repeat_syncs(ignored);
            }
        }
    }

    /// The client's Syncs that the server ignored: it does not know of the copy, and waits for
    /// their answers.
    fn repeat_syncs(&mut self, ignored: usize) {
        for _ in 0..ignored {
            pgveil_wire::frontend::write_bare(self.link.server.output.tail(), client_tag::SYNC);
            self.expect(Owner::Client, Expected::Sync, None);
        }
    }

    /// The server writes copy data.
    pub(crate) fn copy_out(&mut self, frame: &[u8]) {
        if self.silenced {
            return;
        }
        match self.begin_copy(&frame[HEADER..]) {
            Ok(copying) => {
                self.copy = copying;
                self.send(frame);
            }
            Err(refusal) => self.break_off(&refusal),
        }
    }

    /// What the data of the COPY at the front needs; `None`: it passes.
    fn begin_copy(&mut self, response: &[u8]) -> Result<Option<Box<Copying>>, Refusal> {
        let reveal = self.reveal;
        let Some(entry) = self.queue.front() else { return Ok(None) };
        let (plan, access, loaded) = match &entry.expected {
            Expected::Query(Some(run)) => {
                let statements = run.analysed.as_ref().map(|a| &a.script.statements);
                let planned = statements.and_then(|all| all.get(run.current));
                (planned.and_then(|p| p.copy.clone()), run.access().cloned(), &run.loaded)
            }
            Expected::Execute { portal: Some(portal), .. } => (
                portal.prepared.planned().and_then(|planned| planned.copy.clone()),
                Some(Arc::clone(&portal.access)),
                &portal.prepared.loaded,
            ),
            _ => return Ok(None),
        };
        let (Some(plan), Some(access)) = (plan, access) else { return Ok(None) };
        let work = if plan.into {
            plan.columns.iter().any(|column| column.sealed.is_some())
        } else {
            reveal && access.work().is_some()
        };
        if !work {
            return Ok(None);
        }
        let loaded = Arc::clone(loaded);
        let encoding = plan.options.encoding.as_deref().unwrap_or(&self.settings.client_encoding);
        let encoding: Box<str> = encoding.into();
        if embeds_ascii(&encoding) {
            return Err(foreign_encoding(&encoding));
        }
        let format = format(&plan, self.server_version).map_err(|error| unreadable(&error))?;
        // Overall format, then the number of columns and their formats ("CopyInResponse").
        let binary = u8::from(format.kind == CopyKind::Binary);
        let count = u16::try_from(plan.columns.len()).unwrap_or(u16::MAX).to_be_bytes();
        if response.get(..3) != Some(&[binary, count[0], count[1]]) {
            self.stale.catalog = true;
            return Err(RowError::Shape.refusal(&loaded));
        }
        let slot = |column: ColumnId| Slot {
            column,
            purpose: Purpose::Assign(loaded.catalog.column(column).logical),
            casts: Vec::new(),
            fold: None,
            handle: false,
        };
        let slots: Box<[_]> = plan.columns.iter().map(|c| c.sealed.map(slot)).collect();
        let (direction, touched) = if plan.into {
            (Direction::In, slots.iter().map(Option::is_some).collect())
        } else {
            let sealed = |cell: &Cell| !matches!(cell, Cell::Plain);
            (Direction::Out, access.cells.iter().map(sealed).collect())
        };
        let names = plan.columns.iter().map(|column| column.name.clone()).collect();
        let transform = CopyTransform::new(format, direction, touched)
            .map_err(|error| unreadable(&error))?
            .names(names);
        Ok(Some(Box::new(Copying { transform, plan, loaded, slots, access, encoding })))
    }

    /// Copy data of the client's, a part of a message or several. What completes rows goes on.
    pub(crate) fn copy_from_client(&mut self, data: &[u8]) {
        self.feed_server(|transform, out, mut value| transform.feed(data, out, &mut value));
    }

    /// The client's CopyDone. True: it goes on.
    pub(crate) fn copy_done_by_client(&mut self) -> bool {
        self.feed_server(|transform, out, mut value| transform.finish(out, &mut value));
        self.copy.take().is_some()
    }

    fn feed_server(
        &mut self,
        feed: impl FnOnce(
            &mut CopyTransform,
            &mut Vec<u8>,
            &mut dyn FnMut(usize, &[u8], &mut Vec<u8>) -> Result<Replaced, Refusal>,
        ) -> Result<(), CopyError<Refusal>>,
    ) {
        let Some(copying) = &mut self.copy else { return };
        let Copying { transform, loaded, slots, encoding, .. } = &mut **copying;
        let is_utf8 = is_utf8(encoding);
        let mut seal = |column: usize, value: &[u8], out: &mut Vec<u8>| {
            let Some(Some(slot)) = slots.get(column) else {
                return Err(RowError::Shape.refusal(loaded));
            };
            if !is_utf8 && !value.is_ascii() {
                return Err(foreign_encoding(encoding));
            }
            loaded.sealing.seal_into(&loaded.catalog, slot, value, out)?;
            Ok(Replaced::Value)
        };
        let out = self.link.server.output.tail();
        let done = copy_data(out, client_tag::COPY_DATA, |out| feed(transform, out, &mut seal));
        if let Err(error) = done {
            let broken = broken(error, copying, |refusal| refusal);
            self.end_copy(broken.refusal, broken.context);
        }
    }

    /// Copy data of the server's.
    pub(crate) fn copy_from_server(&mut self, frame: &[u8]) {
        if self.silenced {
            return;
        }
        if self.copy.as_ref().is_none_or(|copying| copying.is_into()) {
            return self.send(frame);
        }
        let data = &frame[HEADER..];
        self.feed_client(|transform, out, mut value| transform.feed(data, out, &mut value));
    }

    /// The server's CopyDone.
    pub(crate) fn copy_done_by_server(&mut self, frame: &[u8]) {
        if !self.silenced {
            self.feed_client(|transform, out, mut value| transform.finish(out, &mut value));
        }
        self.copy = None;
        if !self.silenced {
            self.send(frame);
        }
    }

    fn feed_client(
        &mut self,
        feed: impl FnOnce(
            &mut CopyTransform,
            &mut Vec<u8>,
            &mut dyn FnMut(usize, &[u8], &mut Vec<u8>) -> Result<Replaced, RowError>,
        ) -> Result<(), CopyError<RowError>>,
    ) {
        let Some(copying) = &mut self.copy else { return };
        let Copying { transform, loaded, access, encoding, .. } = &mut **copying;
        let is_utf8 = is_utf8(encoding);
        let scratch: &mut Scratch = &mut self.scratch;
        let mut open = |column: usize, token: &[u8], out: &mut Vec<u8>| {
            let cell = access.cells.get(column).ok_or(RowError::Shape)?;
            output::replace_cell(out, token, cell, loaded, is_utf8, scratch)
        };
        let out = self.link.client.output.tail();
        let done = copy_data(out, server_tag::COPY_DATA, |out| feed(transform, out, &mut open));
        if let Err(error) = done {
            let loaded = Arc::clone(loaded);
            let refusal = broken(error, copying, |error| error.refusal(&loaded)).refusal;
            tracing::warn!(code = refusal.code, message = %refusal.message, "a row is not shown");
            self.copy = None;
            self.break_off(&refusal);
        }
    }

    /// The client gives up: why is for it alone.
    pub(crate) fn copy_failed_by_client(&mut self, body: &[u8]) {
        let reason = String::from_utf8_lossy(body.strip_suffix(b"\0").unwrap_or(body));
        let refusal = Refusal {
            code: "57014",
            message: format!("COPY from stdin failed: {reason}"),
            detail: None,
            hint: None,
            position: None,
        };
        self.end_copy(refusal, None);
    }

    /// Ends a COPY FROM with an error of ours.
    fn end_copy(&mut self, refusal: Refusal, context: Option<String>) {
        self.fail_copy();
        self.copy_error = Some(Box::new((refusal, Context(context))));
    }

    fn fail_copy(&mut self) {
        self.copy = None;
        self.copying = false;
        let out = self.link.server.output.tail();
        write::frame(out, client_tag::COPY_FAIL, &[ENDED, b"\0"].concat());
    }
}

/// Appends a CopyData with what `feed` appends to it, if that is anything.
fn copy_data<E>(
    out: &mut Vec<u8>,
    tag: u8,
    feed: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let start = out.len();
    out.extend_from_slice(&[tag, 0, 0, 0, 0]);
    let done = feed(out);
    let length = out.len() - start - 1;
    if length == 4 {
        out.truncate(start);
    } else {
        // The transformer's rows are bounded far below 4 GiB.
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        out[start + 1..start + 5].copy_from_slice(&length.to_be_bytes());
    }
    done
}

fn is_utf8(encoding: &str) -> bool {
    let letters = encoding.chars().filter(char::is_ascii_alphanumeric);
    let name: String = letters.map(|character| character.to_ascii_lowercase()).collect();
    matches!(name.as_str(), "utf8" | "unicode")
}

fn broken<E>(error: CopyError<E>, copying: &Copying, refusal: impl FnOnce(E) -> Refusal) -> Broken {
    match error {
        CopyError::Data { line, fault } => Broken {
            context: copying.context(line, None),
            refusal: Refusal {
                code: fault.sqlstate(),
                message: fault.to_string(),
                detail: None,
                hint: fault.hint().map(str::to_owned),
                position: None,
            },
        },
        CopyError::Value { line, column, error } => {
            Broken { context: copying.context(line, Some(column)), refusal: refusal(error) }
        }
    }
}

fn unreadable(error: &FormatError) -> Refusal {
    Refusal {
        code: "0A000",
        message: error.to_string(),
        detail: Some("pgveil could not tell where the values of protected columns are.".to_owned()),
        hint: Some("Use other COPY options.".to_owned()),
        position: None,
    }
}

/// The statement's options as the stream's readers want them.
fn format(plan: &CopyPlan, server_version: u32) -> Result<CopyFormat, FormatError> {
    let options = &plan.options;
    let kind = match options.format {
        CopyFormatName::Text => CopyKind::Text,
        CopyFormatName::Csv => CopyKind::Csv,
        CopyFormatName::Binary => CopyKind::Binary,
    };
    let mut format = CopyFormat::new(kind, server_version);
    if kind == CopyKind::Binary {
        return Ok(format);
    }
    format.delimiter = byte(options.delimiter.as_deref(), format.delimiter, "delimiter")?;
    format.quote = byte(options.quote.as_deref(), format.quote, "quote")?;
    format.escape = byte(options.escape.as_deref(), format.quote, "escape")?;
    if let Some(null) = &options.null {
        format.null = marker(null, options, "NULL")?;
    }
    if let Some(default) = &options.default {
        format.default = Some(marker(default, options, "DEFAULT")?);
    }
    format.header = match options.header {
        CopyHeader::Off => Header::None,
        CopyHeader::On => Header::Present,
        CopyHeader::Match => Header::Match,
    };
    format.force_quote = columns(&options.force_quote, plan);
    format.force_not_null = columns(&options.force_not_null, plan);
    format.force_null = columns(&options.force_null, plan);
    Ok(format)
}

fn byte(given: Option<&str>, default: u8, option: &'static str) -> Result<u8, FormatError> {
    match given.map(str::as_bytes) {
        None => Ok(default),
        Some([byte]) => Ok(*byte),
        Some(_) => Err(FormatError::Character(option)),
    }
}

/// A marker in the encoding of the stream, which may be another than the statement's.
fn marker(text: &str, options: &CopyOptions, option: &'static str) -> Result<Vec<u8>, FormatError> {
    let same = options.encoding.as_deref().is_none_or(is_utf8);
    if text.is_ascii() || same {
        Ok(text.as_bytes().to_vec())
    } else {
        Err(FormatError::Marker(option))
    }
}

fn columns(list: &ColumnList, plan: &CopyPlan) -> Columns {
    match list {
        ColumnList::None => Columns::None,
        ColumnList::All => Columns::All,
        ColumnList::Names(names) => {
            Columns::Named(plan.columns.iter().map(|c| names.contains(&c.name)).collect())
        }
    }
}
