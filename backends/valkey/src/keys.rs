//! Secrets are kept in each partition; what is done to all of them is put together here.

use ff_core::call::Method;
use ff_core::contracts::{
    RotateWaitpointHmacSecretAllEntry, RotateWaitpointHmacSecretAllResult, SeedOutcome,
};
use ff_core::engine_error::EngineError;

use crate::everywhere::everywhere;
use crate::server::{Server, transport};
use crate::wire::Wire;

/// Each partition by itself: one that fails does not keep the others from rotating.
pub(crate) async fn rotate(
    server: &Server,
    partitions: u16,
    arguments: &Wire,
) -> Result<RotateWaitpointHmacSecretAllResult, EngineError> {
    let method = Method::RotateWaitpointHmacSecretAll;
    let answers = everywhere(server, method, 0..partitions, arguments).await?;
    let entry = |(partition, answer): (u16, Result<Wire, EngineError>)| {
        let result = answer.and_then(|answer| answer.into().map_err(transport)?);
        RotateWaitpointHmacSecretAllEntry::new(partition, result)
    };
    Ok(RotateWaitpointHmacSecretAllResult::new((0..partitions).zip(answers).map(entry).collect()))
}

/// The first partition decides between seeds at once (WPT-024); the others follow.
pub(crate) async fn seed(
    server: &Server,
    partitions: u16,
    arguments: &Wire,
) -> Result<SeedOutcome, EngineError> {
    let method = Method::SeedWaitpointHmacSecret;
    let mut answers = everywhere(server, method, 0..1, arguments).await?;
    if answers.iter().all(Result::is_ok) {
        answers.extend(everywhere(server, method, 1..partitions, arguments).await?);
    }
    let outcomes: Result<Vec<SeedOutcome>, EngineError> =
        answers.into_iter().map(|answer| answer?.into().map_err(transport)).collect();
    // A new one, otherwise another secret, otherwise the same.
    let rank = |outcome: &SeedOutcome| match outcome {
        SeedOutcome::Seeded { .. } => 0,
        SeedOutcome::AlreadySeeded { same_secret: false, .. } => 1,
        _ => 2,
    };
    let first = outcomes?.into_iter().min_by_key(rank);
    first.ok_or_else(|| transport("a deployment has a partition".to_owned()))
}
