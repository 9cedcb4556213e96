//! Waiting for signals (chapter `suspension`).

mod conditions;
mod keys;
mod resume;
mod resumed;
mod signals;
mod suspend;
mod tokens;
mod waitpoints;

pub(crate) use conditions::Counted;
pub(crate) use keys::{check_rotation, check_seed, rotate, seed};
pub(crate) use resume::{check_trigger, expire, list as list_suspended, resume};
pub use resumed::claimed as claimed_resumed;
pub(crate) use resumed::{claim as claim_resumed, claim_by_token};
pub(crate) use signals::{check_name as check_signal_name, deliver, deliver_approval, observe};
pub(crate) use suspend::{check as check_suspension, suspend, suspend_by_triple};
pub(crate) use waitpoints::{
    check_creation as check_waitpoint, close, create as create_waitpoint, list as list_waitpoints,
    parsed as parsed_waitpoint, read_token,
};
