//! Lanes are known in each partition; a page of all of them is merged here.

use std::collections::BTreeSet;

use ferriskey::{PipeSlot, Value};
use ff_core::contracts::ListLanesPage;
use ff_core::engine_error::EngineError;
use ff_core::types::LaneId;
use ff_transactional::MAX_PAGE;

use crate::server::{Fcall, Server, answer, transport};
use crate::wire::Wire;

/// The partitions' pages in one round trip, and the first lanes of them (EXE-036).
pub(crate) async fn list(
    server: &Server,
    partitions: u16,
    arguments: &Wire,
    limit: usize,
) -> Result<ListLanesPage, EngineError> {
    let calls: Result<Vec<Fcall>, EngineError> = (0..partitions)
        .map(|partition| server.fcall("list_lanes", true, partition, arguments, None))
        .collect();
    let calls = calls?;
    let replies = server.healed(|| pipelined(server, &calls)).await?;
    let mut lanes = BTreeSet::new();
    let mut more = false;
    for reply in replies {
        let page: ListLanesPage = answer(reply)?.content.into().map_err(transport)?;
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

async fn pipelined(server: &Server, calls: &[Fcall]) -> ferriskey::Result<Vec<Value>> {
    let mut pipeline = server.client.pipeline();
    let mut slots: Vec<PipeSlot<Value>> = Vec::new();
    for call in calls {
        let mut command = pipeline.cmd(call.command());
        for argument in call.arguments() {
            command = command.arg(argument);
        }
        slots.push(command.finish());
    }
    pipeline.execute().await?;
    slots.into_iter().map(PipeSlot::value).collect()
}
