//! Quoting of identifiers and literals, the one place where it is done.

/// The identifier, always in double quotes: no list of key words to keep, and a name in quotes is
/// never folded (PostgreSQL, "Identifiers and Key Words").
pub fn quote_ident(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len() + 2);
    quoted.push('"');
    for c in name.chars() {
        if c == '"' {
            quoted.push('"');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// `"schema"."name"`.
pub fn quote_name(schema: &str, name: &str) -> String {
    format!("{}.{}", quote_ident(schema), quote_ident(name))
}

/// The value as a string literal that reads the same whatever `standard_conforming_strings` says:
/// with a backslash in it, it becomes an `E''` literal (PostgreSQL, "String Constants").
pub fn quote_literal(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 3);
    if value.contains('\\') {
        // The blank keeps `E` apart from a key word written just before it.
        quoted.push_str(" E");
    }
    quoted.push('\'');
    for c in value.chars() {
        if c == '\'' || c == '\\' {
            quoted.push(c);
        }
        quoted.push(c);
    }
    quoted.push('\'');
    quoted
}

/// A name of at most 63 bytes, PostgreSQL's `NAMEDATALEN - 1`. A longer one is cut between two
/// characters and ends in a hash of the whole, so that two long names stay different and the
/// server never cuts one to something that is not looked for.
pub fn short_name(name: &str) -> String {
    const LIMIT: usize = 63;
    if name.len() <= LIMIT {
        return name.to_owned();
    }
    // FNV-1a, 64 bits: stable across builds, and not there to withstand an attacker.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let suffix = format!("_{hash:016x}");
    let mut cut = LIMIT - suffix.len();
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}{suffix}", &name[..cut])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_and_literals() {
        assert_eq!(quote_ident("e\"mail"), "\"e\"\"mail\"");
        assert_eq!(quote_name("a.b", "C"), "\"a.b\".\"C\"");
        assert_eq!(quote_literal("O'Neil"), "'O''Neil'");
        assert_eq!(quote_literal("a\\'"), " E'a\\\\'''");
    }

    #[test]
    fn long_names_stay_different_and_whole_characters() {
        let long = "ä".repeat(40);
        let other = format!("{long}x");
        for name in [&long, &other] {
            assert!(short_name(name).len() <= 63);
        }
        assert_ne!(short_name(&long), short_name(&other));
        assert_eq!(short_name("short"), "short");
        assert_eq!(short_name(&"a".repeat(63)), "a".repeat(63));
    }
}
