//! Which methods are there, and what a backend says of itself.

use std::time::Duration;

use arbitrary::Unstructured;
use async_trait::async_trait;
use ff_core::backend::{CancelFlowPolicy, CancelFlowWait, PrepareOutcome};
use ff_core::call::{Call, Method};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::stream_events::CompletionEvent;
use ff_core::types::ExecutionId;
use rand::RngCore;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::stage::{
    Failure, Nemesis, Outcome, Play, Played, Running, Stage, Verdict, World, case, declare,
    in_world,
};

declare!(|topic| {
    let calls = Method::ALL.iter().filter(|method| method.is_call());
    let gate = |method: &Method| {
        topic.beside("gate").case(
            method.as_str(),
            "A claimed method is there; one that is not claimed is unavailable.",
            &["SYS-001", "SYS-002"],
            &[],
            Gate(*method),
        )
    };
    calls.map(gate).collect()
});

declare!(|topic| {
    let title = "The forms of a cancellation that have flags of their own.";
    vec![topic.case("forms", title, &["SYS-042"], &[], Forms)]
});

struct Forms;

#[async_trait]
impl Play for Forms {
    async fn play(&self, stage: Stage) -> Played {
        after_all(stage, |world| Box::pin(forms(world))).await
    }
}

struct Gate(Method);

#[async_trait]
impl Play for Gate {
    async fn play(&self, stage: Stage) -> Played {
        let method = self.0;
        after_all(stage, |world| Box::pin(gate(world, method))).await
    }
}

/// Plays a case that goes on after a call that is unavailable, to see what that changed.
async fn after_all(stage: Stage, body: impl FnOnce(World) -> Running) -> Played {
    let outcome = match in_world(stage, body).await {
        Ok(ended) => match &ended.verdict {
            Err(failure) if !failure.is_setup => Outcome::Failed(failure.clone()),
            _ => ended.outcome(),
        },
        Err(failure) => Outcome::Failed(failure),
    };
    outcome.into()
}

/// A method that is claimed does not answer `Unavailable`; one that is not claimed does, which the
/// recorder checks, and changes nothing.
async fn gate(world: World, method: Method) -> Verdict {
    let claimed = world.claims(method);
    // Only a call that is not answered may be aimed at something that it must not change.
    let target = if !claimed && world.claims(Method::CreateExecution) {
        Some(world.execution().create().await?)
    } else {
        None
    };
    let mut before = None;
    let mut call = random_call(&world, method)?;
    if let Some(id) = &target {
        before = Some(world.observe(id).await?);
        call = aimed_at(&call, id)?;
    }
    // A wait for something that never comes is an answer too.
    let answer = tokio::time::timeout(Duration::from_secs(5), call.send(&*world)).await;
    if claimed && let Ok(Err(EngineError::Unavailable { op })) = answer {
        return Err(Failure::new(format!(
            "{method} is claimed, so it does not answer Unavailable {{ op: {op:?} }}"
        )));
    }
    if let Some(id) = &target {
        let after = Some(world.observe(id).await?);
        expect_eq!(after, before, "a method that is not available changes nothing");
    }
    Ok(())
}

fn random_call(world: &World, method: Method) -> Result<Call, Failure> {
    let mut bytes = vec![0; 4096];
    StdRng::seed_from_u64(world.random()).fill_bytes(&mut bytes);
    match Call::arbitrary_of(method, &mut Unstructured::new(&bytes)) {
        Ok(Some(call)) => Ok(call),
        _ => Err(Failure::new(format!("there is a call of {method}"))),
    }
}

/// The call with every execution id in it replaced.
fn aimed_at(call: &Call, id: &ExecutionId) -> Result<Call, Failure> {
    fn replace(value: &mut Value, id: &ExecutionId) {
        match value {
            Value::String(text) if ExecutionId::parse(text).is_ok() => {
                *text = id.to_string();
            }
            Value::Array(items) => items.iter_mut().for_each(|item| replace(item, id)),
            Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, id)),
            _ => {}
        }
    }
    let unreadable = |error: serde_json::Error| Failure::new(error.to_string());
    let mut value = serde_json::to_value(call).map_err(unreadable)?;
    replace(&mut value, id);
    serde_json::from_value(value).map_err(unreadable)
}

