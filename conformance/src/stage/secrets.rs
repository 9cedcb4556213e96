//! Secrets and the digests of tokens never show in what people read (WPT-009).

use std::fmt::Write;

/// No shorter run of hexadecimal digits is a secret or a digest, and no id has one.
const DIGITS: usize = 32;

/// The text, with the number of digits in the place of every secret and digest.
pub(crate) fn redacted(text: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_that_are_no_secret_stay() {
        let digest = "0123456789abcdef0123456789ABCDEF01234567";
        assert_eq!(redacted(&format!("kid:{digest}, ok")), "kid:<40 digits>, ok");
        assert_eq!(redacted(digest), "<40 digits>");
        for text in ["", "added", "904ce7a3-130c-4f9f-85a4-1338d3966d09", "é 1234 ü"] {
            assert_eq!(redacted(text), text);
        }
    }
}
