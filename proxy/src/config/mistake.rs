//! Mistakes in a configuration file, and how they are printed.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One mistake: where, what, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Bytes of the file; `None`: the file as a whole.
    pub span: Option<Range<usize>>,
    /// What is wrong, in one line. Never quotes a value that may be a secret.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

/// Every mistake of one file, in the order of the file.
#[derive(Debug)]
pub struct Mistakes {
    path: PathBuf,
    /// `(line, column)` from 1 for each mistake that has a place.
    found: Vec<(Option<(usize, usize)>, Mistake)>,
}

impl Mistakes {
    /// Sorts the mistakes by place. `text` is the file's content.
    pub(super) fn new(path: &Path, text: &str, mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|mistake| mistake.span.as_ref().map(|span| span.start));
        mistakes.dedup();
        let found = mistakes
            .into_iter()
            .map(|mistake| (mistake.span.as_ref().map(|span| place(text, span.start)), mistake))
            .collect();
        Self { path: path.to_owned(), found }
    }

    /// `(line, mistake)` of each; the line counts from 1 and is `None` for the file as a whole.
    pub fn iter(&self) -> impl Iterator<Item = (Option<usize>, &Mistake)> {
        self.found.iter().map(|(place, mistake)| (place.map(|(line, _)| line), mistake))
    }
}

/// Line and column (in characters) of a byte offset, both from 1.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

impl fmt::Display for Mistakes {
    /// `file:line:column: message`, a form that editors jump to; the help below it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (place, mistake)) in self.found.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:", self.path.display())?;
            if let Some((line, column)) = place {
                write!(f, "{line}:{column}:")?;
            }
            write!(f, " {}", mistake.message)?;
            if let Some(help) = &mistake.help {
                write!(f, "\n    {help}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// The name among `known` that somebody who wrote `word` most likely meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Jaro-Winkler likes common beginnings, as typing mistakes and singular/plural have them;
    // below 0.8 the guesses are rarely meant.
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(word, name), name))
        .filter(|(score, _)| *score >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
