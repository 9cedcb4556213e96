//! Calls and answers in one line each, for people.

use std::fmt::Write;
use std::ops::Range;

use ff_core::call::Call;
use ff_core::clock::ManualClock;
use ff_core::types::{ExecutionId, LaneId};
use serde_json::Value;
use uuid::Uuid;

use super::names::{Minted, leaves, plain};
use super::step::read_symbol;
use crate::stage::{plain_execution, redacted};

/// Numbers like these are times, told relative to the start of the clock.
const TIMES: Range<i64> =
    ManualClock::START.0 - 1_000_000_000..ManualClock::START.0 + 1_000_000_000_000;

/// The longest value that is told in full, in characters.
const SHOWN: usize = 60;

/// A call: the method, and the arguments that are not the usual ones.
pub(crate) fn call_text(call: &Call) -> String {
    let mut call = call.clone();
    let method = call.method();
    let lease = call.handle_mut().and_then(|handle| read_symbol(handle));
    let told = match plain(&call, &mut Minted::default()) {
        Value::Object(fields) => fields.into_iter().next().map_or(Value::Null, |(_, args)| args),
        other => other,
    };
    let usual = usual_leaves(&call);
    let arguments = leaves(&told).into_iter().filter(|argument| {
        let (name, value) = argument;
        let silent = value == "null" || value == "[]" || value == "{}" || is_implied(name);
        !silent && !name.starts_with("handle") && !usual.contains(argument)
    });
    let mut text = method.to_string();
    if let Some((instance, disguise)) = lease {
        let lease = <&str>::from(disguise).replace('-', " ");
        let _ = write!(text, " {lease} of {instance}");
    }
    for (name, value) in arguments {
        let name = name.trim_start_matches("args.").trim_start_matches("policy.");
        let _ = write!(text, " {name}={}", value_text(&value));
    }
    text
}

/// The caller's own time decides nothing, and a partition follows from the id beside it.
fn is_implied(name: &str) -> bool {
    let last = name.rsplit('.').next();
    matches!(last, Some("now" | "now_ms" | "partition_id" | "jitter"))
}

/// The arguments that a creation or a claim usually has.
fn usual_leaves(call: &Call) -> Vec<(String, String)> {
    let usual = match call {
        Call::CreateExecution { .. } => {
            let nobody = ExecutionId::from_parts(0, Uuid::nil());
            let args = plain_execution(nobody, LaneId::new(""));
            plain(&serde_json::json!({ "args": args }), &mut Minted::default())
        }
        Call::Claim { .. } => serde_json::json!({ "policy": { "worker_id": "worker" } }),
        _ => return Vec::new(),
    };
    let policy = plain(&ff_core::policy::ExecutionPolicy::default(), &mut Minted::default());
    let policy = serde_json::json!({ "args": { "policy": policy } });
    leaves(&usual).into_iter().chain(leaves(&policy)).collect()
}

/// An answer in its canonical form.
pub(crate) fn answer_text(answer: &Value) -> String {
    let said = |value: &Value| {
        let said = leaves(value).into_iter().map(|(path, value)| match &*path {
            "" => value_text(&value),
            path => format!("{path}={}", value_text(&value)),
        });
        said.collect::<Vec<_>>().join(" ")
    };
    match answer {
        Value::Null => "ok, nothing".to_owned(),
        Value::Object(fields) if fields.contains_key("refused") => {
            let refusal = format!("refused: {}", said(&fields["refused"]));
            match &fields["telling"] {
                Value::Null => refusal,
                told => format!("{refusal} {}", said(told)),
            }
        }
        other => said(other),
    }
}

/// A value, with times told from the start of the clock, and not at length.
pub(crate) fn value_text(value: &str) -> String {
    if let Ok(number) = value.parse::<i64>()
        && TIMES.contains(&number)
    {
        let from_start = number - ManualClock::START.0;
        return format!("t{from_start:+}");
    }
    let value = &*redacted(value);
    let length = value.chars().count();
    if value.is_empty() {
        return "\"\"".to_owned();
    }
    if length > SHOWN {
        let beginning: String = value.chars().take(12).collect();
        return format!("{beginning}… ({length} characters)");
    }
    let told = |letter: char| match letter {
        '\'' | '"' => letter.to_string(),
        other => other.escape_debug().to_string(),
    };
    value.chars().map(told).collect()
}
