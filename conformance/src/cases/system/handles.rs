//! Handles that this backend did not make, or that stand for no lease.

use std::time::Duration;

use ff_core::backend::{BackendTag, FailureClass, Handle, HandleKind, HandleOpaque};
use ff_core::call::Method;
use ff_core::engine_backend::EngineBackend;

use crate::stage::{Verdict, World, case};

/// The handle under another family's tag.
pub(super) fn retagged(handle: &Handle) -> Handle {
    let other = match handle.backend {
        BackendTag::Valkey => BackendTag::Postgres,
        _ => BackendTag::Valkey,
    };
    Handle::new(other, handle.kind, handle.opaque.clone())
}

/// A handle under another backend's tag.
#[case(SYS_025)]
async fn foreign(world: World) -> Verdict {
    refused_everywhere(&world, retagged, "validation.handle_from_other_backend").await
}

/// A handle of a family that nobody has heard of.
#[case(SYS_025)]
async fn unknown_family(world: World) -> Verdict {
    let unheard = |handle: &Handle| {
        Handle::new(BackendTag::Other("unheard-of"), handle.kind, handle.opaque.clone())
    };
    refused_everywhere(&world, unheard, "validation.handle_from_other_backend").await
}

/// A handle that stands for a suspension.
#[case(SYS_026)]
async fn suspended(world: World) -> Verdict {
    let kind = |handle: &Handle| with_kind(handle, HandleKind::Suspended);
    refused_everywhere(&world, kind, "state.already_suspended").await
}

/// Fresh, resumed and reclaimed handles do the same.
#[case(SYS_026)]
async fn kinds(world: World) -> Verdict {
    for kind in [HandleKind::Fresh, HandleKind::Resumed, HandleKind::Reclaimed] {
        let (id, handle) = world.claimed().await?;
        let handle = with_kind(&handle, kind);
        world.progress(&handle, Some(1), None).await?;
        world.renew(&handle).await?;
        world.complete(&handle, None).await?;
        let outcome = world.field(&id, "terminal_outcome").await?;
        expect_eq!(outcome.as_deref(), Some("success"), "{kind:?}");
    }
    Ok(())
}

/// A handle cut short anywhere, or lengthened.
#[case(SYS_030)]
async fn damaged(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let before = world.observe(&id).await?;
    let bytes = handle.opaque.as_bytes();
    let mut shapes: Vec<Vec<u8>> = (0..bytes.len()).map(|end| bytes[..end].to_vec()).collect();
    shapes.push([bytes, &[0]].concat());
    for shape in shapes {
        let length = shape.len();
        let opaque = HandleOpaque::new(shape.into_boxed_slice());
        let broken = Handle::new(handle.backend, handle.kind, opaque);
        let answer = world.renew(&broken).await;
        expect_refused!(answer, "validation.corruption", "{length} of {} bytes", bytes.len());
    }
    expect_eq!(world.observe(&id).await?, before, "nothing changes");
    let cut = |handle: &Handle| {
        let bytes = handle.opaque.as_bytes();
        let opaque = HandleOpaque::new(bytes[..bytes.len() - 1].into());
        Handle::new(handle.backend, handle.kind, opaque)
    };
    refused_everywhere(&world, cut, "validation.corruption").await
}

fn with_kind(handle: &Handle, kind: HandleKind) -> Handle {
    Handle::new(handle.backend, kind, handle.opaque.clone())
}

/// Every call under a lease refuses what the change makes of a good handle, and changes nothing.
async fn refused_everywhere(
    world: &World,
    change: impl Fn(&Handle) -> Handle,
    code: &str,
) -> Verdict {
    let id = world.execution().lane("bad-handles").create().await?;
    let handle = world.worker().lane("bad-handles").claim().await?;
    let bad = change(&handle);
    let before = world.observe(&id).await?;
    expect_refused!(world.renew(&bad).await, code, "renew");
    expect_refused!(world.progress(&bad, Some(1), None).await, code, "progress");
    expect_refused!(world.complete(&bad, None).await, code, "complete");
    expect_refused!(world.fail_with(&bad, FailureClass::Permanent).await, code, "fail");
    expect_refused!(world.cancel(&bad, "why").await, code, "cancel");
    if world.claims(Method::Suspend) {
        expect_refused!(world.suspend(&bad, world.plain_suspension()).await, code, "suspend");
    }
    if world.claims(Method::CreateWaitpoint) {
        let answer = world.create_waitpoint(&bad, "wp", Duration::from_mins(1)).await;
        expect_refused!(answer, code, "create_waitpoint");
    }
    // A suspension can be observed by the handle that stands for it.
    if world.claims(Method::ObserveSignals) && code != "state.already_suspended" {
        expect_refused!(world.observe_signals(&bad).await, code, "observe_signals");
    }
    expect_eq!(world.observe(&id).await?, before, "nothing changes");
    world.renew(&handle).await?;
    Ok(())
}
