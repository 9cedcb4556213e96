//! A call with a `now` that is far from the clock.

use async_trait::async_trait;
use ff_core::call::Call;
use ff_core::types::MAX_INTEGER;
use serde_json::{Value, json};

use super::fixture::Fixture;
use super::repetition::Repetition;
use super::session::Session;
use crate::stage::{Failure, Play, Played, Stage, Verdict, World, play_in_world};

/// The clause that says what such a time decides.
pub(super) const RULE: &str = "SYS-005";

/// What arguments for the caller's own time are called.
const NAMES: [&str; 3] = ["now", "now_ms", "produced_at_ms"];

/// The case that the caller's own time decides nothing.
pub(super) struct Hinted(pub(super) &'static Repetition);

#[async_trait]
impl Play for Hinted {
    async fn play(&self, stage: Stage) -> Played {
        let repetition = self.0;
        play_in_world(stage, |world| Box::pin(hint(world, repetition))).await
    }
}

/// Makes the call with a time far in the past, and in another world with one far in the future: both answer
/// as with an accurate one, and what is to be seen afterwards is the same.
async fn hint(world: World, repetition: &Repetition) -> Verdict {
    let past = seen_after(&world, repetition, 0).await?;
    let future = seen_after(world.elsewhere(), repetition, MAX_INTEGER).await?;
    expect_eq!(future, past, "after a `now` in the far future, and in the far past");
    Ok(())
}

async fn seen_after(
    world: &World,
    repetition: &Repetition,
    now: u64,
) -> Result<Vec<String>, Failure> {
    let fixture = Fixture::of(world);
    let mut session = Session::new(world);
    session.play((repetition.before)(&fixture)).await?;
    let call = at(&(repetition.call)(&fixture), now)?;
    let seen = session.make(&call).await?;
    session.compare(&call, repetition.expected()[0], seen)?;
    Ok(session.observed().await)
}

/// The call with this time as its caller's own.
fn at(call: &Call, now: u64) -> Result<Call, Failure> {
    let unreadable = |error: serde_json::Error| Failure::new(error.to_string());
    let mut value = serde_json::to_value(call).map_err(unreadable)?;
    let places = set(&mut value, now);
    expect!(places > 0, "{} has a `now` among its arguments", call.method());
    serde_json::from_value(value).map_err(unreadable)
}

/// Sets every such time in the arguments; returns how many there are.
fn set(value: &mut Value, now: u64) -> usize {
    let Value::Object(fields) = value else {
        return 0;
    };
    let each = fields.iter_mut().map(|(name, value)| {
        if NAMES.contains(&name.as_str()) {
            *value = json!(now);
            return 1;
        }
        set(value, now)
    });
    each.sum()
}
