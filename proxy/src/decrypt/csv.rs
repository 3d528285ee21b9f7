//! Opening the tokens of a CSV column, with everything else left byte for byte as it was: quotes,
//! line ends, and PostgreSQL's difference between `""` (empty) and nothing (NULL), which a reader
//! and writer of records would lose.

use std::io::{self, BufRead, Write};

/// What goes wrong in a CSV file.
#[derive(Debug, thiserror::Error)]
pub(super) enum CsvError {
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The first line does not name the column.
    #[error("the first line does not name a column \"{0}\"")]
    NoColumn(String),
    /// The file ends inside quotes.
    #[error("the file ends inside the quotes of record {0}")]
    OpenQuote(u64),
    /// A cell does not open.
    #[error("record {record}, column \"{column}\": {source}")]
    Cell {
        /// Counted from 1, the first line with the names being 1.
        record: u64,
        /// Its column's name.
        column: String,
        /// Why.
        source: super::OpenFailure,
    },
}

/// What a cell becomes; `None`: what it is.
type Open<'a> = &'a mut dyn FnMut(&[u8]) -> Result<Option<Vec<u8>>, super::OpenFailure>;

/// Copies a CSV file (RFC 4180; the first record names the columns) and replaces what `open` gives
/// back for the cells of `columns`; it gets a cell without its quotes. `None` leaves the cell.
pub(super) fn copy(
    mut input: impl BufRead,
    mut output: impl Write,
    columns: &[String],
    open: Open<'_>,
) -> Result<(), CsvError> {
    let mut scanner = Scanner::default();
    let mut chosen: Vec<(usize, &String)> = Vec::new();
    let mut names: Vec<Vec<u8>> = Vec::new();
    let mut cell: Vec<u8> = Vec::new();
    let (mut record, mut index) = (1_u64, 0);
    loop {
        let buffer = input.fill_buf()?;
        let ended = buffer.is_empty();
        let mut rest = buffer;
        let length = buffer.len();
        loop {
            let separator = scanner.cell_end(rest);
            let end = separator.unwrap_or(rest.len());
            cell.extend_from_slice(&rest[..end]);
            if separator.is_none() && !ended {
                break;
            }
            if scanner.quoted {
                return Err(CsvError::OpenQuote(record));
            }
            // A line end may be CR LF; the CR belongs to it, not to the cell.
            let newline = separator.is_none() || rest[end] == b'\n';
            let carriage = newline && cell.ends_with(b"\r");
            let content = if carriage { &cell[..cell.len() - 1] } else { &cell[..] };
            if record == 1 {
                names.push(unquote(content));
                output.write_all(content)?;
            } else if let Some((_, column)) = chosen.iter().find(|(at, _)| *at == index) {
                let opened = open(&unquote(content)).map_err(|source| CsvError::Cell {
                    record,
                    column: (*column).clone(),
                    source,
                })?;
                match opened {
                    Some(value) => write_quoted(&mut output, &value)?,
                    None => output.write_all(content)?,
                }
            } else {
                output.write_all(content)?;
            }
            if carriage {
                output.write_all(b"\r")?;
            }
            cell.clear();
            index += 1;
            if newline && record == 1 {
                chosen = choose(&names, columns)?;
            }
            let Some(separator) = separator else { break };
            output.write_all(&rest[separator..=separator])?;
            if newline {
                record += 1;
                index = 0;
            }
            rest = &rest[separator + 1..];
            if ended || rest.is_empty() {
                break;
            }
        }
        if ended {
            return Ok(output.flush()?);
        }
        input.consume(length);
    }
}

