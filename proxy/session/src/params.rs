//! A client's Bind turned into the server's.

use pgveil_seal::{ArrayError, MapError, map_binary_array, map_text_array};
use pgveil_sql::plan::{ParamSeal, Planned, RESOLVED_PARAMS};
use pgveil_sql::refusal::Refusal;
use pgveil_wire::frontend::{Bind, BindBuilder};
use pgveil_wire::write;

use crate::catalog_cache::Loaded;
use crate::resolving::Resolution;
use crate::simple::{foreign_encoding, seal_literal};

/// Oid of `text`, the type of every token.
const TEXT: u32 = 25;

/// Checks what the server could not, as its numbers of parameters are others: the errors are its
/// own.
pub(crate) fn check_counts(bind: &Bind<'_>, planned: &Planned) -> Result<(), Refusal> {
    let message = if bind.formats.count() > 1 && bind.formats.count() != bind.count {
        format!(
            "bind message has {} parameter formats but {} parameters",
            bind.formats.count(),
            bind.count
        )
    } else if bind.count == planned.params.client {
        return Ok(());
    } else {
        format!(
            "bind message supplies {} parameters, but prepared statement \"{}\" requires {}",
            bind.count,
            String::from_utf8_lossy(bind.statement),
            planned.params.client
        )
    };
    Err(Refusal { code: "08P01", message, detail: None, hint: None, position: None })
}

/// Appends the server's Bind. When it fails, `out` holds a half message. `encoding`: the client's,
/// if it is not UTF8.
pub(crate) fn write_bind(
    out: &mut Vec<u8>,
    bind: &Bind<'_>,
    planned: &Planned,
    loaded: &Loaded,
    encoding: Option<&str>,
    resolution: Option<&Resolution>,
) -> Result<(), Refusal> {
    let server = &planned.params.server;
    let values: Vec<Option<&[u8]>> = bind.values().collect();
    let count = server.len() + planned.params.resolved * RESOLVED_PARAMS;
    let format = |index: usize| server.get(index).map_or(0, |param| bind.formats.of(param.client));
    let formats = (0..count).map(format);
    let builder = BindBuilder::begin(out, bind.portal, bind.statement, formats, count);
    for param in server {
        let value = values.get(param.client).copied().flatten();
        match (&param.seal, value) {
            (Some(seal), Some(value)) => {
                if let Some(encoding) = encoding
                    && !value.is_ascii()
                {
                    return Err(foreign_encoding(encoding));
                }
                let length_at = out.len();
                out.extend_from_slice(&[0; 4]);
                let binary = bind.formats.of(param.client) == 1;
                seal_value(out, seal, value, binary, loaded)?;
                let length = u32::try_from(out.len() - length_at - 4).unwrap_or(u32::MAX);
                out[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
            }
            (_, value) if param.withheld => write::value(out, value.map(|_| &b""[..])),
            // Not sealed, or NULL, which stays NULL.
            (_, value) => write::value(out, value),
        }
    }
    for value in resolution.into_iter().flat_map(Resolution::values).flatten() {
        write::value(out, Some(value.as_bytes()));
    }
    builder.finish(out, bind.results_bytes);
    Ok(())
}

/// A parameter of the client's that a predicate is decided with, as text.
pub(crate) fn text(
    bind: &Bind<'_>,
    index: usize,
    encoding: Option<&str>,
) -> Result<Option<String>, Refusal> {
    let Some(value) = bind.values().nth(index).flatten() else { return Ok(None) };
    if let Some(encoding) = encoding
        && !value.is_ascii()
    {
        return Err(foreign_encoding(encoding));
    }
    let text = pgveil_seal::check_text(value);
    text.map(|text| Some(text.to_owned())).map_err(|error| crate::sealing::value_refusal(&error))
}

/// The statement stores a parameter in a column that folds.
pub(crate) fn stores_folded(planned: &Planned, loaded: &Loaded) -> bool {
    planned.params.server.iter().filter_map(|param| param.seal.as_ref()).any(|seal| {
        seal.slot.purpose.stores() && loaded.catalog.column(seal.slot.column).fold.is_some()
    })
}

/// Appends a value's token, or an array of tokens. The text and binary forms of character types
/// are the same bytes.
fn seal_value(
    out: &mut Vec<u8>,
    seal: &ParamSeal,
    value: &[u8],
    binary: bool,
    loaded: &Loaded,
) -> Result<(), Refusal> {
    let into = |value: &[u8], out: &mut Vec<u8>| {
        loaded.sealing.seal_into(&loaded.catalog, &seal.slot, value, out)
    };
    if !seal.array {
        return into(value, out);
    }
    if binary {
        let array = map_binary_array(value, TEXT, into).map_err(|error| refusal(error, None))?;
        out.extend_from_slice(&array);
    } else {
        let text = pgveil_seal::check_text(value).map_err(|error| Refusal {
            code: error.sqlstate(),
            message: error.to_string(),
            detail: None,
            hint: None,
            position: None,
        })?;
        let array = map_text_array(text, |element| seal_literal(loaded, &seal.slot, element))
            .map_err(|error| refusal(error, Some(text)))?;
        out.extend_from_slice(array.as_bytes());
    }
    Ok(())
}

fn refusal(error: MapError<Refusal>, input: Option<&str>) -> Refusal {
    match error {
        MapError::Element(refusal) => refusal,
        MapError::Array(error) => array_refusal(error, input),
    }
}

fn array_refusal(error: ArrayError, input: Option<&str>) -> Refusal {
    Refusal {
        code: error.sqlstate(),
        // For the client that sent the value, and nobody else: refusals of a Bind are not logged
        // with their messages.
        message: input.map_or_else(|| error.to_string(), |input| error.client_message(input)),
        detail: error.detail(),
        hint: error.hint().map(str::to_owned),
        position: None,
    }
}
