//! Tokens that open waitpoints: the id of a key, and what it signs of the waitpoint (WPT-005, WPT-006).

use ff_core::engine_error::{EngineError, ValidationKind};
use ff_core::types::{ExecutionId, TimestampMs, WaitpointId, WaitpointToken};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use crate::records::{Secrets, Waitpoint};

/// What a token stands for.
#[derive(Clone, Copy)]
pub(super) struct Bound<'a> {
    pub(super) execution: &'a ExecutionId,
    pub(super) waitpoint: &'a WaitpointId,
    pub(super) created_at: TimestampMs,
    pub(super) name: &'a str,
}

impl Bound<'_> {
    /// No two waitpoints have one text: only the name, which is last, may have any character.
    fn text(&self) -> String {
        let Self { execution, waitpoint, created_at, name } = self;
        format!("{execution}|{waitpoint}|{created_at}|{name}")
    }

    fn signature(&self, hex: &str) -> Option<Hmac<Sha1>> {
        let mut mac = Hmac::new_from_slice(&bytes_of(hex)?).ok()?;
        mac.update(self.text().as_bytes());
        Some(mac)
    }
}

/// The token of a new waitpoint, signed with the current secret (WPT-010).
pub(super) fn sign(
    secrets: Option<&Secrets>,
    bound: Bound<'_>,
) -> Result<WaitpointToken, EngineError> {
    let unsigned = || EngineError::invalid_input("no secret has been seeded that signs tokens");
    let secrets = secrets.ok_or_else(unsigned)?;
    let secret = secrets.retained.get(&secrets.current).ok_or_else(unsigned)?;
    let signature = bound.signature(&secret.hex).ok_or_else(unsigned)?;
    let digest = signature.finalize().into_bytes();
    Ok(WaitpointToken::new(format!("{}:{digest:x}", secrets.current)))
}

/// Whether the token opens the waitpoint now (WPT-007). What is secret is compared in constant time.
pub(super) fn opens(
    secrets: Option<&Secrets>,
    waitpoint: &Waitpoint,
    token: &WaitpointToken,
    now: TimestampMs,
) -> bool {
    let is_its_own = token.as_str().as_bytes().ct_eq(waitpoint.token.as_str().as_bytes());
    let is_signed = || {
        let (kid, digest) = token.as_str().split_once(':')?;
        let secret = secrets?.retained.get(kid).filter(|secret| secret.is_retained(now))?;
        waitpoint.bound().signature(&secret.hex)?.verify_slice(&bytes_of(digest)?).ok()
    };
    is_signed().is_some() & bool::from(is_its_own)
}

/// The refusal does not say what is wrong with the token (SIG-004).
pub(super) fn not_accepted() -> EngineError {
    EngineError::validation(ValidationKind::InvalidToken, "the token does not open this waitpoint")
}

impl Waitpoint {
    fn bound(&self) -> Bound<'_> {
        Bound {
            execution: &self.execution,
            waitpoint: &self.id,
            created_at: self.created_at,
            name: &self.name,
        }
    }

    /// The id of the key that signed its token, and the beginning of the signature (WPT-014).
    pub(super) fn fingerprint(&self) -> Option<(&str, &str)> {
        let (kid, digest) = self.token.as_str().split_once(':')?;
        Some((kid, digest.get(..16)?))
    }
}

/// The bytes of pairs of hexadecimal digits in lower case.
fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair[0])? * 16 + digit(*pair.get(1)?)?)).collect()
}
