//! Tokens: what they look like, what they open, and for how long.

use ff_core::call::{Call, Reply};
use ff_core::contracts::{RotateWaitpointHmacSecretAllArgs, SeedWaitpointHmacSecretArgs};
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{WaitpointId, WaitpointToken};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeSet;
use std::time::Duration;

use crate::stage::{
    Failure, ManyTimes, Need, SECRET, Target, Verdict, World, any_at, case, declare, named_at,
};

const REFUSED: &str = "validation.invalid_token";

impl World {
    async fn rotate(&self, kid: &str, grace_ms: u64) -> Verdict {
        let args = RotateWaitpointHmacSecretAllArgs::new(kid, "0f".repeat(20), grace_ms);
        for entry in self.rotate_waitpoint_hmac_secret_all(args).await?.entries {
            entry.result?;
        }
        Ok(())
    }

    /// Asserts that the token opens the waitpoint.
    async fn expect_open(&self, target: &Target) -> Verdict {
        let opened = self.deliver_signal(self.signal(target)).await;
        opened.map(|_| ()).map_err(Failure::from)
    }
}

/// The token of this text at the same waitpoint.
fn with(target: &Target, token: impl Into<String>) -> Target {
    Target { token: WaitpointToken::new(token), ..target.clone() }
}

/// Of a pending, a first and a further waitpoint.
#[case(WPT_005)]
async fn shape(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let early = world.pending(&claimed, "early").await?;
    let condition = crate::stage::all_of(vec![any_at("a"), any_at("b")]);
    let args = world.suspending(condition, &["a", "b"]);
    let suspended = world.suspended_by(claimed, args).await?;
    for target in suspended.targets().into_iter().chain([early]) {
        let digest = target.token.as_str().strip_prefix("first:").unwrap_or("");
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        expect!(digest.len() == 40 && digest.bytes().all(is_hex), "40 digits: {}", target.token);
    }
    Ok(())
}

/// Each of several waitpoints with the tokens of all others.
#[case(WPT_006, needs(elsewhere))]
async fn of_others(world: World) -> Verdict {
    world.sign().await?;
    world.elsewhere().sign().await?;
    let mut targets = Vec::new();
    for world in [&world, world.elsewhere()] {
        for _ in 0..2 {
            let claimed = world.claimed().await?;
            for key in ["wp", "wp", "wq"] {
                targets.push((world.clone(), world.pending(&claimed, key).await?));
            }
        }
    }
    for (place, (world, target)) in targets.iter().enumerate() {
        for (other, (_, foreign)) in targets.iter().enumerate() {
            let args = world.signal(&with(target, foreign.token.as_str()));
            let answer = world.deliver_signal(args).await;
            if place == other {
                answer?;
            } else {
                expect_refused!(answer, REFUSED, "waitpoint {place} by token {other}");
            }
        }
    }
    Ok(())
}

/// Each digit changed, cut, lengthened, under another key id.
#[case(WPT_007)]
async fn forged(world: World) -> Verdict {
    let suspended = world.suspended().await?;
    world.rotate("second", 60_000).await?;
    let target = suspended.target();
    let token = target.token.as_str().to_owned();
    let digest = token.strip_prefix("first:").unwrap_or_default().to_owned();
    let mut forged = vec![
        String::new(),
        ":".to_owned(),
        digest.clone(),
        format!("second:{digest}"),
        format!(":{digest}"),
        format!("first:{}", digest.to_uppercase()),
        format!("{token}0"),
        format!(" {token}"),
        format!("first:{token}"),
        "first:".to_owned(),
        format!("first:{}", "0".repeat(40)),
    ];
    forged.extend((0..token.len()).map(|end| token[..end].to_owned()));
    for place in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[place] = if bytes[place] == b'0' { b'1' } else { b'0' };
        forged.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    // Digits that are all letters or all figures are as good in capitals.
    forged.retain(|forged| *forged != token);
    for forged in forged {
        let answer = world.deliver_signal(world.signal(&with(&target, forged.clone()))).await;
        expect_refused!(answer, REFUSED, "{} bytes", forged.len());
    }
    world.expect_open(&target).await
}

/// Tokens that are tried on one waitpoint in a run of the default length.
const MUTATED: usize = 2_000;