/// Asked twice, the answer is the same, and group flags agree.
#[case(SYS_002)]
async fn stable_capabilities(world: World) -> Verdict {
    let first = EngineBackend::capabilities(&*world);
    world.claimed().await?;
    expect_eq!(EngineBackend::capabilities(&*world), first, "the answer does not change");
    expect!(
        first.supports.is_consistent(),
        "a flag for a group is set exactly if all its methods are claimed"
    );
    Ok(())
}

/// The label is the identity's family.
#[case(SYS_003)]
async fn label(world: World) -> Verdict {
    let label = EngineBackend::backend_label(&*world);
    expect!(!label.is_empty(), "the label is not empty");
    expect_eq!(EngineBackend::capabilities(&*world).identity.family, label, "family and label");
    Ok(())
}

/// Empty or full, the storage answers.
#[case(SYS_008)]
async fn ping(world: World) -> Verdict {
    EngineBackend::ping(&*world).await?;
    let (id, _) = world.claimed().await?;
    let before = world.observe(&id).await?;
    EngineBackend::ping(&*world).await?;
    expect_eq!(world.observe(&id).await?, before, "a ping changes nothing");
    Ok(())
}

/// A ping that does not arrive fails, and the storage answers again afterwards.
#[case(SYS_008, SYS_043, needs(nemesis))]
async fn ping_cut_off(world: World) -> Verdict {
    for lose in [Nemesis::lose_request, Nemesis::lose_answer] {
        lost_ping(&world, lose).await?;
        world.reconnect().await?;
        EngineBackend::ping(&*world).await?;
    }
    Ok(())
}

/// Loses a ping, which fails. What a client asks for its own sake may be lost instead, a few times.
async fn lost_ping(world: &World, lose: fn(&dyn Nemesis, usize)) -> Verdict {
    for _ in 0..32 {
        lose(world.nemesis(), 0);
        let answer = EngineBackend::ping(&**world).await;
        expect!(!world.nemesis().spare(), "the storage is asked");
        if let Err(error) = answer {
            let EngineError::Transport { backend, .. } = error.root() else {
                return Err(Failure::new(format!("a ping that is lost is Transport, not {error}")));
            };
            let label = EngineBackend::backend_label(&**world);
            expect_eq!(*backend, label, "whose connection it was");
            return Ok(());
        }
        world.reconnect().await?;
    }
    Err(Failure::new("a ping that is lost fails"))
}

/// Preparing again and at once changes nothing.
#[case(SYS_009, needs(concurrency))]
async fn repeated_preparation(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let before = world.observe(&id).await?;
    let (one, two, three) = futures_util::join!(world.prepare(), world.prepare(), world.prepare());
    for outcome in [one?, two?, three?, world.prepare().await?] {
        expect!(
            matches!(outcome, PrepareOutcome::NoOp | PrepareOutcome::Applied { .. }),
            "preparing has an outcome, not {outcome:?}"
        );
    }
    expect_eq!(world.observe(&id).await?, before, "preparing changes nothing that is stored");
    Ok(())
}

/// Shutting down leaves work as it is and can be repeated.
#[case(SYS_010, SYS_038)]
async fn shutdown(world: World) -> Verdict {
    let (id, _) = world.claimed().await?;
    let before = world.observe(&id).await?;
    for grace in [Duration::from_secs(1), Duration::ZERO, Duration::MAX] {
        world.shutdown_prepare(grace).await?;
    }
    expect_eq!(world.observe(&id).await?, before, "shutting down changes no execution");
    Ok(())
}

