//! Secrets and the digests of tokens never show in what people read (WPT-009).

use std::fmt::Write;

/// No shorter run of hexadecimal digits is a secret or a digest, and no id has one.
const DIGITS: usize = 32;

/// The text, with the number of digits in the place of every secret and digest.
pub fn redacted(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let is_digit = |letter: char| letter.is_ascii_hexdigit();
        let digits = rest.find(|letter| !is_digit(letter)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(digits);
        if digits >= DIGITS {
            // Writing to a string never fails.
            let _ = write!(shown, "<{digits} digits>");
        } else {
            shown += run;
        }
        let others = after.find(is_digit).unwrap_or(after.len());
        let (between, after) = after.split_at(others);
        shown += between;
        rest = after;
    }
    shown
}
