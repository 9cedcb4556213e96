//! Deliveries of signals.

use ff_core::contracts::DeliverSignalResult;
use ff_core::engine_backend::EngineBackend;
use ff_core::stream_events::{SignalDeliveryEffect, SignalDeliveryEvent};

use crate::stage::{Failure, Suspended, Verdict, World, case, named_at};

impl World {
    /// A suspension until a signal called `go` comes.
    async fn waits_for_go(&self) -> Result<Suspended, Failure> {
        let args = self.suspending(named_at("go", "wp"), &["wp"]);
        self.suspended_by(self.signing().await?, args).await
    }
}

/// Accepted, again, under a key that is known, by approval, and refused.
#[case(EVT_016)]
async fn delivered(world: World) -> Verdict {
    let suspended = world.waits_for_go().await?;
    let target = suspended.target();
    let mut signals = world.follow::<SignalDeliveryEvent>().await?;
    let mut first = world.signal_named(&target, "other");
    first.idempotency_key = Some("key".to_owned());
    let mut known = world.signal_named(&target, "other");
    known.idempotency_key = Some("key".to_owned());
    let mut stale = world.signal_named(&target, "other");
    stale.waitpoint_token = world.suspended().await?.target().token;
    expect_refused!(world.deliver_signal(stale).await, "validation.invalid_token", "refused");
    for args in [first.clone(), first.clone(), known] {
        world.deliver_signal(args).await?;
        let event = signals.next().await?;
        let seen = (&event.execution_id, event.waitpoint_id, event.signal_id);
        let expected = (&suspended.id, Some(target.waitpoint), first.signal_id);
        expect_eq!(seen, expected, "of the one that was accepted");
    }
    world.deliver_approval_signal(world.approval(&target, "one")).await?;
    let approved = signals.next().await?;
    expect_eq!(approved.execution_id, suspended.id, "an approval");
    expect!(approved.signal_id != first.signal_id, "a signal of its own");
    Ok(())
}

/// Of every effect, with a source and without.
#[case(EVT_027)]
async fn effects(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let pending = world.pending(&claimed, "wp").await?;
    let mut signals = world.follow::<SignalDeliveryEvent>().await?;
    world.deliver_signal(world.signal(&pending)).await?;
    let suspended = world.waits_for_go().await?;
    let target = suspended.target();
    let mut other = world.signal_named(&target, "other");
    other.source_identity = String::new();
    let satisfying = world.signal(&target);
    let deliveries = [other, satisfying.clone(), satisfying];
    let mut effects = Vec::new();
    for args in deliveries {
        let told = world.deliver_signal(args).await.map_err(Failure::setup_refused)?;
        effects.extend(match told {
            DeliverSignalResult::Accepted { effect, .. } => Some(effect),
            DeliverSignalResult::Duplicate { .. } => None,
        });
    }
    let mut seen = Vec::new();
    for _ in 0..4 {
        let event = signals.next().await?;
        seen.push((event.effect, event.source_identity));
    }
    let tester = Some("tester".to_owned());
    let expected = [
        (SignalDeliveryEffect::Buffered, tester.clone()),
        (SignalDeliveryEffect::Other(effects.swap_remove(0)), None),
        (SignalDeliveryEffect::Satisfied, tester.clone()),
        (SignalDeliveryEffect::Deduped, tester),
    ];
    expect_eq!(seen, expected, "in the order of the deliveries");
    Ok(())
}
