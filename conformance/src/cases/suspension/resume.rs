//! The end of a suspension without its condition, and the list of those that last.

use std::collections::BTreeSet;

use ff_core::backend::{CancelFlowPolicy, SuspensionReasonCode, TimeoutBehavior};

use ff_core::contracts::{ReplayExecutionArgs, ResumeExecutionArgs, ResumeExecutionResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::partition::{Partition, PartitionFamily, PartitionKey};
use ff_core::state::{PublicState, TerminalOutcome};
use ff_core::types::ExecutionId;

use crate::stage::{
    CALLERS_NOW, Failure, Graph, Suspended, Verdict, World, all_of, any_at, cancellation, case,
};

impl World {
    /// A new execution, suspended with this timeout, which is due once 50 ms have passed.
    async fn timing_out(&self, behavior: TimeoutBehavior) -> Result<Suspended, Failure> {
        let claimed = self.execution().retries(3, 0).claimed().await?;
        let args = self.plain_suspension().with_timeout(self.in_ms(50), behavior);
        self.suspended_by(claimed, args).await.map_err(Failure::in_setup)
    }
}

/// By a signal, an operator and a timeout.
#[case(SUS_029, needs(passive))]
async fn resumed(world: World) -> Verdict {
    world.sign().await?;
    for way in 0..3 {
        let suspended = world.timing_out(TimeoutBehavior::AutoResumeWithTimeoutSignal).await?;
        let attempt = world.field(&suspended.id, "current_attempt_id").await?;
        world.pass_ms(50).await?;
        match way {
            0 => world.deliver_signal(world.signal(&suspended.target())).await.map(|_| ())?,
            1 => world.resume(&suspended.id).await.map(|_| ())?,
            _ => world.expire(&suspended.id).await?,
        }
        let expected = [
            ("lifecycle_phase", Some("runnable".to_owned())),
            ("public_state", Some("resumable".to_owned())),
            ("ownership_state", Some("unowned".to_owned())),
            ("eligibility_state", Some("eligible_now".to_owned())),
            ("blocking_reason", Some("waiting_for_worker".to_owned())),
            ("attempt_state", Some("attempt_interrupted".to_owned())),
            ("current_attempt_id", attempt),
            ("total_attempt_count", Some("1".to_owned())),
            ("current_lease_epoch", Some("1".to_owned())),
            ("current_suspension_id", None),
            ("current_waitpoint_id", None),
        ];
        world.expect_fields(&suspended.id, expected).await?;
        expect_eq!(world.worker().try_claim().await?, None, "no fresh claim takes it");
        expect_refused!(world.renew(&suspended.handle).await, "contention.execution_not_active");
    }
    let suspended = world.timing_out(TimeoutBehavior::Fail).await?;
    world.resume_after(&suspended.id, 50).await?;
    world.expect_fields(&suspended.id, [("public_state", "delayed")]).await?;
    world.pass_ms(50).await?;
    world.promote(&suspended.id).await?;
    world.expect_fields(&suspended.id, [("public_state", "resumable")]).await
}

/// A signal, an operator, a timeout and a cancellation, at once and one after the other.
#[case(SUS_030, needs(concurrency))]
async fn one_end(world: World) -> Verdict {
    world.sign().await?;
    for round in 0..6 {
        let suspended = world.timing_out(TimeoutBehavior::AutoResumeWithTimeoutSignal).await?;
        let (id, target) = (suspended.id.clone(), suspended.target());
        world.pass_ms(50).await?;
        let deliver = async || world.deliver_signal(world.signal(&target)).await.map(|_| 1);
        let resume = async || world.resume(&id).await.map(|_| 1);
        let expire = async || world.expire(&id).await.map(|()| 0);
        let cancel = async || {
            if round % 2 == 0 {
                world.cancel_execution(cancellation(&id)).await.map(|_| 0)
            } else {
                Ok(0)
            }
        };
        let (delivered, resumed, expired, cancelled) =
            tokio::join!(deliver(), resume(), expire(), cancel());
        expired?;
        cancelled?;
        let ended = [&delivered, &resumed].iter().filter(|ended| ended.is_ok()).count();
        expect!(ended <= 1, "{ended} have ended it");
        if let Err(error) = &delivered {
            let codes = ["state.waitpoint_closed", "state.target_not_signalable"];
            expect!(codes.contains(&&*error.code()), "too late: {error}");
        }
        if resumed.is_err() {
            expect_refused!(resumed, "state.execution_not_suspended");
        }
        let state = if round % 2 == 0 { "cancelled" } else { "resumable" };
        world.expect_fields(&id, [("public_state", state)]).await?;
        expect_eq!(world.waitpoints(&id).await?, [], "no waitpoint is listed");
        let late = deliver().await;
        let code = if round % 2 == 0 { "target_not_signalable" } else { "waitpoint_closed" };
        expect_refused!(late, &format!("state.{code}"));
        expect_refused!(resume().await, "state.execution_not_suspended");
        world.expire(&id).await?;
        world.expect_fields(&id, [("public_state", state)]).await?;
    }
    Ok(())
}

/// By a cancelled flow, by an upstream that failed, and by a timeout with a replay after it.
#[case(SUS_030)]
async fn ended_from_outside(world: World) -> Verdict {
    world.sign().await?;
    for how in ["cancelled", "skipped", "replayed"] {
        let mut graph = Graph::new(&world).await?;
        let (member, upstream) = (graph.member().await?, graph.member().await?);
        let handle = graph.claim(&member).await?;
        let timeout = world.in_ms(if how == "replayed" { 50 } else { 60_000 });
        let args = world.plain_suspension().with_timeout(timeout, TimeoutBehavior::Fail);
        let suspended = world.suspended_by((member.clone(), handle), args).await;
        let suspended = suspended.map_err(Failure::in_setup)?;
        graph.depend(&upstream, &member).await?;
        world.expect_fields(&member, [("public_state", "suspended")]).await?;
        match how {
            "cancelled" => {
                let wait = world.longest_wait();
                world.cancel_flow(&graph.flow, CancelFlowPolicy::CancelAll, wait).await?;
            }
            "skipped" => {
                graph.end_and_cascade(&upstream, TerminalOutcome::Failed).await?;
            }
            _ => {
                world.pass_ms(50).await?;
                world.expire(&member).await?;
            }
        }
        let ended = if how == "replayed" { "failed" } else { how };
        world.expect_fields(&member, [("public_state", ended)]).await?;
        let late = world.deliver_signal(world.signal(&suspended.target())).await;
        expect_refused!(late, "state.target_not_signalable", "{how}");
        if how == "replayed" {
            let args = ReplayExecutionArgs { execution_id: member.clone(), now: CALLERS_NOW };
            world.replay_execution(args).await.map_err(Failure::setup_refused)?;
            let late = world.deliver_signal(world.signal(&suspended.target())).await;
            expect_refused!(late, "state.waitpoint_closed", "{how}");
        }
        expect_eq!(world.waitpoints(&member).await?, [], "no waitpoint is listed");
        expect_refused!(world.resume(&member).await, "state.execution_not_suspended", "{how}");
        let before = world.observe(&member).await?;
        world.expire(&member).await?;
        expect_eq!(world.observe(&member).await?, before, "nothing is due: {how}");
    }
    Ok(())
}

/// At once and after a delay, by each trigger; one that is not suspended.
#[case(SUS_031)]
async fn by_operator(world: World) -> Verdict {
    world.sign().await?;
    for (trigger, delay, expected) in [
        ("signal", 0, PublicState::Resumable),
        ("operator", 60_000, PublicState::Delayed),
        ("auto_resume", 0, PublicState::Resumable),
    ] {
        let claimed = world.claimed().await?;
        let args = world.suspending(ff_core::backend::ResumeCondition::OperatorOnly, &["a"]);
        let suspended = world.suspended_by(claimed, args).await?;
        let args = ResumeExecutionArgs {
            execution_id: suspended.id.clone(),
            resume_delay_ms: delay,
            trigger_type: trigger.to_owned(),
        };
        let resumed = world.resume_execution(args.clone()).await?;
        expect_eq!(resumed, ResumeExecutionResult::Resumed { public_state: expected }, "{trigger}");
        let again = world.resume_execution(args).await;
        expect_refused!(again, "state.execution_not_suspended", "again");
    }
    let (id, _) = world.claimed().await?;
    expect_refused!(world.resume(&id).await, "state.execution_not_suspended", "active");
    let unknown = world.execution_id();
    expect_refused!(world.resume(&unknown).await, "not_found.execution");
    Ok(())
}

/// Triggers that nobody knows, and a delay of the policy's.
#[case(SUS_032)]
async fn triggers(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let mut args = world.plain_suspension();
    args.resume_policy.resume_delay_ms = Some(60_000);
    let suspended = world.suspended_by(claimed, args).await?;
    for execution_id in [suspended.id.clone(), world.execution_id()] {
        for trigger in ["", "Operator", "timeout"] {
            let args = ResumeExecutionArgs {
                execution_id: execution_id.clone(),
                resume_delay_ms: 0,
                trigger_type: trigger.to_owned(),
            };
            let answer = world.resume_execution(args).await;
            expect_refused!(answer, "validation.invalid_input", "{trigger:?}");
        }
    }
    let resumed = world.resume(&suspended.id).await?;
    let public_state = PublicState::Resumable;
    expect_eq!(resumed, ResumeExecutionResult::Resumed { public_state }, "at once");
    Ok(())
}

/// Early, without a timeout, in other states, and when it is due.
#[case(SUS_033)]
async fn when_due(world: World) -> Verdict {
    world.sign().await?;
    let due = world.timing_out(TimeoutBehavior::Cancel).await?;
    let (active, _) = world.claimed().await?;
    let waiting = world.execution().create().await?;
    let without = world.claimed_on("other").await?;
    let without = world.suspended_by(without, world.plain_suspension()).await?;
    let later = world.claimed_on("other").await?;
    let args = world.plain_suspension().with_timeout(world.in_ms(60_000), TimeoutBehavior::Cancel);
    let later = world.suspended_by(later, args).await?;
    world.pass_ms(50).await?;
    for id in [&active, &waiting, &without.id, &later.id] {
        let before = world.observe(id).await?;
        world.expire(id).await?;
        expect_eq!(world.observe(id).await?, before, "it stays as it is");
    }
    world.expire(&world.execution_id()).await?;
    world.expire(&due.id).await?;
    world.expect_fields(&due.id, [("public_state", "cancelled")]).await
}

/// A millisecond early, and when it is due.
#[case(SUS_033, needs(clock))]
async fn to_the_millisecond(world: World) -> Verdict {
    world.sign().await?;
    let suspended = world.timing_out(TimeoutBehavior::Cancel).await?;
    world.pass_ms(49).await?;
    world.expire(&suspended.id).await?;
    world.expect_fields(&suspended.id, [("public_state", "suspended")]).await?;
    world.pass_ms(1).await?;
    world.expire(&suspended.id).await?;
    world.expect_fields(&suspended.id, [("public_state", "cancelled")]).await
}

/// Each of the three ends, without a retry.
#[case(SUS_034)]
async fn ends(world: World) -> Verdict {
    world.sign().await?;
    for (behavior, state) in [
        (TimeoutBehavior::Fail, "failed"),
        (TimeoutBehavior::Cancel, "cancelled"),
        (TimeoutBehavior::Expire, "expired"),
    ] {
        let suspended = world.timing_out(behavior).await?;
        world.pass_ms(50).await?;
        let at = world.now();
        for _ in 0..2 {
            world.expire(&suspended.id).await?;
        }
        let outcome = [
            ("lifecycle_phase", Some("terminal".to_owned())),
            ("public_state", Some(state.to_owned())),
            ("terminal_outcome", Some(state.to_owned())),
            ("attempt_state", Some("attempt_terminal".to_owned())),
            ("retry_count", Some("0".to_owned())),
            ("completed_at", Some(at.to_string())),
            ("current_suspension_id", None),
        ];
        world.expect_fields(&suspended.id, outcome).await?;
        let late = world.deliver_signal(world.signal(&suspended.target())).await;
        expect_refused!(late, "state.target_not_signalable");
    }
    Ok(())
}

/// The reason that each end shows.
#[case(SUS_049)]
async fn end_reasons(world: World) -> Verdict {
    world.sign().await?;
    for (behavior, failure, cancellation) in [
        (TimeoutBehavior::Fail, Some("suspension_timeout:fail"), None),
        (TimeoutBehavior::Expire, Some("suspension_timeout:expire"), None),
        (TimeoutBehavior::Cancel, None, Some("suspension_timeout:cancel")),
    ] {
        let suspended = world.timing_out(behavior).await?;
        world.pass_ms(50).await?;
        world.expire(&suspended.id).await?;
        let told = [
            ("failure_reason", failure),
            ("failure_category", failure.map(|_| "timeout")),
            ("cancellation_reason", cancellation),
            ("cancelled_by", cancellation.map(|_| "system_timeout")),
        ];
        world.expect_fields(&suspended.id, told).await?;
    }
    Ok(())
}

/// What counted before, then the timeout.
#[case(SUS_035)]
async fn auto_resume(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let behavior = TimeoutBehavior::AutoResumeWithTimeoutSignal;
    let args = world.suspending(all_of(vec![any_at("a"), any_at("b")]), &["a", "b"]);
    let args = args.with_timeout(world.in_ms(50), behavior);
    let suspended = world.suspended_by(claimed, args).await?;
    let effect = "appended_to_waitpoint";
    let first = world.expect_effect(world.signal(&suspended.target()), effect).await?;
    world.pass_ms(50).await?;
    let fired = world.now();
    world.expire(&suspended.id).await?;
    world.expect_fields(&suspended.id, [("public_state", "resumable")]).await?;
    let observed = world.observe_signals(&suspended.instead).await?;
    expect_eq!(observed.len(), 2, "signals that counted");
    expect_eq!(observed[0].signal_id, first, "what counted before");
    let timeout = &observed[1];
    expect_eq!((&*timeout.signal_name, &*timeout.source_type), ("timeout", "system"), "the last");
    world.expect_time(timeout.accepted_at, fired, "when it came")?;
    expect!(timeout.payload.is_none(), "it has no payload");
    Ok(())
}

/// It stays suspended, without a timeout, and a signal still resumes it.
#[case(SUS_036)]
async fn escalates(world: World) -> Verdict {
    world.sign().await?;
    let suspended = world.timing_out(TimeoutBehavior::Escalate).await?;
    world.pass_ms(50).await?;
    world.expire(&suspended.id).await?;
    let expected = [("public_state", "suspended"), ("blocking_reason", "paused_by_operator")];
    world.expect_fields(&suspended.id, expected).await?;
    let before = world.observe(&suspended.id).await?;
    world.pass_ms(50).await?;
    world.expire(&suspended.id).await?;
    expect_eq!(world.observe(&suspended.id).await?, before, "nothing more is due");
    let listed = world.waitpoints(&suspended.id).await?;
    let listed: Vec<_> = listed.iter().map(|entry| (&*entry.state, entry.expires_at)).collect();
    expect_eq!(listed, [("active", None)], "its waitpoint");
    let effect = "resume_condition_satisfied";
    world.expect_effect(world.signal(&suspended.target()), effect).await?;
    Ok(())
}

fn key_of(index: u16) -> PartitionKey {
    PartitionKey::from(&Partition { family: PartitionFamily::Flow, index })
}

/// A page of those that are suspended: their ids and reasons, and the cursor.
type Page = (Vec<(ExecutionId, String)>, Option<ExecutionId>);

impl World {
    async fn list_page(
        &self,
        partition: u16,
        cursor: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Page, EngineError> {
        let page = self.list_suspended(key_of(partition), cursor, limit).await?;
        let entries = page.entries.into_iter().map(|entry| (entry.execution_id, entry.reason));
        Ok((entries.collect(), page.next_cursor))
    }

    /// A claimed execution of another lane than the default.
    async fn claimed_on(
        &self,
        lane: &str,
    ) -> Result<(ExecutionId, ff_core::backend::Handle), Failure> {
        self.execution().lane(lane).claimed().await
    }
}

/// Those of this partition, in pages, without those that have gone on.
#[case(SUS_042)]
async fn listed(world: World) -> Verdict {
    world.sign().await?;
    let reasons = [SuspensionReasonCode::WaitingForApproval, SuspensionReasonCode::ManualPause];
    let mut expected = BTreeSet::new();
    let mut gone = Vec::new();
    for number in 0..8_usize {
        let partition = u16::from(number == 7 && world.partitions().num_flow_partitions > 1);
        let execution = world.execution_in(partition);
        let mut args = world.plain_suspension();
        args.reason_code = reasons[number % 2];
        let suspended = world.suspended_by(execution.claimed().await?, args).await?;
        let reason = ["waiting_for_approval", "manual_pause"][number % 2].to_owned();
        match number {
            0 | 1 => gone.push(suspended.id),
            _ if partition > 0 => {}
            _ => {
                expected.insert((suspended.id, reason));
            }
        }
    }
    world.resume(&gone[0]).await?;
    world.cancel_execution(cancellation(&gone[1])).await?;
    world.execution_in(0).create().await?;
    for size in [1, 2, 3, 10] {
        let (mut seen, mut cursor) = (Vec::new(), None);
        for _ in 0..10 {
            let (entries, next) = world.list_page(0, cursor, size).await?;
            expect!(entries.len() <= size, "at most {size} entries");
            seen.extend(entries);
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        let distinct: BTreeSet<_> = seen.iter().cloned().collect();
        expect_eq!((distinct, seen.len()), (expected.clone(), expected.len()), "pages of {size}");
    }
    Ok(())
}

/// By time, then by id; a cursor that has gone on; keys, limits and cursors that are refused.
#[case(SUS_043)]
async fn listed_in_order(world: World) -> Verdict {
    world.sign().await?;
    let refused = "validation.invalid_input";
    let mut order = Vec::new();
    for _ in 0..3 {
        let at = world.now();
        let mut together = Vec::new();
        for _ in 0..2 {
            let execution = world.execution_in(0);
            let suspended =
                world.suspended_by(execution.claimed().await?, world.plain_suspension()).await?;
            together.push(suspended.id);
        }
        let listed = world.list_suspended(key_of(0), None, 10).await?;
        for entry in &listed.entries[order.len()..] {
            world.expect_time(
                ff_core::types::TimestampMs(entry.suspended_at_ms),
                at,
                "since when",
            )?;
        }
        // Where no clock is turned, each has a time of its own.
        let mut times: Vec<_> = listed
            .entries
            .iter()
            .map(|entry| (entry.suspended_at_ms, entry.execution_id.clone()))
            .collect();
        let shown = times.clone();
        times.sort();
        expect_eq!(shown, times, "the order");
        order = times.into_iter().map(|(_, id)| id).collect();
        world.pass_ms(20).await?;
    }
    let ids = |page: Page| page.0.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    expect_eq!(ids(world.list_page(0, None, 10).await?), order, "all");
    expect_eq!(world.list_page(0, None, 0).await?, (Vec::new(), None), "none");
    let (entries, next) = world.list_page(0, None, 2).await?;
    expect_eq!(next, entries.last().map(|(id, _)| id.clone()), "the cursor is the last id");
    world.resume(&order[2]).await?;
    let after = world.list_page(0, Some(order[2].clone()), 10).await?;
    expect_eq!(ids(after), order[3..], "after one that has gone on");
    expect_eq!(
        world.list_page(0, Some(order[5].clone()), 10).await?,
        (Vec::new(), None),
        "the end"
    );
    let never = world.execution_in(0).create().await?;
    for cursor in [never, world.execution_id_in(0), world.execution_id_in(1)] {
        expect_refused!(world.list_page(0, Some(cursor.clone()), 10).await, refused, "{cursor}");
    }
    for key in ["", "x", "{b:0}", "{fp:65535}"] {
        let answer = world.list_suspended(PartitionKey::new(key), None, 10).await;
        expect_refused!(answer, refused, "{key:?}");
    }
    Ok(())
}
