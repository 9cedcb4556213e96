//! Deviants that break the clauses under "Create".

use ff_core::call::{Call, Reply};
use ff_core::contracts::CreateExecutionResult;
use ff_core::engine_backend::validate_tag_key;
use ff_core::state::PublicState;
use ff_core::types::{LaneId, LeaseEpoch};

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::executions::{creating, refusing};
use crate::deviants::fault::write;

reply!("born-delayed", EXE_001, "Says that new work is delayed.",
    CreateExecution(CreateExecutionResult::Created { public_state, .. }) =>
        *public_state = PublicState::Delayed);

deviant!("forgets-delays", EXE_002, "Takes delayed work for work that is due." =>
    creating(|args| args.delay_until = None));

deviant!("mends-lanes", EXE_003,
    "Puts work of an impossible lane into another." => creating(|args| {
    if args.lane_id.check().is_err() {
        args.lane_id = LaneId::new("default");
    }
}));

deviant!("drops-bad-requirements", EXE_004,
    "Leaves out the tokens that it does not like." => creating(|args| {
    if let Some(routing) =
        args.policy.as_mut().and_then(|policy| policy.routing_requirements.as_mut())
    {
        let bad = |c: char| c == ',' || c.is_whitespace() || c.is_control();
        routing
            .required_capabilities
            .retain(|token| !token.is_empty() && !token.contains(bad));
    }
}));

deviant!("drops-bad-tags", EXE_005,
    "Leaves out the tags that it does not like." => creating(|args| {
    args.tags.retain(|key, _| validate_tag_key(key).is_ok());
}));

deviant!("narrow-priorities", EXE_006, "Keeps priorities below 9000." =>
    creating(|args| args.priority = args.priority.min(8_999)));

around!(
    "create-overwrites",
    EXE_007,
    "Answers `Duplicate`, but keeps the newer tags.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        if let (
            Ok(Reply::CreateExecution(CreateExecutionResult::Duplicate { .. })),
            Call::CreateExecution { args },
        ) = (&answer, call)
        {
            for (key, value) in args.tags {
                let execution_id = args.execution_id.clone();
                subject.ask(Call::SetExecutionTag { execution_id, key, value }).await?;
            }
        }
        answer
    }
);

around!(
    "ended-ids-are-free",
    EXE_007,
    "Says that an ended execution was created again.",
    |subject, call| {
        let mut answer = subject.ask(call).await;
        if let Ok(Reply::CreateExecution(result)) = &mut answer
            && let CreateExecutionResult::Duplicate { execution_id } = result.clone()
            && subject.field(&execution_id, "completed_at").await.is_some()
        {
            *result =
                CreateExecutionResult::Created { execution_id, public_state: PublicState::Waiting };
        }
        answer
    }
);

deviant!("born-old", EXE_011, "Begins to count leases at one." => write(|before, after| {
    if before.is_none() {
        after.epoch = LeaseEpoch::new(1);
    }
}));

reply!("knows-one-lane", EXE_014, "Knows only the first lane.",
    ListLanes(page) => page.lanes.truncate(1));

deviant!("lossy-payload", EXE_015, "Takes payloads for text." => creating(|args| {
    args.input_payload =
        String::from_utf8_lossy(&args.input_payload).into_owned().into_bytes();
}));

deviant!("drops-impossible-times", EXE_003,
    "Takes an impossible time for none." => creating(|args| {
    args.delay_until = args.delay_until.filter(|at| at.0 > 0);
    args.execution_deadline_at = args.execution_deadline_at.filter(|at| at.0 > 0);
}));

deviant!("short-lanes", EXE_003, "Refuses the longest lane names." =>
    refusing(|args| args.lane_id.as_str().len() == 64));

deviant!("corrects-partitions", EXE_003, "Takes the partition from the id, whatever is given." =>
    creating(|args| args.partition_id = args.execution_id.partition()));

deviant!("cuts-requirements", EXE_004, "Keeps the first 256 tokens." => creating(|args| {
    if let Some(routing) =
        args.policy.as_mut().and_then(|policy| policy.routing_requirements.as_mut())
    {
        routing.required_capabilities =
            routing.required_capabilities.iter().take(256).cloned().collect();
    }
}));

request!("any-lane", EXE_003, "Looks in another lane for an impossible one.",
    Claim { lane, .. } if lane.check().is_err() => *lane = LaneId::new("default"));
