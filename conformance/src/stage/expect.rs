//! What a case asserts.

/// Asserts that what was seen equals what was expected.
macro_rules! expect_eq {
    ($seen:expr, $expected:expr $(,)?) => {
        expect_eq!($seen, $expected, "{}", stringify!($seen))
    };
    ($seen:expr, $expected:expr, $($why:tt)+) => {{
        // A match keeps temporaries in the operands alive, as `assert_eq!` does.
        match (&$seen, &$expected) {
            (seen, expected) => {
                if *seen != *expected {
                    let why = format!($($why)+);
                    return Err($crate::stage::failure::Failure::differing(why, &expected, &seen));
                }
            }
        }
    }};
}

/// Asserts that something holds.
macro_rules! expect {
    ($holds:expr, $($why:tt)+) => {{
        let holds: bool = $holds;
        if !holds {
            return Err($crate::stage::failure::Failure::new(format!($($why)+)));
        }
    }};
}

/// Asserts that a call is refused with this code.
macro_rules! expect_refused {
    ($answer:expr, $code:expr $(, $($why:tt)+)?) => {{
        let answer = $answer;
        #[allow(unused_mut, unused_assignments)]
        let mut why = format!("{} is refused", stringify!($answer));
        $(why = format!($($why)+);)?
        let expected: &str = $code;
        if !answer.as_ref().is_err_and(|error| error.code() == expected) {
            let seen = $crate::stage::told(&answer);
            return Err($crate::stage::failure::Failure::refused(why, expected, seen));
        }
    }};
}
