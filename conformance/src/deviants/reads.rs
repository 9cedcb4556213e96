//! Deviants of reads, tags and lists.

use std::collections::HashMap;
use std::sync::Mutex;

use ff_core::call::{Call, Reply};
use ff_core::contracts::ExecutionContext;
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::state::PublicState;
use ff_core::types::ExecutionId;

use super::tampering::{Tampering, answer, around, call, write};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!(
        "forgets-the-ended",
        "EXE-016",
        "Does not describe what has ended.",
        answer(|_, answer| {
            if let Ok(Reply::DescribeExecution(seen)) = answer {
                *seen = seen.take().filter(|seen| seen.public_state != PublicState::Completed);
            }
        })
    ),
    deviant!(
        "shows-old-leases",
        "EXE-017",
        "Shows the last lease when there is none.",
        shows_old_leases()
    ),
    deviant!(
        "says-none",
        "EXE-018",
        "Says `none` where there is nothing to say.",
        answer(|_, answer| {
            if let Ok(Reply::DescribeExecution(Some(seen))) = answer {
                seen.blocking_reason.get_or_insert_with(|| "none".to_owned());
            }
        })
    ),
    deviant!(
        "delayed-is-waiting",
        "EXE-019",
        "Has one read that knows no delays.",
        answer(|_, answer| {
            if let Ok(Reply::ReadExecutionState(Some(state))) = answer
                && *state == PublicState::Delayed
            {
                *state = PublicState::Waiting;
            }
        })
    ),
    deviant!(
        "zero-for-never",
        "EXE-020",
        "Dates what has not happened to 1970.",
        answer(|_, answer| {
            if let Ok(Reply::ReadExecutionInfo(Some(info))) = answer {
                info.started_at.get_or_insert_with(|| "0".to_owned());
            }
        })
    ),
    deviant!(
        "unknown-waits",
        "EXE-021",
        "Says of what is not there that it waits.",
        answer(|_, answer| {
            if let Ok(Reply::ReadExecutionState(state)) = answer {
                state.get_or_insert(PublicState::Waiting);
            }
        })
    ),
    deviant!(
        "empty-context",
        "EXE-022",
        "Gives an empty context for what is not there.",
        answer(|call, answer| {
            if let (Call::ReadExecutionContext { .. }, Err(_)) = (call, &answer) {
                let nothing = ExecutionContext::new(Vec::new(), String::new(), HashMap::new());
                *answer = Ok(Reply::ReadExecutionContext(nothing));
            }
        })
    ),
    deviant!(
        "empty-is-none",
        "EXE-023",
        "Takes an empty result for none.",
        answer(|_, answer| {
            if let Ok(Reply::GetExecutionResult(result)) = answer {
                *result = result.take().filter(|bytes| !bytes.is_empty());
            }
        })
    ),
    deviant!(
        "lower-case-tenants",
        "EXE-024",
        "Tells namespaces in lower case.",
        answer(|_, answer| {
            if let Ok(Reply::GetExecutionNamespace(Some(namespace))) = answer {
                *namespace = namespace.to_lowercase();
            }
        })
    ),
    deviant!(
        "omits-the-absent",
        "EXE-025",
        "Has no entry for what is not set.",
        answer(|_, answer| {
            if let Ok(Reply::ReadExecCoreFields(fields)) = answer {
                fields.retain(|_, value| value.is_some());
            }
        })
    ),
    deviant!(
        "no-aliases",
        "EXE-026",
        "Does not know `progress_pct`.",
        unknown_field("progress_pct")
    ),
    deviant!(
        "spaced-tokens",
        "EXE-027",
        "Puts spaces between tokens.",
        answer(|_, answer| {
            if let Ok(Reply::ReadExecCoreFields(fields)) = answer
                && let Some(Some(tokens)) = fields.get_mut("required_capabilities")
            {
                *tokens = tokens.replace(',', ", ");
            }
        })
    ),
    deviant!(
        "kind-untold",
        "EXE-038",
        "Does not know the kind of an execution.",
        unknown_field("execution_kind")
    ),
    deviant!(
        "holder-untold",
        "EXE-039",
        "Does not tell which worker holds the lease.",
        unknown_field("current_worker_id")
    ),
    deviant!(
        "transitions-untold",
        "EXE-040",
        "Does not tell when a dimension last changed.",
        unknown_field("last_transition_at")
    ),
    deviant!(
        "quiet-progress",
        "EXE-028",
        "Does not take progress for a modification.",
        write(|before, after| {
            if let Some(before) = before
                && before.progress_percent != after.progress_percent
            {
                after.last_mutation_at = before.last_mutation_at;
            }
        })
    ),
    deviant!(
        "ended-is-sealed",
        "EXE-029",
        "Refuses tags when the execution has ended.",
        around(|subject, call| Box::pin(async move {
            if let Call::SetExecutionTag { execution_id, .. } = &call
                && subject.field(execution_id, "completed_at").await.is_some()
            {
                return Err(EngineError::State(StateKind::Terminal));
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "no-tags-for-nobody",
        "EXE-030",
        "Refuses to read tags of what is not there.",
        around(|subject, call| Box::pin(async move {
            if let Call::GetExecutionTag { execution_id, .. } = &call
                && subject.field(execution_id, "lane_id").await.is_none()
            {
                return Err(EngineError::NotFound { entity: "execution" });
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "any-case-keys",
        "EXE-031",
        "Lowers keys to what is allowed.",
        call(|call| {
            if let Call::SetExecutionTag { key, .. } | Call::GetExecutionTag { key, .. } = call {
                *key = key.to_lowercase();
            }
        })
    ),
    deviant!(
        "first-dot-only",
        "EXE-032",
        "Leaves deeper names out of the context.",
        answer(|_, answer| {
            if let Ok(Reply::ReadExecutionContext(context)) = answer {
                context.tags.retain(|key, _| key.matches('.').count() == 1);
            }
        })
    ),
    deviant!(
        "newest-first",
        "EXE-033",
        "Lists executions in descending order.",
        answer(|_, answer| {
            if let Ok(Reply::ListExecutions(page)) = answer {
                page.executions.reverse();
            }
        })
    ),
    deviant!(
        "always-a-cursor",
        "EXE-033",
        "Gives a cursor on the last page too.",
        answer(|_, answer| {
            if let Ok(Reply::ListExecutions(page)) = answer {
                page.next_cursor = page.executions.last().cloned();
            }
        })
    ),
    deviant!(
        "zero-is-default",
        "EXE-034",
        "Takes a limit of 0 for none given.",
        call(|call| {
            if let Call::ListExecutions { limit, .. } = call
                && *limit == 0
            {
                *limit = 50;
            }
        })
    ),
    deviant!(
        "hides-the-ended",
        "EXE-035",
        "Lists only what has not ended.",
        around(|subject, call| Box::pin(async move {
            let mut answer = subject.model.dispatch(call).await;
            if let Ok(Reply::ListExecutions(page)) = &mut answer {
                let mut living = Vec::new();
                for id in page.executions.drain(..) {
                    if subject.field(&id, "completed_at").await.is_none() {
                        living.push(id);
                    }
                }
                page.executions = living;
            }
            answer
        }))
    ),
    deviant!(
        "lanes-by-age",
        "EXE-036",
        "Lists lanes in another order.",
        answer(|_, answer| {
            if let Ok(Reply::ListLanes(page)) = answer {
                page.lanes.reverse();
            }
        })
    ),
    deviant!(
        "lanes-after-anything",
        "EXE-036",
        "Begins at the first lane where the cursor is no name.",
        call(|call| {
            if let Call::ListLanes { cursor, .. } = call {
                cursor.take_if(|cursor| cursor.check().is_err());
            }
        })
    ),
    deviant!(
        "lanes-end-after-a-page",
        "EXE-036",
        "Says that no page follows one of a thousand lanes.",
        answer(|_, answer| {
            if let Ok(Reply::ListLanes(page)) = answer
                && page.lanes.len() == 1_000
            {
                page.next_cursor = None;
            }
        })
    ),
    deviant!(
        "one-kind-of-work",
        "EXE-022",
        "Tells every worker the same kind.",
        answer(|_, answer| {
            if let Ok(Reply::ReadExecutionContext(context)) = answer {
                "op".clone_into(&mut context.execution_kind);
            }
        })
    ),
    deviant!(
        "ended-without-attempt",
        "EXE-017",
        "Shows no attempt once it is over.",
        answer(|_, answer| {
            if let Ok(Reply::DescribeExecution(Some(seen))) = answer
                && seen.public_state == PublicState::Completed
            {
                seen.current_attempt = None;
            }
        })
    ),
    deviant!(
        "never-attempted",
        "EXE-016",
        "Describes no attempts.",
        answer(|_, answer| {
            if let Ok(Reply::DescribeExecution(Some(seen))) = answer {
                seen.total_attempt_count = 0;
            }
        })
    ),
    deviant!(
        "dots-inside-only",
        "EXE-031",
        "Refuses a key that ends in a dot.",
        answer(|call, answer| {
            if let Call::SetExecutionTag { key, .. } = call
                && key.ends_with('.')
            {
                *answer = Err(EngineError::invalid_input("ends in a dot"));
            }
        })
    ),
    deviant!(
        "empty-is-unset",
        "EXE-029",
        "Takes an empty tag for none.",
        answer(|_, answer| {
            if let Ok(Reply::GetExecutionTag(value)) = answer {
                *value = value.take().filter(|text| !text.is_empty());
            }
        })
    ),
    deviant!(
        "lists-somewhere",
        "EXE-034",
        "Lists the first partition for a key that names none.",
        call(|call| {
            if let Call::ListExecutions { partition, .. } = call
                && partition.parse().is_err()
            {
                *partition = ff_core::partition::PartitionKey::new("{fp:0}");
            }
        })
    ),
];

/// Does not know a field.
fn unknown_field(name: &'static str) -> Tampering {
    answer(move |_, answer| {
        if let Ok(Reply::ReadExecCoreFields(fields)) = answer
            && let Some(value) = fields.get_mut(name)
        {
            *value = None;
        }
    })
}

fn shows_old_leases() -> Tampering {
    let seen: Mutex<HashMap<ExecutionId, ff_core::contracts::LeaseSummary>> = Mutex::default();
    answer(move |call, answer| {
        if let (
            Call::DescribeExecution { id },
            Ok(Reply::DescribeExecution(Some(now))),
            Ok(mut seen),
        ) = (call, answer, seen.lock())
        {
            match &now.current_lease {
                Some(lease) => drop(seen.insert(id.clone(), lease.clone())),
                None => now.current_lease = seen.get(id).cloned(),
            }
        }
    })
}
