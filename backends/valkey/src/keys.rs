//! Secrets are kept in each partition; what is done to all of them is put together here.

use ff_core::call::Method;
use ff_core::contracts::{
    RotateWaitpointHmacSecretAllEntry, RotateWaitpointHmacSecretAllResult, SeedOutcome,
};
use ff_core::engine_error::EngineError;

use crate::everywhere::everywhere;
use crate::server::{Answer, Server, transport};
use crate::wire::Wire;

/// Each partition by itself: one that fails does not keep the others from rotating.
pub(crate) async fn rotate(
    server: &Server,
    partitions: u16,
    arguments: &Wire,
) -> Result<RotateWaitpointHmacSecretAllResult, EngineError> {
    let method = Method::RotateWaitpointHmacSecretAll.as_str();
    let answers = everywhere(server, method, false, 0..partitions, arguments).await?;
    let entry = |(partition, answer): (u16, Result<Answer, EngineError>)| {
        let result = answer.and_then(|answer| answer.content.into().map_err(transport)?);
        RotateWaitpointHmacSecretAllEntry::new(partition, result)
    };
    Ok(RotateWaitpointHmacSecretAllResult::new((0..partitions).zip(answers).map(entry).collect()))
}

/// The first partition decides between seeds at once, and is whose answer counts (WPT-024); the others follow,
/// also where a seed before this one did not come so far.
pub(crate) async fn seed(
    server: &Server,
    partitions: u16,
    arguments: &Wire,
) -> Result<SeedOutcome, EngineError> {
    let method = Method::SeedWaitpointHmacSecret.as_str();
    let mut outcome = None;
    for part in [0..1, 1..partitions] {
        for answer in everywhere(server, method, false, part, arguments).await? {
            let there: SeedOutcome = answer?.content.into().map_err(transport)?;
            let outcome = outcome.get_or_insert_with(|| there.clone());
            if let SeedOutcome::AlreadySeeded { same_secret: false, .. } = there {
                *outcome = there;
            }
        }
    }
    outcome.ok_or_else(|| transport("a deployment has a partition".to_owned()))
}
