//! Random values that are hard to get right.

use fastrand::Rng;
use pgveil_eval::selftest::HARD;

/// Letters with several counterparts, and what patterns are made of.
const CHARACTERS: &[char] = &[
    'a', 'b', 'A', 'B', 'i', 'I', 's', 'S', 'k', 'x', ' ', ' ', '-', '_', '%', '\\', '.', '\'',
    '"', '0', '1', 'ı', 'İ', 'ſ', 'K', 'ß', 'ẞ', 'é', 'É', 'e', '\u{301}', 'ö', 'Ö', 'σ', 'ς', 'Σ',
    'ǆ', 'ǅ', 'ä', 'æ', '中', '\u{200b}', '\u{ad}', '😀', '𐐀', '𐐨', '\t', '\n', '²', '٣',
];

/// A few characters that meet often.
const FEW: &[char] = &['a', 'b', 'A', 'é', 'É', 'ı', 'I', '%', '_', '\\'];

/// A value.
pub(crate) fn value(random: &mut Rng) -> String {
    match random.u8(..8) {
        0 => (*pick(random, HARD)).to_owned(),
        1 => format!("{}{}", pick(random, HARD), pick(random, HARD)),
        // Any code point except the first and the surrogates.
        2 => (0..random.usize(..4)).map(|_| random.char('\u{1}'..='\u{10ffff}')).collect(),
        3 => (0..random.usize(..4)).map(|_| random.char('\u{1}'..='\u{24f}')).collect(),
        4 => (0..random.usize(..8)).map(|_| *pick(random, FEW)).collect(),
        _ => (0..random.usize(..12)).map(|_| *pick(random, CHARACTERS)).collect(),
    }
}

/// A pattern, often one that has something to do with the value.
pub(crate) fn pattern(random: &mut Rng, value: &str) -> String {
    if random.u8(..4) == 0 {
        return (0..random.usize(..6)).map(|_| *pick(random, FEW)).collect();
    }
    let mut pattern = String::new();
    if random.u8(..3) == 0 {
        pattern.push('%');
    }
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match random.u8(..16) {
            0 => pattern.push('_'),
            1 => pattern.push('%'),
            2 => {
                pattern.push('%');
                characters.nth(random.usize(..3));
            }
            3 => pattern.extend(['\\', character]),
            4 => pattern.extend(character.to_uppercase()),
            5 => pattern.extend(character.to_lowercase()),
            6 => {}
            _ if matches!(character, '%' | '_' | '\\') => pattern.extend(['\\', character]),
            _ => pattern.push(character),
        }
    }
    match random.u8(..16) {
        0 => pattern.push('\\'),
        1..6 => pattern.push('%'),
        _ => {}
    }
    pattern
}

pub(crate) fn pick<'a, T>(random: &mut Rng, from: &'a [T]) -> &'a T {
    &from[random.usize(..from.len())]
}
