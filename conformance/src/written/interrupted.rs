//! A call that is interrupted wherever it can be, and made again.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::repeated::{Repetition, TIMES};
use super::{Cast, Scene};
use crate::case::{Case, Verdict};
use crate::failure::Failure;
use crate::generated::Outcome;
use crate::generated::story::call_text;
use crate::harness::{Deployment, Harness, Nemesis};
use crate::world::World;

/// More steps and more messages than a call has.
const MOST: usize = 10_000;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interruption {
    /// Its caller is gone when it waits for the so many-th time.
    GivenUp,
    /// The connection is lost with one of its requests.
    RequestLost,
    /// The connection is lost with one of the answers.
    AnswerLost,
}

impl Interruption {
    const ALL: [Self; 3] = [Self::GivenUp, Self::RequestLost, Self::AnswerLost];

    /// Has the message lost that comes after so many.
    fn lose(self, nemesis: &dyn Nemesis, after: usize) {
        match self {
            Self::GivenUp => {}
            Self::RequestLost => nemesis.lose_request(after),
            Self::AnswerLost => nemesis.lose_answer(after),
        }
    }
}

/// Interrupts the call at each of its steps, requests and answers, each time in a new deployment. Made
/// again it answers as if it had been made before, if it was acknowledged, and else as if it had or had
/// not; and after all repetitions the world looks as if nothing had been interrupted.
pub(crate) async fn interrupt(
    harness: &Arc<dyn Harness>,
    case: &Case,
    repetition: &'static Repetition,
    seed: u64,
) -> Outcome {
    let interrupted = Interrupted { harness, case, repetition, seed };
    match interrupted.everywhere().await {
        Ok(()) => Outcome::Passed,
        Err(Ended::Unclaimed(method)) => Outcome::Unsupported(format!("{method} is not claimed")),
        Err(Ended::Failed(failure)) => Outcome::Failed(failure),
    }
}

/// Why a case ends early.
enum Ended {
    Unclaimed(ff_core::call::Method),
    Failed(Failure),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

struct Interrupted<'a> {
    harness: &'a Arc<dyn Harness>,
    case: &'a Case,
    repetition: &'static Repetition,
    seed: u64,
}

impl Interrupted<'_> {
    async fn everywhere(&self) -> Result<(), Ended> {
        let calm = self.deploy().await?;
        let after = calm.checked(self.undisturbed(&calm.world).await)?;
        for how in Interruption::ALL {
            let mut number = 0;
            loop {
                let ground = self.deploy().await?;
                let over = self.trial(&ground.world, how, number, &after).await;
                if ground.checked(over)? {
                    break;
                }
                number += 1;
                if number == MOST {
                    let why = format!("a call has less than {MOST} steps");
                    return Err(Failure::new(why).into());
                }
            }
        }
        Ok(())
    }

    async fn deploy(&self) -> Result<Ground, Failure> {
        let deployment = self.harness.deploy(self.case).await;
        let deployment = deployment
            .map_err(|error| Failure::new(format!("the backend cannot be deployed: {error}")))?;
        Ok(Ground { world: World::new(&deployment, None, self.seed), _deployment: deployment })
    }

    /// What is to be seen after all repetitions, if none is interrupted.
    async fn undisturbed(&self, world: &World) -> Result<Vec<String>, Failure> {
        let cast = Cast::of(world);
        let mut scene = Scene::new(world);
        scene.play((self.repetition.before)(&cast)).await?;
        let call = (self.repetition.call)(&cast);
        for expected in self.repetition.expected() {
            let seen = scene.make(&call).await?;
            scene.compare(&call, expected, seen)?;
        }
        Ok(scene.observed().await)
    }

    /// Interrupts one call. Whether it came to an end before it could be interrupted there.
    async fn trial(
        &self,
        world: &World,
        how: Interruption,
        number: usize,
        after: &[String],
    ) -> Result<bool, Failure> {
        let cast = Cast::of(world);
        let mut scene = Scene::new(world);
        scene.play((self.repetition.before)(&cast)).await?;
        let call = (self.repetition.call)(&cast);
        let expected = self.repetition.expected();
        let when = format!("{} {how:?} at {number}", call_text(&call));
        let nemesis = world.nemesis();
        let (first, over) = match how {
            Interruption::GivenUp => {
                let first = within(number + 1, scene.make(&call)).await.transpose()?;
                let over = first.is_some();
                (first, over)
            }
            Interruption::RequestLost | Interruption::AnswerLost => {
                how.lose(nemesis, number);
                (Some(scene.make(&call).await?), nemesis.spare())
            }
        };
        let acknowledged = first.as_deref() == Some(expected[0]);
        let is_plausible = first
            .as_deref()
            .is_none_or(|first| acknowledged || (!over && first == "refused: transport"));
        expect!(is_plausible, "{when} is answered {first:?}");
        if how != Interruption::GivenUp && !over {
            world.reconnect().await?;
        }
        let mut seen = Vec::new();
        for _ in 1..TIMES {
            seen.push(scene.make(&call).await?);
        }
        let has_happened = seen == expected[1..];
        let has_not = !acknowledged && seen == expected[..TIMES - 1];
        expect!(
            has_happened || has_not,
            "{when} is answered {first:?}, and the next calls {seen:?}"
        );
        expect_eq!(scene.observed().await, after, "{when}");
        Ok(over)
    }
}

/// Interrupts every read that there is about an execution and a flow, and makes it again: it answers as it
/// did before.
pub(crate) async fn interrupt_reads(world: World) -> Verdict {
    let cast = Cast::of(&world);
    let mut scene = Scene::new(&world);
    let lines = vec![cast.created(1), cast.flow_created(1), cast.joined(1, 1, 1)];
    scene.play(lines).await?;
    let nemesis = world.nemesis();
    for read in scene.reads() {
        let expected = scene.make(&read).await?;
        for how in Interruption::ALL {
            for number in 0..MOST {
                let over = match how {
                    Interruption::GivenUp => {
                        let first = within(number + 1, scene.make(&read)).await;
                        first.is_some()
                    }
                    Interruption::RequestLost | Interruption::AnswerLost => {
                        how.lose(nemesis, number);
                        let first = scene.make(&read).await?;
                        let over = nemesis.spare();
                        expect!(
                            first == expected || (!over && first == "refused: transport"),
                            "{} {how:?} at {number} is answered {first}",
                            call_text(&read)
                        );
                        if !over {
                            world.reconnect().await?;
                        }
                        over
                    }
                };
                let again = scene.make(&read).await?;
                expect_eq!(again, expected, "{} {how:?} at {number}", call_text(&read));
                if over {
                    break;
                }
            }
        }
    }
    Ok(())
}

/// A world of its own, for as long as this is there.
struct Ground {
    world: World,
    _deployment: Deployment,
}

impl Ground {
    /// What was found, unless a method was called that is not claimed.
    fn checked<T>(&self, found: Result<T, Failure>) -> Result<T, Ended> {
        match self.world.unclaimed() {
            Some(unclaimed) => Err(Ended::Unclaimed(unclaimed.method)),
            None => Ok(found?),
        }
    }
}

/// Lets a call come so far, and drops it where it waits then.
pub(crate) async fn within<T>(steps: usize, call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    let mut left = steps;
    poll_fn(|context| {
        left -= 1;
        match call.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
