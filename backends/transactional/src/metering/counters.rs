//! Removing what is over: keys, what was counted before a reset, admissions.

use std::sync::Arc;

use ff_core::types::TimestampMs;
use uuid::Uuid;

use crate::engine::Rule;
use crate::page::{LOOKED_AT, Looked};
use crate::records::{Budget, Index, Quota, Scan, Slot, Spend, Stored, UsageKey, Window};
use crate::session::Session;
use crate::store::Tx;

/// How many records of a kind one transaction removes for one budget or policy.
const MOST: usize = 256;

/// A page of the budgets or policies of a partition.
async fn page<R: Stored, T: Tx>(
    tx: &mut Session<T>,
    index: &Index<R>,
    partition: u16,
    after: Option<Uuid>,
) -> Rule<(Vec<Arc<R>>, Looked)> {
    let stored = tx.inspect(index.of(&partition).after(after.as_ref()).limit(LOOKED_AT)).await?;
    let looked = Looked::at(&stored);
    let records = stored.iter().filter_map(|stored| R::of(stored.record.as_ref()?).cloned());
    Ok((records.collect(), looked))
}

/// Of the next budgets of a partition (BUD-026).
pub(crate) async fn reconcile_budgets<T: Tx>(
    tx: &mut Session<T>,
    partition: u16,
    after: Option<Uuid>,
) -> Rule<Looked> {
    let (budgets, mut looked) = page(tx, &Budget::KEY, partition, after).await?;
    let now = tx.now().await?;
    let over = |budget: &Arc<Budget>| UsageKey::EXPIRING.of(&budget.id).up_to(&now).limit(MOST);
    let before = |budget: &Arc<Budget>| {
        let before = budget.reset_count.cast_signed() - 1;
        Spend::COUNTED.of(&budget.id).up_to(&before).limit(MOST)
    };
    let keys: Vec<Scan<UsageKey>> = budgets.iter().map(over).collect();
    let spends: Vec<Scan<Spend>> = budgets.iter().map(before).collect();
    let (keys, spends) = tx.lock((keys, spends)).await?;
    for (budget, (keys, spends)) in budgets.iter().zip(keys.into_iter().zip(spends)) {
        if !keys.is_empty() || !spends.is_empty() {
            looked.processed.push(budget.id.0);
        }
        looked.again |= keys.len() == MOST || spends.len() == MOST;
        tx.remove_all(keys);
        tx.remove_all(spends);
    }
    Ok(looked)
}

/// Of the next policies of a partition (QUO-017).
pub(crate) async fn reconcile_quotas<T: Tx>(
    tx: &mut Session<T>,
    partition: u16,
    after: Option<Uuid>,
) -> Rule<Looked> {
    let (quotas, mut looked) = page(tx, &Quota::KEY, partition, after).await?;
    let now = tx.now().await?;
    let over = |quota: &Arc<Quota>| Slot::HELD.of(&quota.id).up_to(&now).limit(MOST);
    let slots: Vec<Scan<Slot>> = quotas.iter().map(over).collect();
    for (quota, slots) in quotas.iter().zip(tx.lock(slots).await?) {
        let mut is_touched = !slots.is_empty();
        looked.again |= slots.len() == MOST;
        tx.remove_all(slots);
        if let Some(limits) = &quota.limits {
            let since = now.0.saturating_sub_unsigned(limits.window_seconds * 1_000);
            let windows = Window::OLDEST.of(&quota.id).up_to(&TimestampMs(since)).limit(MOST);
            let windows = tx.lock(windows).await?;
            looked.again |= windows.len() == MOST;
            for window in windows {
                looked.again |= leave(tx, window, TimestampMs(since)).await?;
                is_touched = true;
            }
        }
        if is_touched {
            looked.processed.push(quota.id.0);
        }
    }
    Ok(looked)
}

/// Forgets the places of a window that were taken up to then; whether there may be more.
async fn leave<T: Tx>(tx: &mut Session<T>, mut window: Window, since: TimestampMs) -> Rule<bool> {
    window.leave(tx, since, MOST).await?;
    if window.first == window.next {
        tx.remove_all(vec![window]);
        return Ok(false);
    }
    tx.put(&window);
    Ok(window.oldest <= since)
}
