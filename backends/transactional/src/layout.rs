//! How many partitions a deployment has: kept by its first caller, the same for all who come later. With
//! another number they would look for work where there is none.

use ff_core::engine_error::EngineError;
use ff_core::partition::PartitionConfig;

use crate::engine::Rule;
use crate::records::{At, Layout};
use crate::session::Session;
use crate::store::Tx;

/// Whether the layout is kept; refused if there is another.
pub(crate) async fn is_kept<T: Tx>(
    tx: &mut Session<T>,
    partitions: &PartitionConfig,
) -> Rule<bool> {
    let layout = layout(partitions);
    let kept = tx.get(keys(&layout)).await?;
    agrees(&layout, &kept)
}

/// Keeps the layout, unless somebody has done so.
pub(crate) async fn keep<T: Tx>(tx: &mut Session<T>, partitions: &PartitionConfig) -> Rule<()> {
    let layout = layout(partitions);
    let kept = tx.lock(keys(&layout)).await?;
    if !agrees(&layout, &kept)? {
        for family in &layout {
            tx.put(family);
        }
    }
    Ok(())
}

fn agrees(layout: &[Layout], kept: &[Option<Layout>]) -> Rule<bool> {
    for (family, kept) in layout.iter().zip(kept) {
        if let Some(kept) = kept
            && kept != family
        {
            return Err(EngineError::invalid_input(format!(
                "this deployment has {} {} partitions, not {}",
                kept.partitions, kept.family, family.partitions
            ))
            .into());
        }
    }
    Ok(kept.iter().all(Option::is_some))
}

fn layout(partitions: &PartitionConfig) -> Vec<Layout> {
    families(partitions)
        .map(|(family, partitions)| Layout { family: family.to_owned(), partitions })
        .to_vec()
}

fn keys(layout: &[Layout]) -> Vec<At<Layout>> {
    layout.iter().map(|family| Layout::at(&family.family)).collect()
}

/// The number of partitions of each family, by name.
pub fn families(partitions: &PartitionConfig) -> [(&'static str, u16); 3] {
    [
        ("flow", partitions.num_flow_partitions),
        ("budget", partitions.num_budget_partitions),
        ("quota", partitions.num_quota_partitions),
    ]
}
