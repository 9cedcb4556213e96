//! The secrets that sign tokens.

use std::collections::BTreeMap;

use ff_core::contracts::{
    RotateWaitpointHmacSecretAllArgs, RotateWaitpointHmacSecretAllEntry,
    RotateWaitpointHmacSecretAllResult, RotateWaitpointHmacSecretOutcome, SeedOutcome,
    SeedWaitpointHmacSecretArgs,
};
use ff_core::engine_error::{ConflictKind, EngineError, ValidationKind};
use ff_core::types::{MAX_INTEGER, TimestampMs};

use crate::engine::Rule;
use crate::records::{Secret, Secrets};
use crate::session::Session;
use crate::store::Tx;

/// The longest key id, in bytes.
const MAX_KID: usize = 64;

/// The digits of a secret that is seeded.
const SEEDED_DIGITS: usize = 64;

/// The most digits of a secret that others are replaced by.
const MAX_DIGITS: usize = 64 * 1024;

/// WPT-018.
pub(crate) fn check_rotation(args: &RotateWaitpointHmacSecretAllArgs) -> Result<(), EngineError> {
    check_kid(&args.new_kid)?;
    let digits = args.new_secret_hex.len();
    let fits = (2..=MAX_DIGITS).contains(&digits) && digits.is_multiple_of(2);
    check_secret(&args.new_secret_hex, fits)?;
    if args.grace_ms > MAX_INTEGER {
        let why = format!("a grace of {} ms is more than {MAX_INTEGER} ms", args.grace_ms);
        return Err(EngineError::validation(ValidationKind::InvalidGraceMs, why));
    }
    Ok(())
}

/// WPT-022.
pub(crate) fn check_seed(args: &SeedWaitpointHmacSecretArgs) -> Result<(), EngineError> {
    check_kid(&args.kid)?;
    check_secret(&args.secret_hex, args.secret_hex.len() == SEEDED_DIGITS)
}

fn check_kid(kid: &str) -> Result<(), EngineError> {
    let is_of_kids = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if (1..=MAX_KID).contains(&kid.len()) && kid.bytes().all(is_of_kids) {
        return Ok(());
    }
    let why = "a key id is 1 to 64 letters, digits, _ and -";
    Err(EngineError::validation(ValidationKind::InvalidKid, why))
}

/// What is wrong is told without the secret (WPT-009).
fn check_secret(hex: &str, fits: bool) -> Result<(), EngineError> {
    if fits && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    let why = format!("the secret of {} bytes is not what is asked for in hexadecimal", hex.len());
    Err(EngineError::validation(ValidationKind::InvalidSecretHex, why))
}

/// Makes a new secret current everywhere (WPT-019, WPT-020).
pub(crate) async fn rotate<T: Tx>(
    tx: &mut Session<T>,
    partitions: u16,
    args: &RotateWaitpointHmacSecretAllArgs,
) -> Rule<RotateWaitpointHmacSecretAllResult> {
    let now = tx.now().await?;
    let mut entries = Vec::new();
    for (partition, known) in locked(tx, partitions).await? {
        let (secrets, result) = rotated(partition, known, args, now);
        if let Some(secrets) = secrets {
            tx.put(&secrets);
        }
        entries.push(RotateWaitpointHmacSecretAllEntry::new(partition, result));
    }
    Ok(RotateWaitpointHmacSecretAllResult::new(entries))
}

/// What one partition has after a rotation, if that is something else, and how it went there.
fn rotated(
    partition: u16,
    known: Option<Secrets>,
    args: &RotateWaitpointHmacSecretAllArgs,
    now: TimestampMs,
) -> (Option<Secrets>, Result<RotateWaitpointHmacSecretOutcome, EngineError>) {
    let kid = &args.new_kid;
    let hex = args.new_secret_hex.to_ascii_lowercase();
    let previous = known.as_ref().map(|known| known.current.clone());
    let mut retained = known.map(|known| known.retained).unwrap_or_default();
    let before = retained.len();
    retained.retain(|_, secret| secret.is_retained(now));
    if let Some(secret) = retained.get(kid) {
        let is_current = previous.as_ref() == Some(kid);
        if is_current && secret.hex == hex {
            return (None, Ok(RotateWaitpointHmacSecretOutcome::Noop { kid: kid.clone() }));
        }
        let conflict = ConflictKind::RotationConflict(kid.clone());
        return (None, Err(EngineError::Conflict(conflict)));
    }
    let gc_count = u32::try_from(before - retained.len()).unwrap_or(u32::MAX);
    if let Some(superseded) = previous.as_ref().and_then(|previous| retained.get_mut(previous)) {
        let until = now.0.saturating_add_unsigned(args.grace_ms).min(MAX_INTEGER.cast_signed());
        superseded.verifies_until = Some(TimestampMs(until));
    }
    retained.insert(kid.clone(), Secret { hex, verifies_until: None });
    let outcome = RotateWaitpointHmacSecretOutcome::Rotated {
        gc_count,
        new_kid: kid.clone(),
        previous_kid: previous,
    };
    (Some(Secrets { partition, current: kid.clone(), retained }), Ok(outcome))
}

/// Installs the first secret where there is none (WPT-023), or nothing at all (WPT-027).
pub(crate) async fn seed<T: Tx>(
    tx: &mut Session<T>,
    partitions: u16,
    args: &SeedWaitpointHmacSecretArgs,
) -> Rule<SeedOutcome> {
    let (now, kid) = (tx.now().await?, &args.kid);
    let hex = args.secret_hex.to_ascii_lowercase();
    let (mut is_new, mut same_secret) = (false, true);
    for (partition, known) in locked(tx, partitions).await? {
        let Some(known) = known else {
            let secret = Secret { hex: hex.clone(), verifies_until: None };
            let retained = BTreeMap::from([(kid.clone(), secret)]);
            tx.put(&Secrets { partition, current: kid.clone(), retained });
            is_new = true;
            continue;
        };
        let retained = known.retained.get(kid).filter(|secret| secret.is_retained(now));
        let Some(secret) = retained else {
            let why = format!("{} signs, so that {kid} cannot be the first", known.current);
            return Err(EngineError::invalid_input(why).into());
        };
        same_secret &= secret.hex == hex;
    }
    let kid = kid.clone();
    Ok(if is_new {
        SeedOutcome::Seeded { kid }
    } else {
        SeedOutcome::AlreadySeeded { kid, same_secret }
    })
}

async fn locked<T: Tx>(tx: &mut Session<T>, partitions: u16) -> Rule<Vec<(u16, Option<Secrets>)>> {
    let all = (0..partitions).map(|partition| Secrets::at(&partition));
    let found = tx.lock(all.collect::<Vec<_>>()).await?;
    Ok((0..partitions).zip(found).collect())
}

impl Secret {
    /// Up to the end of its grace, if it was superseded (WPT-026).
    pub(super) fn is_retained(&self, now: TimestampMs) -> bool {
        self.verifies_until.is_none_or(|until| now <= until)
    }
}