/// Where each of `columns` stands.
fn choose<'a>(
    names: &[Vec<u8>],
    columns: &'a [String],
) -> Result<Vec<(usize, &'a String)>, CsvError> {
    // A byte order mark, as spreadsheets write it, is no part of the first name.
    let plain = |name: &[u8]| name.strip_prefix("\u{feff}".as_bytes()).unwrap_or(name).to_vec();
    columns
        .iter()
        .map(|column| {
            names
                .iter()
                .position(|name| plain(name) == column.as_bytes())
                .map(|at| (at, column))
                .ok_or_else(|| CsvError::NoColumn(column.clone()))
        })
        .collect()
}

/// Finds the ends of cells across buffers.
#[derive(Debug, Default)]
struct Scanner {
    /// Inside quotes; a doubled quote leaves and enters again at once.
    quoted: bool,
}

impl Scanner {
    /// Position of the comma or line end that ends the current cell.
    fn cell_end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'"' => self.quoted = !self.quoted,
                b',' | b'\n' if !self.quoted => return Some(at),
                _ => {}
            }
        }
        None
    }
}

/// The content of a cell.
fn unquote(cell: &[u8]) -> Vec<u8> {
    let Some(inner) = cell.strip_prefix(b"\"").and_then(|cell| cell.strip_suffix(b"\"")) else {
        return cell.to_vec();
    };
    let mut content = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        content.push(*byte);
        if *byte == b'"' {
            bytes.next();
        }
    }
    content
}

/// Writes a cell, in quotes where its content needs them. An empty one does: without them
/// PostgreSQL reads NULL.
fn write_quoted(mut output: impl Write, value: &[u8]) -> io::Result<()> {
    let plain = |byte: &u8| !matches!(byte, b'"' | b',' | b'\n' | b'\r');
    let bare = !value.is_empty() && value != b"\\." && value.iter().all(plain);
    if bare {
        return output.write_all(value);
    }
    output.write_all(b"\"")?;
    for part in value.split_inclusive(|byte| *byte == b'"') {
        output.write_all(part)?;
        if part.ends_with(b"\"") {
            output.write_all(b"\"")?;
        }
    }
    output.write_all(b"\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Opens `T<value>`; leaves everything else.
    fn run(text: &str, columns: &[&str]) -> Result<String, CsvError> {
        let columns: Vec<String> = columns.iter().map(|c| (*c).to_owned()).collect();
        let mut outputs = Vec::new();
        // Whatever the buffers' size, the result is the same.
        for size in [1, 2, 3, 7, 4096] {
            let mut output = Vec::new();
            copy(
                io::BufReader::with_capacity(size, text.as_bytes()),
                &mut output,
                &columns,
                &mut |cell| Ok(cell.strip_prefix(b"T").map(<[u8]>::to_vec)),
            )?;
            outputs.push(String::from_utf8(output).expect("UTF-8"));
        }
        outputs.dedup();
        assert_eq!(outputs.len(), 1, "{outputs:?}");
        Ok(outputs.remove(0))
    }

    #[test]
    fn only_the_chosen_column_changes() {
        let text = "id,email,note\r\n1,Ta@b.c,Tkeep\r\n2,,\"\"\r\n3,\"Tx,\"\"y\"\"\",\"a\nb\"";
        let expected = "id,email,note\r\n1,a@b.c,Tkeep\r\n2,,\"\"\r\n3,\"x,\"\"y\"\"\",\"a\nb\"";
        assert_eq!(run(text, &["email"]).expect("good"), expected);
    }

    #[test]
    fn nothing_and_empty_stay_two_things() {
        assert_eq!(run("a,b\n,T\n\"\",T\n", &["a", "b"]).expect("good"), "a,b\n,\"\"\n\"\",\"\"\n");
    }

    #[test]
    fn a_column_that_is_not_there_is_an_error() {
        assert!(matches!(run("a,b\n1,2\n", &["c"]), Err(CsvError::NoColumn(name)) if name == "c"));
        assert!(matches!(run("a\n\"1", &["a"]), Err(CsvError::OpenQuote(2))));
        assert_eq!(run("\u{feff}a\nTx\n", &["a"]).expect("good"), "\u{feff}a\nx\n");
    }
}
