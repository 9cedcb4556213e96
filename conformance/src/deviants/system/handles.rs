//! Deviants that break the clauses under "Handles".

use std::sync::Mutex;

use ff_core::backend::{BackendTag, Handle, HandleKind, HandlePayload};
use ff_core::call::Reply;
use ff_core::engine_error::{EngineError, StateKind};

use crate::deviants::declare::deviant;
use crate::deviants::fault::{Answer, Fault, answer, call};

deviant!("any-family", SYS_025, "Takes handles for its own whatever their tag." => call(|call| {
    if let Some(handle) = call.handle_mut() {
        handle.backend = BackendTag::Mock;
    }
}));

deviant!("suspended-is-fresh", SYS_026,
    "Takes a suspension's handle for a lease's." => call(|call| {
    if let Some(handle) = call.handle_mut() {
        handle.kind = HandleKind::Fresh;
    }
}));

deviant!("mends-handles", SYS_030, "Guesses what a damaged handle was." => mends_handles());

deviant!("fresh-only", SYS_026, "Does not know resumed handles." => answer(|call, answer| {
    if call.clone().handle_mut().is_some_and(|handle| handle.kind == HandleKind::Resumed) {
        *answer = Err(EngineError::State(StateKind::AlreadySuspended));
    }
}));

fn mends_handles() -> Fault {
    let last: std::sync::Arc<Mutex<Option<Handle>>> = std::sync::Arc::default();
    let kept = std::sync::Arc::clone(&last);
    call(move |call| {
        if let (Some(handle), Ok(last)) = (call.handle_mut(), last.lock())
            && HandlePayload::open(BackendTag::Mock, handle).is_err()
            && let Some(good) = &*last
        {
            *handle = good.clone();
        }
    })
    .answer(move |_, answer: &mut Answer| {
        if let (Ok(Reply::Claim(Some(handle))), Ok(mut kept)) = (answer, kept.lock()) {
            *kept = Some(handle.clone());
        }
    })
}