declare!(|topic| {
    vec![topic.case(
        "mutated",
        "Bits flipped, and parts of tokens of other waitpoints, keys and deployments put together.",
        &["WPT-007"],
        &[Need::Elsewhere],
        ManyTimes(MUTATED, |world, times| Box::pin(mutated(world, times))),
    )]
});

async fn mutated(world: World, times: usize) -> Verdict {
    let claimed = world.signing().await?;
    let target = world.pending(&claimed, "wp").await?;
    let mut others = vec![target.clone(), world.pending(&claimed, "other").await?];
    world.elsewhere().sign().await?;
    let foreign = world.elsewhere().claimed().await?;
    others.push(world.elsewhere().pending(&foreign, "wp").await?);
    world.rotate("second", 3_600_000).await?;
    others.push(world.pending(&claimed, "wp").await?);
    let suspended = world.suspended_by(claimed, world.plain_suspension()).await;
    let suspended = suspended.map_err(Failure::in_setup)?;
    let target = suspended.target();
    others.push(target.clone());
    let tokens: Vec<&[u8]> = others.iter().map(|other| other.token.as_str().as_bytes()).collect();
    let mut random = StdRng::seed_from_u64(world.uuid().as_u64_pair().0);
    let before = world.observe(&suspended.id).await?;
    for _ in 0..times {
        let token = mutation(&tokens, &mut random);
        if token == target.token.as_str() {
            continue;
        }
        let answer = world.deliver_signal(world.signal(&with(&target, token.clone()))).await;
        expect_refused!(answer, REFUSED, "{} bytes", token.len());
    }
    expect_eq!(world.observe(&suspended.id).await?, before, "what is shown of it");
    world.expect_open(&target).await
}

/// One of these with some bits flipped, or cut and continued by another.
fn mutation(tokens: &[&[u8]], random: &mut StdRng) -> String {
    let mut token = tokens[random.random_range(0..tokens.len())].to_vec();
    if random.random_ratio(1, 2) {
        let other = tokens[random.random_range(0..tokens.len())];
        token.truncate(random.random_range(0..=token.len()));
        token.extend_from_slice(&other[random.random_range(0..=other.len())..]);
    }
    if token.is_empty() || random.random_ratio(2, 3) {
        for _ in 0..random.random_range(1..=3) {
            if let Some(place) = token.len().checked_sub(1) {
                token[random.random_range(0..=place)] ^= 1 << random.random_range(0..7);
            }
        }
    }
    String::from_utf8_lossy(&token).into_owned()
}

/// Old tokens in the grace, new ones under the new secret.
#[case(WPT_008)]
async fn rotated(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let old = world.pending(&claimed, "wp").await?;
    world.rotate("second", 60_000).await?;
    let new = world.pending(&claimed, "wp").await?;
    for (target, kid) in [(&old, "first:"), (&new, "second:")] {
        expect!(target.token.as_str().starts_with(kid), "signed with {kid}: {}", target.token);
        world.expect_open(target).await?;
    }
    world.rotate("third", 60_000).await?;
    for target in [&old, &new] {
        world.expect_open(target).await?;
    }
    let mut args = world.taking(&old, "wp");
    args.resume_condition = named_at("never", "wp");
    let suspended = world.suspended_by(claimed, args).await?;
    expect_eq!(suspended.target().token, old.token, "it is not signed again");
    world.deliver_approval_signal(world.approval(&old, "one")).await?;
    Ok(())
}

/// To the millisecond, whatever is rotated meanwhile.
#[case(WPT_008, needs(clock))]
async fn grace(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let old = world.pending(&claimed, "wp").await?;
    world.rotate("second", 1_000).await?;
    let new = world.pending(&claimed, "wp").await?;
    world.pass_ms(500).await?;
    world.rotate("third", 60_000).await?;
    world.pass_ms(500).await?;
    world.expect_open(&old).await?;
    world.pass_ms(1).await?;
    let late = world.deliver_signal(world.signal(&old)).await;
    expect_refused!(late, REFUSED, "a millisecond late");
    world.expect_open(&new).await?;
    // Another secret under the old name opens nothing.
    world.rotate("first", 60_000).await?;
    let late = world.deliver_signal(world.signal(&old)).await;
    expect_refused!(late, REFUSED, "the name is another secret's");
    Ok(())
}

