//! Entry point for fuzzing: any options, any stream, any cuts.

use std::convert::Infallible;

use super::{Columns, CopyError, CopyFormat, CopyKind, CopyTransform, Direction, Header, Replaced};

/// What a stream became: the rows, the values handed over, and how it ended.
type Outcome = (Vec<u8>, Vec<(usize, Vec<u8>)>, Result<(), CopyError<Infallible>>);

/// Reads the first bytes of `data` as options and the rest as a stream, passes it through in one
/// piece and in many, and once more what came out.
///
/// # Panics
///
/// When cuts make a difference, or when what was written is not read as the values that were
/// handed back: that is the finding.
pub fn fuzz_copy(data: &[u8]) {
    let Some((&[options, columns, cuts, markers], stream)) = data.split_first_chunk() else {
        return;
    };
    let kind = match options & 3 {
        0 => CopyKind::Text,
        1 => CopyKind::Binary,
        _ => CopyKind::Csv,
    };
    let direction = if options & 4 == 0 { Direction::In } else { Direction::Out };
    let version = if options & 8 == 0 { 15 } else { 18 };
    let given = |bit: u8| if markers & bit == 0 { Columns::None } else { Columns::All };
    let mut format = CopyFormat {
        force_quote: given(1),
        force_null: given(2),
        force_not_null: given(4),
        ..CopyFormat::new(kind, version)
    };
    if options & 16 != 0 {
        format.escape = b'\\';
    }
    if options & 32 != 0 {
        format.header = Header::Present;
    }
    if markers & 8 != 0 {
        format.null = b"a".to_vec();
    }
    if markers & 16 != 0 {
        format.default = Some(b"\\D".to_vec());
    }
    let columns = usize::from(columns % 4) + 1;

    let whole = identity(&format, direction, columns, stream, usize::MAX);
    let step = usize::from(cuts % 17) + 1;
    let parts = identity(&format, direction, columns, stream, step);
    assert_eq!(parts, whole, "cut every {step} bytes");

    let (out, values, done) = whole;
    // What goes to a client may be read as NULL, as it is without us.
    if done.is_ok() && direction == Direction::In {
        let again = identity(&format, direction, columns, &out, usize::MAX);
        assert_eq!((again.1, again.2), (values, Ok(())));
    }
}

/// Passes a stream through, cut every `step` bytes, with all columns touched and every value
/// replaced by itself.
fn identity(
    format: &CopyFormat,
    direction: Direction,
    columns: usize,
    stream: &[u8],
    step: usize,
) -> Outcome {
    let mut out = Vec::new();
    let mut values = Vec::new();
    let mut keep = |column: usize, value: &[u8], replacement: &mut Vec<u8>| {
        values.push((column, value.to_vec()));
        replacement.extend_from_slice(value);
        Ok::<_, Infallible>(Replaced::Value)
    };
    let Ok(transform) = CopyTransform::new(format.clone(), direction, vec![true; columns]) else {
        return (out, values, Ok(()));
    };
    let mut transform = transform.max_row(1 << 16);
    let done = stream
        .chunks(step)
        .try_for_each(|part| transform.feed(part, &mut out, &mut keep))
        .and_then(|()| transform.finish(&mut out, &mut keep));
    (out, values, done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn no_bytes_panic(data in prop::collection::vec(any::<u8>(), 0..80)) {
            fuzz_copy(&data);
        }

        /// An alphabet in which most bytes mean something.
        #[test]
        fn no_likely_bytes_panic(
            options in any::<[u8; 4]>(),
            stream in prop::collection::vec(
                prop::sample::select(&b"\\\\..\n\n\r\"\",,\t\tNDax0147"[..]), 0..40),
        ) {
            fuzz_copy(&[&options[..], &stream[..]].concat());
        }

        /// Small lengths behind a good header.
        #[test]
        fn no_likely_tuples_panic(
            columns in 0..4u8,
            cuts in any::<u8>(),
            stream in prop::collection::vec(
                prop_oneof![4 => Just(0u8), 3 => 0..4u8, 1 => Just(0xff)], 0..60),
        ) {
            let header = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
            fuzz_copy(&[&[1, columns, cuts, 0], &header[..], &[0, columns + 1], &stream[..]].concat());
        }
    }
}
