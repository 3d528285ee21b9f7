//! COPY streams: rows as PostgreSQL writes them, streams that only a hand would write, and a real
//! server on the other side.

#![allow(clippy::unwrap_used)] // helpers of tests, which clippy.toml does not recognise

mod client;
mod rows;
mod server;
mod streams;

use pgveil_wire::copy::{CopyError, CopyFormat, CopyTransform, Direction, Replaced};

type Outcome = Result<Vec<u8>, CopyError<String>>;

/// What a closure of a test makes of a value.
type Replace<'a> = &'a mut dyn FnMut(usize, &[u8]) -> Result<Option<Vec<u8>>, String>;

/// Passes a stream through, cut after each of `cuts` (lengths, repeated). What was appended before
/// an error is dropped.
fn transform(
    format: &CopyFormat,
    direction: Direction,
    touched: &[bool],
    cuts: &[usize],
    stream: &[u8],
    replace: Replace<'_>,
) -> Outcome {
    let mut transform = CopyTransform::new(format.clone(), direction, touched.to_vec())
        .unwrap()
        .names(('a'..='z').take(touched.len()).map(String::from).collect());
    let mut value = |column: usize, value: &[u8], replacement: &mut Vec<u8>| {
        assert!(replacement.is_empty());
        Ok(match replace(column, value)? {
            Some(new) => {
                replacement.extend_from_slice(&new);
                Replaced::Value
            }
            None => Replaced::Null,
        })
    };
    let mut out = Vec::new();
    let mut rest = stream;
    for cut in cuts.iter().copied().cycle() {
        if rest.is_empty() {
            break;
        }
        let (part, behind) = rest.split_at(cut.clamp(1, rest.len()));
        transform.feed(part, &mut out, &mut value)?;
        rest = behind;
    }
    transform.finish(&mut out, &mut value)?;
    Ok(out)
}

/// Every value replaced by itself.
#[allow(clippy::unnecessary_wraps)] // a `Replace`
fn keep(_: usize, value: &[u8]) -> Result<Option<Vec<u8>>, String> {
    Ok(Some(value.to_vec()))
}
