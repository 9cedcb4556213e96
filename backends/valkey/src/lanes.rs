//! Lanes are known in each partition; a page of all of them is merged here.

use std::collections::BTreeSet;

use ff_core::call::Method;
use ff_core::contracts::ListLanesPage;
use ff_core::engine_error::EngineError;
use ff_core::types::LaneId;
use ff_transactional::MAX_PAGE;

use crate::everywhere::everywhere;
use crate::server::{Server, transport};
use crate::wire::Wire;

/// The partitions' pages in one round trip, and the first lanes of them (EXE-036).
pub(crate) async fn list(
    server: &Server,
    partitions: u16,
    arguments: &Wire,
    limit: usize,
) -> Result<ListLanesPage, EngineError> {
    let method = Method::ListLanes.as_str();
    let replies = everywhere(server, method, true, 0..partitions, arguments).await?;
    let mut lanes = BTreeSet::new();
    let mut more = false;
    for reply in replies {
        let page: ListLanesPage = reply?.content.into().map_err(transport)?;
        // A partition that has more has filled its page, so that those here fill one as well.
        more |= page.next_cursor.is_some();
        lanes.extend(page.lanes);
    }
    let size = limit.min(MAX_PAGE);
    more |= lanes.len() > size;
    let page: Vec<LaneId> = lanes.into_iter().take(size).collect();
    let next = page.last().filter(|_| more).cloned();
    Ok(ListLanesPage::new(page, next))
}