/// Nobody has seeded anything.
#[case(WPT_010)]
async fn unsigned(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let refused = "validation.invalid_input";
    let answer = world.create_waitpoint(&handle, "wp", Duration::from_mins(1)).await;
    expect_refused!(answer, refused);
    expect_refused!(world.suspend(&handle, world.plain_suspension()).await, refused);
    let fence = world.fence_of(&id).await?;
    let answer = world.suspend_by_triple(id, fence, world.plain_suspension()).await;
    expect_refused!(answer, refused);
    world.renew(&handle).await?;
    Ok(())
}

/// Made here, delivered there, and the other way round.
#[case(WPT_034)]
async fn of_another_instance(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let here = world.pending(&claimed, "wp").await?;
    world.there(Call::DeliverSignal { args: world.signal(&here) }).await?;
    let made = world
        .there(Call::CreateWaitpoint {
            handle: claimed.1.clone(),
            waitpoint_key: "wp".to_owned(),
            expires_in: Duration::from_mins(1),
        })
        .await?;
    let Reply::CreateWaitpoint(made) = made else {
        return Err(Failure::new(format!("a waitpoint is made, not {made:?}")));
    };
    let token = made.hmac_token.token().clone();
    let there = Target { waitpoint: made.waitpoint_id, token, ..here };
    world.expect_open(&there).await
}

/// No token, another's, and any text, at waitpoints in every state.
#[case(SIG_004)]
async fn unauthorised(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let pending = world.pending(&claimed, "early").await?;
    let suspended = world.suspended_by(claimed, world.plain_suspension()).await?;
    let active = suspended.target();
    let nobody = Target { waitpoint: WaitpointId::from_uuid(world.uuid()), ..active.clone() };
    let expect_none_open = async |world: &World, when: &str| -> Verdict {
        for target in [&pending, &active, &nobody] {
            for token in ["", "x", "first:", "\u{e9}:\0", &format!("first:{}", "a".repeat(40))] {
                let args = world.signal(&with(target, token));
                expect_refused!(world.deliver_signal(args).await, REFUSED, "{when}: {token:?}");
            }
        }
        Ok(())
    };
    expect_none_open(&world, "suspended").await?;
    expect_refused!(world.deliver_signal(world.signal(&nobody)).await, REFUSED, "unknown");
    world.expect_open(&active).await?;
    expect_none_open(&world, "resumed").await?;
    world.cancel_execution(crate::stage::cancellation(&suspended.id)).await?;
    expect_none_open(&world, "ended").await
}

/// Answers, errors and arguments, as people see them.
#[case(WPT_009)]
async fn shown(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let pending = world.pending(&claimed, "early").await?;
    let mut told = BTreeSet::new();
    let made = world.create_waitpoint(&claimed.1, "wp", Duration::from_mins(1)).await;
    told.insert(format!("{made:?}"));
    let args = world.plain_suspension();
    told.insert(format!("{:?}", world.suspend(&claimed.1, args).await));
    told.insert(format!("{:?}", world.waitpoints(&claimed.0).await));
    let listed = world.waitpoints(&claimed.0).await?;
    let mut secrets = vec![SECRET.to_owned(), pending.token.as_str().replace("first:", "")];
    for entry in &listed {
        let key = world.partition_key_of(&claimed.0);
        let token = world.read_waitpoint_token(key, &entry.waitpoint_id).await?;
        secrets.push(token.unwrap_or_default().replace("first:", ""));
    }
    for token in [pending.token.as_str().to_owned(), format!("{}0", pending.token.as_str())] {
        let args = world.signal(&with(&pending, token));
        told.insert(format!("{args:?}"));
        let answer = world.deliver_signal(args).await;
        told.insert(format!("{answer:?}"));
        told.insert(answer.err().map(|error| error.to_string()).unwrap_or_default());
    }
    let again = world.seed_waitpoint_hmac_secret(SeedWaitpointHmacSecretArgs::new("first", SECRET));
    told.insert(format!("{:?}", again.await));
    for text in told {
        let shows = secrets.iter().find(|secret| text.contains(&***secret));
        expect!(shows.is_none(), "a secret or a token is shown: {text}");
    }
    Ok(())
}
