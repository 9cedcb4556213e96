//! Which deployment this is, and how many partitions it has: kept by its first caller, the same for all who come later.
//! With another number they would look for work where there is none.

use ff_core::engine_error::EngineError;
use ff_core::partition::PartitionConfig;
use uuid::Uuid;

use crate::engine::Rule;
use crate::records::{At, Layout};
use crate::session::Session;
use crate::store::Tx;

/// The deployment whose layout is kept, if one is; refused if there is another layout.
pub(crate) async fn kept<T: Tx>(
    tx: &mut Session<T>,
    partitions: &PartitionConfig,
) -> Rule<Option<Uuid>> {
    let kept = tx.get(keys(partitions)).await?;
    agrees(partitions, &kept)
}

/// Keeps the layout, unless somebody has done so; the deployment.
pub(crate) async fn keep<T: Tx>(
    tx: &mut Session<T>,
    partitions: &PartitionConfig,
    deployment: Uuid,
) -> Rule<Uuid> {
    let kept = tx.lock(keys(partitions)).await?;
    if let Some(deployment) = agrees(partitions, &kept)? {
        return Ok(deployment);
    }
    let deployment = kept.iter().flatten().next().map_or(deployment, |layout| layout.deployment);
    for (family, partitions) in families(partitions) {
        tx.put(&Layout { family: family.to_owned(), partitions, deployment });
    }
    Ok(deployment)
}

fn agrees(partitions: &PartitionConfig, kept: &[Option<Layout>]) -> Rule<Option<Uuid>> {
    for ((family, partitions), kept) in families(partitions).into_iter().zip(kept) {
        if let Some(Layout { partitions: kept, .. }) = kept
            && *kept != partitions
        {
            return Err(EngineError::invalid_input(format!(
                "this deployment has {kept} {family} partitions, not {partitions}"
            ))
            .into());
        }
    }
    let first = kept.first().and_then(Option::as_ref);
    let is_kept = kept.iter().all(Option::is_some);
    Ok(first.filter(|_| is_kept).map(|layout| layout.deployment))
}

fn keys(partitions: &PartitionConfig) -> Vec<At<Layout>> {
    families(partitions).map(|(family, _)| Layout::at(&family.to_owned())).to_vec()
}

/// The number of partitions of each family, by name.
pub fn families(partitions: &PartitionConfig) -> [(&'static str, u16); 3] {
    [
        ("flow", partitions.num_flow_partitions),
        ("budget", partitions.num_budget_partitions),
        ("quota", partitions.num_quota_partitions),
    ]
}
