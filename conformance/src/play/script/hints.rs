//! A call with a `now` that is far from the clock.

use async_trait::async_trait;
use ff_core::call::Call;
use ff_core::types::{MAX_INTEGER, TimestampMs};

use super::fixture::Fixture;
use super::repetition::Repetition;
use super::session::{Session, snapped};
use crate::stage::{Failure, Play, Played, Stage, Verdict, World, callers_now, play_in_world};

/// The clause that says what such a time decides.
pub(super) const RULE: &str = "SYS-005";

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
    let future = snapped(future, &past, -world.lag()..=world.elsewhere().lag());
    expect_eq!(future, past, "after a `now` in the far future, and in the far past");
    Ok(())
}

async fn seen_after(
    world: &World,
    repetition: &Repetition,
    now: u64,
) -> Result<Vec<String>, Failure> {
    let fixture = Fixture::of(world);
    let mut session = Session::new(world).with_names_alike();
    session.play((repetition.before)(&fixture)).await?;
    let call = at(&(repetition.call)(&fixture), now)?;
    let seen = session.make(&call).await?;
    session.compare(&call, repetition.expected()[0], seen)?;
    Ok(session.observed().await)
}

/// The call with this time as its caller's own.
fn at(call: &Call, now: u64) -> Result<Call, Failure> {
    let mut call = call.clone();
    let method = call.method();
    let Some(hint) = callers_now(&mut call) else {
        return Err(Failure::new(format!("{method} has no time of its caller's")));
    };
    *hint = TimestampMs(now.cast_signed());
    Ok(call)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ff_core::partition::PartitionConfig;
    use ff_mock::MockBackend;
    use serde_json::Value;

    use super::*;
    use crate::play::samples::samples;
    use crate::stage::{Deployment, Waited};

    /// What arguments for the caller's own time are called.
    const NAMES: [&str; 3] = ["now", "now_ms", "produced_at_ms"];

    fn is_hinted(value: &Value) -> bool {
        let fields = value.as_object().into_iter().flatten();
        fields.into_iter().any(|(name, value)| NAMES.contains(&name.as_str()) || is_hinted(value))
    }

    #[test]
    fn the_callers_time_is_found_wherever_there_is_one() {
        let deployment = Deployment::new(Arc::new(MockBackend::conforming()));
        let world = World::new(&deployment, None, 0, Waited::default());
        for mut call in samples(&Fixture::of(&world), &PartitionConfig::default()) {
            let hinted = is_hinted(&serde_json::to_value(&call).unwrap());
            assert_eq!(callers_now(&mut call).is_some(), hinted, "{}", call.method());
        }
    }
}
