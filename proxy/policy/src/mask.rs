//! Showing a part of a value.

/// Shows the first and last characters of a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mask {
    /// How many characters (Unicode scalar values, as PostgreSQL counts) stay at the start.
    pub keep_first: u32,
    /// How many stay at the end.
    pub keep_last: u32,
    /// What stands for the rest, however long it is.
    pub with: String,
}

impl Mask {
    /// Appends the masked value. A value that has no characters besides those that would stay is
    /// replaced as a whole: a mask never shows all of a value.
    pub fn apply(&self, value: &str, out: &mut String) {
        let first = self.keep_first as usize;
        let last = self.keep_last as usize;
        // Where the first characters end; none: the value is not that long.
        let head = value.char_indices().map(|(at, _)| at).nth(first);
        let tail = match last.checked_sub(1) {
            None => Some(value.len()),
            Some(nth) => value.char_indices().rev().map(|(at, _)| at).nth(nth),
        };
        match (head, tail) {
            (Some(head), Some(tail)) if head < tail => {
                out.push_str(&value[..head]);
                out.push_str(&self.with);
                out.push_str(&value[tail..]);
            }
            _ => out.push_str(&self.with),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Mask;

    fn masked(first: u32, last: u32, value: &str) -> String {
        let mut out = String::new();
        Mask { keep_first: first, keep_last: last, with: "***".to_owned() }.apply(value, &mut out);
        out
    }

    #[test]
    fn the_ends_stay() {
        assert_eq!(masked(1, 0, "ada@example.org"), "a***");
        assert_eq!(masked(2, 3, "ada@example.org"), "ad***org");
        assert_eq!(masked(0, 2, "ада"), "***да");
        assert_eq!(masked(0, 0, "ada"), "***");
    }

    #[test]
    fn a_value_that_is_too_short_is_not_shown() {
        assert_eq!(masked(1, 0, "a"), "***");
        assert_eq!(masked(2, 2, "abcd"), "***");
        assert_eq!(masked(2, 2, "abcde"), "ab***de");
        assert_eq!(masked(u32::MAX, u32::MAX, "abcd"), "***");
        assert_eq!(masked(3, 2, "äöü"), "***");
        assert_eq!(masked(0, 0, ""), "***");
    }
}
