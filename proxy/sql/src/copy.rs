//! What a COPY says about its data: the columns in the stream, and how they are written.

use crate::catalog::ColumnId;

/// The data of a COPY over something in scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyPlan {
    /// True for COPY FROM STDIN, false for COPY TO STDOUT.
    pub into: bool,
    /// The relation's name, for error contexts; none for a query.
    pub relation: Option<String>,
    /// The columns of the stream in order.
    pub columns: Vec<CopyColumn>,
    /// How they are written.
    pub options: CopyOptions,
}

/// One column of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyColumn {
    /// Its name.
    pub name: String,
    /// COPY FROM: the sealed column that it is stored in.
    pub sealed: Option<ColumnId>,
}

/// The options as the statement gives them (PostgreSQL documentation, "COPY"); `None` and `false`:
/// not given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyOptions {
    /// FORMAT
    pub format: CopyFormatName,
    /// DELIMITER
    pub delimiter: Option<String>,
    /// NULL
    pub null: Option<String>,
    /// DEFAULT
    pub default: Option<String>,
    /// HEADER
    pub header: CopyHeader,
    /// QUOTE
    pub quote: Option<String>,
    /// ESCAPE
    pub escape: Option<String>,
    /// FORCE_QUOTE
    pub force_quote: ColumnList,
    /// FORCE_NOT_NULL
    pub force_not_null: ColumnList,
    /// FORCE_NULL
    pub force_null: ColumnList,
    /// ENCODING
    pub encoding: Option<String>,
}

/// FORMAT
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CopyFormatName {
    #[default]
    Text,
    Csv,
    Binary,
}

/// HEADER
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CopyHeader {
    #[default]
    Off,
    On,
    Match,
}

/// Columns that an option names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ColumnList {
    /// The option is not given.
    #[default]
    None,
    /// `*`
    All,
    /// These.
    Names(Vec<String>),
}
