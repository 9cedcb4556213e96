//! Calls that are about several partitions: one function call each, in one round trip.

use std::ops::Range;

use ferriskey::{PipeSlot, Value};
use ff_core::call::Method;
use ff_core::engine_error::EngineError;

use crate::server::{Fcall, Server, answer};
use crate::wire::Wire;

/// Calls the function of a method in each of these partitions; what each answered.
pub(crate) async fn everywhere(
    server: &Server,
    method: Method,
    partitions: Range<u16>,
    arguments: &Wire,
) -> Result<Vec<Result<Wire, EngineError>>, EngineError> {
    let fcall =
        |partition| server.fcall(method.as_str(), method.is_read(), partition, arguments, None);
    let calls: Result<Vec<Fcall>, EngineError> = partitions.map(fcall).collect();
    let calls = calls?;
    if calls.is_empty() {
        return Ok(Vec::new());
    }
    let replies = server.healed(|| pipelined(server, &calls)).await?;
    Ok(replies.into_iter().map(|reply| answer(reply).map(|answer| answer.content)).collect())
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
