//! Entry points for fuzzing: any bytes go in, nothing panics, and what decodes encodes again to
//! the same bytes.

use crate::frame::{self, Frame, LARGE_LIMIT};
use crate::{backend, frontend, row, startup, write};

/// Splits `data` into frames and decodes each body as every message that it could be.
///
/// # Panics
///
/// When a decoder and its writer disagree: that is the finding.
pub fn fuzz_frames(data: &[u8]) {
    let end = frame::run(data, LARGE_LIMIT, |_| true);
    let mut rest = data;
    let mut walked = 0;
    while let Ok(Some(Frame { bytes, .. })) = frame::first(rest, LARGE_LIMIT) {
        fuzz_body(&bytes[frame::HEADER..]);
        rest = &rest[bytes.len()..];
        walked += bytes.len();
    }
    assert_eq!(walked, end);
}

/// Decodes one body as every message that it could be.
///
/// # Panics
///
/// See [`fuzz_frames`].
pub fn fuzz_body(body: &[u8]) {
    let mut out = Vec::new();
    if let Ok(text) = frontend::query(body) {
        frontend::write_query(&mut out, text);
        assert_eq!(&out[frame::HEADER..], body);
    }
    if let Ok(parse) = frontend::Parse::decode(body) {
        out.clear();
        frontend::write_parse(&mut out, parse.name, parse.text, parse.types.iter());
        assert_eq!(&out[frame::HEADER..], body);
    }
    if let Ok(bind) = frontend::Bind::decode(body) {
        out.clear();
        let formats = (0..bind.formats.count()).map(|index| bind.formats.of(index));
        let builder = frontend::BindBuilder::begin(
            &mut out,
            bind.portal,
            bind.statement,
            formats,
            bind.count,
        );
        bind.values().for_each(|value| write::value(&mut out, value));
        builder.finish(&mut out, bind.results_bytes);
        assert_eq!(&out[frame::HEADER..], body);
    }
    if let Ok(mut cells) = row::Cells::decode(body) {
        out.clear();
        let mut row = row::RowBuilder::begin(&mut out, cells.left());
        let complete = (0..cells.left()).all(|_| match cells.next_cell() {
            Ok(cell) => {
                row.cell(&mut out, cell);
                true
            }
            Err(_) => false,
        });
        if complete && cells.finish().is_ok() {
            row.finish(&mut out);
            assert_eq!(&out[frame::HEADER..], body);
        }
    }
    if let Ok(fields) = backend::ErrorFields::decode(body) {
        out.clear();
        let mut error = backend::ErrorBuilder::begin(&mut out, backend::tag::ERROR_RESPONSE);
        fields.for_each(|(kind, text)| error.field(&mut out, kind, text));
        error.finish(&mut out);
        assert_eq!(&out[frame::HEADER..], body);
    }
    if let Ok((count, fields)) = backend::row_description(body)
        && fields.collect::<Result<Vec<_>, _>>().is_ok()
        && count > 0
    {
        let mut copy = body.to_vec();
        assert_eq!(backend::patch_types(&mut copy, (0..count).map(|_| None)), Ok(()));
        assert_eq!(copy, body);
    }
    if let Ok(types) = backend::parameter_description(body) {
        out.clear();
        backend::write_parameter_description(&mut out, types.iter());
        assert_eq!(&out[frame::HEADER..], body);
    }
    let _ = frontend::Target::decode(body);
    let _ = frontend::execute(body);
    let _ = frontend::function_call(body);
    let _ = backend::authentication(body);
    let _ = backend::backend_key_data(body);
    let _ = backend::parameter_status(body);
    let _ = backend::ready_for_query(body);
    let _ = backend::command_complete(body);
}

/// Reads `data` as packets before authentication.
pub fn fuzz_startup(data: &[u8]) {
    if let Ok(Some(size)) = startup::size(data)
        && let Some(packet) = data.get(..size)
        && let Ok(startup::Packet::Startup(startup)) = startup::decode(packet)
    {
        startup.parameters().for_each(drop);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_panic(data in prop::collection::vec(any::<u8>(), 0..200)) {
            fuzz_frames(&data);
            fuzz_body(&data);
            fuzz_startup(&data);
        }

        /// Small counts and zeroes make bodies that decode more often than random bytes do.
        #[test]
        fn no_likely_bytes_panic(data in prop::collection::vec(prop_oneof![Just(0u8), 0..5u8, Just(b'S'), Just(0xff)], 0..60)) {
            fuzz_frames(&data);
            fuzz_body(&data);
            fuzz_startup(&data);
        }
    }
}