/// Who is told to wait after a shutdown is turned away; who is not gets an answer.
#[case(SYS_040)]
async fn waits_after_a_shutdown(world: World) -> Verdict {
    let flow = world.flow().await?;
    let member = world.member(&flow).await?;
    world.shutdown_prepare(Duration::ZERO).await?;
    let before = (world.observe(&member).await?, world.described_flow(&flow).await?);
    for limit in [Duration::ZERO, Duration::from_millis(1), Duration::MAX] {
        turned_away(world.worker().waiting(limit).try_claim().await, "claim")?;
        let wait = CancelFlowWait::WaitTimeout(limit);
        let answer = world.cancel_flow(&flow, CancelFlowPolicy::CancelAll, wait).await;
        turned_away(answer, "cancel_flow")?;
    }
    let wait = CancelFlowWait::WaitIndefinite;
    let answer = world.cancel_flow(&flow, CancelFlowPolicy::CancelAll, wait).await;
    turned_away(answer, "cancel_flow")?;
    let after = (world.observe(&member).await?, world.described_flow(&flow).await?);
    expect_eq!(after, before, "who is turned away changes nothing");
    let wait = CancelFlowWait::NoWait;
    world.worker().claim().await?;
    world.cancel_flow(&flow, CancelFlowPolicy::CancelAll, wait).await?;
    Ok(())
}

fn turned_away<T: std::fmt::Debug>(answer: Result<T, EngineError>, method: &str) -> Verdict {
    match answer {
        Err(EngineError::Unavailable { op }) if op == method => Ok(()),
        other => Err(Failure::new(format!("{method} is Unavailable, not {other:?}"))),
    }
}

/// A claim that waits is waited for, and goes on where that takes too long.
#[case(SYS_041, needs(concurrency))]
async fn waits_at_a_shutdown(world: World) -> Verdict {
    let waiting = world.worker().waiting(Duration::MAX);
    let mut claim = tokio::spawn(async move { waiting.try_claim().await });
    // The claim may have begun to wait or not.
    tokio::task::yield_now().await;
    let grace = Duration::from_millis(5);
    let ended = match world.shutdown_prepare(grace).await {
        Err(EngineError::Timeout { op: "shutdown_prepare", elapsed }) => {
            expect_eq!(elapsed, grace, "the grace");
            expect!(!claim.is_finished(), "the claim goes on waiting");
            world.execution().create().await?;
            let claimed = (&mut claim).await.map_err(|error| Failure::new(error.to_string()))?;
            expect!(matches!(claimed, Ok(Some(_))), "it has the work, not {claimed:?}");
            world.shutdown_prepare(grace).await
        }
        answer => {
            // It came too late to wait, so that it has been turned away or is about to be.
            let claimed = (&mut claim).await.map_err(|error| Failure::new(error.to_string()))?;
            turned_away(claimed, "claim")?;
            answer
        }
    };
    Ok(ended?)
}

async fn forms(world: World) -> Verdict {
    let supports = EngineBackend::capabilities(&*world).supports;
    for (wait, claimed) in [
        (CancelFlowWait::NoWait, supports.cancel_flow),
        (CancelFlowWait::WaitTimeout(Duration::from_secs(20)), supports.cancel_flow_wait_timeout),
        (CancelFlowWait::WaitIndefinite, supports.cancel_flow_wait_indefinite),
    ] {
        let flow = world.flow().await?;
        let answer = world.cancel_flow(&flow, CancelFlowPolicy::CancelAll, wait).await;
        if claimed {
            expect!(answer.is_ok(), "{wait:?} is claimed, and answered {answer:?}");
            continue;
        }
        turned_away(answer, "cancel_flow")?;
        let state = world.described_flow(&flow).await?.public_flow_state;
        expect_eq!(state, "open", "{wait:?} is not claimed");
    }
    Ok(())
}

/// A subscription that is open, and one that is asked for too late.
#[case(SYS_040)]
async fn no_more_events(world: World) -> Verdict {
    let mut events = world.follow::<CompletionEvent>().await?;
    world.shutdown_prepare(Duration::from_secs(1)).await?;
    let refused = world.follow::<CompletionEvent>().await.map(drop);
    expect_refused!(refused, "unavailable", "after the shutdown");
    let told = events.item().await?;
    let is_told = matches!(told, Some(Err(EngineError::Unavailable { .. })));
    expect!(is_told, "one that is open is told: {told:?}");
    Ok(())
}
