//! Tokens, which no text for people shows. Their serialised form is the only way out.

use std::fmt;

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

/// The signed token that authorises a signal: the name of the key that signed it, a colon, the
/// signature. It shows as that name and its length.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Arbitrary)]
#[serde(transparent)]
pub struct WaitpointToken(pub String);

impl WaitpointToken {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for WaitpointToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kid = self.0.split_once(':').map_or("", |(kid, _)| kid);
        // What does not look like the name of a key may be anything.
        let is_kid = (1..=64).contains(&kid.len())
            && kid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        let kid = if is_kid { kid } else { "?" };
        write!(f, "<token {kid}, {} bytes>", self.0.len())
    }
}

impl fmt::Display for WaitpointToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl From<String> for WaitpointToken {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for WaitpointToken {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}
