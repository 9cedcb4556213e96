//! Calls that are about several partitions: one function call each, in one round trip.

use std::ops::Range;

use ferriskey::{PipeSlot, Value};
use ff_core::engine_error::EngineError;

use crate::server::{Answer, Fcall, Server, answer};
use crate::wire::Wire;

/// Calls a function in each of these partitions; what each answered.
pub(crate) async fn everywhere(
    server: &Server,
    function: &str,
    reads: bool,
    partitions: Range<u16>,
    arguments: &Wire,
) -> Result<Vec<Result<Answer, EngineError>>, EngineError> {
    let fcall = |partition| server.fcall(function, reads, partition, arguments, None);
    let calls: Result<Vec<Fcall>, EngineError> = partitions.map(fcall).collect();
    together(server, &calls?).await
}

/// Makes calls of functions; what each answered.
pub(crate) async fn together(
    server: &Server,
    calls: &[Fcall],
) -> Result<Vec<Result<Answer, EngineError>>, EngineError> {
    if calls.is_empty() {
        return Ok(Vec::new());
    }
    let replies = server.healed(|| pipelined(server, calls)).await?;
    Ok(replies.into_iter().map(answer).collect())
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
