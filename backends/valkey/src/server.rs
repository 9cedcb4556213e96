//! Calls of the library's functions.

use std::future::Future;

use ferriskey::{Client, ErrorKind, Value};
use ff_core::backend::{BackendTag, HandlePayload, PrepareOutcome};
use ff_core::call::Method;
use ff_core::clock::Clock;
use ff_core::engine_error::EngineError;
use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::{AttemptId, LaneId, LeaseId, TimestampMs};
use serde::Serialize;
use uuid::Uuid;

use crate::library::Library;
use crate::wire::Wire;

type Result<T> = std::result::Result<T, EngineError>;

/// One deployment on a server.
pub(crate) struct Server {
    pub(crate) client: Client,
    library: Library,
    prefix: String,
    clock: Clock,
}

/// Methods that begin a lease with an id of its own.
const BEGIN: [Method; 3] =
    [Method::Claim, Method::ClaimFromResumeGrant, Method::IssueGrantAndClaim];

/// Methods that make a waitpoint or a signal, or draw a number.
const MAKE: [Method; 4] = [
    Method::CheckAdmission,
    Method::CreateWaitpoint,
    Method::DeliverApprovalSignal,
    Method::ExpireSuspension,
];

/// The partition whose keys a function sees.
pub(crate) struct Home(Partition);

impl From<Partition> for Home {
    fn from(partition: Partition) -> Self {
        Self(partition)
    }
}

/// Of flows and executions.
impl From<u16> for Home {
    fn from(index: u16) -> Self {
        Self(Partition { family: PartitionFamily::Execution, index })
    }
}

/// What a function needs to know beside its arguments.
#[derive(Serialize)]
struct Context<'a> {
    /// The manual clock; the server's is read there.
    now: Option<TimestampMs>,
    /// What the caller's handle stands for.
    held: Option<&'a HandlePayload>,
    /// For the lease and the attempt that a claim begins.
    lease_id: Option<LeaseId>,
    attempt_id: Option<AttemptId>,
    /// For the waitpoint or the signal that a call makes, or the number that it draws.
    fresh_id: Option<String>,
}

/// A function with its arguments, ready to be sent.
pub(crate) struct Fcall {
    function: String,
    key: String,
    arguments: Vec<u8>,
    context: Vec<u8>,
    pub(crate) reads: bool,
}

impl Fcall {
    pub(crate) fn command(&self) -> &'static str {
        if self.reads { "FCALL_RO" } else { "FCALL" }
    }

    /// The command's arguments in order.
    pub(crate) fn arguments(&self) -> [&[u8]; 5] {
        [self.function.as_bytes(), b"1", self.key.as_bytes(), &self.arguments, &self.context]
    }
}

impl Server {
    pub(crate) fn new(client: Client, library: Library, prefix: String, clock: Clock) -> Self {
        Self { client, library, prefix, clock }
    }

    /// What every key of the deployment begins with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What every key of a partition begins with: `KEYS[1]`.
    pub(crate) fn tag(&self, home: impl Into<Home>) -> String {
        format!("{}{}", self.prefix, home.into().0.hash_tag())
    }

    pub(crate) fn fcall(
        &self,
        method: &str,
        reads: bool,
        home: impl Into<Home>,
        arguments: &Wire,
        held: Option<&HandlePayload>,
    ) -> Result<Fcall> {
        let is_one_of = |methods: &[Method]| methods.iter().any(|one| one.as_str() == method);
        let (begins, makes) = (is_one_of(&BEGIN), is_one_of(&MAKE));
        let context = Context {
            now: self.clock.manual(),
            held,
            lease_id: begins.then(LeaseId::new),
            attempt_id: begins.then(AttemptId::new),
            fresh_id: makes.then(|| Uuid::new_v4().to_string()),
        };
        Ok(Fcall {
            function: self.library.function(method),
            key: self.tag(home),
            arguments: arguments.pack(),
            context: Wire::of(&context).map_err(transport)?.pack(),
            reads,
        })
    }

    /// Calls the function; what it returned or why it refused.
    pub(crate) async fn call(&self, fcall: &Fcall) -> Result<Wire> {
        self.called(fcall).await.map(|answer| answer.content)
    }

    /// The same, with the lanes that there is more work in.
    pub(crate) async fn called(&self, fcall: &Fcall) -> Result<Answer> {
        self.healed(|| {
            let mut command = self.client.cmd(fcall.command());
            for argument in fcall.arguments() {
                command = command.arg(argument);
            }
            command.execute::<Value>()
        })
        .await
        .and_then(answer)
    }

    /// Runs commands that need the library, a second time if the server has lost it: then none of
    /// them has done anything.
    pub(crate) async fn healed<T, F>(&self, commands: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = ferriskey::Result<T>>,
    {
        match commands().await {
            Err(error) if self.misses_library(&error).await? => {
                self.load().await?;
                commands().await.map_err(transport)
            }
            answer => answer.map_err(transport),
        }
    }

    /// Whether the server refused for want of the library. It has no code for that, and by now another
    /// caller may have loaded it, so its words count as well.
    async fn misses_library(&self, error: &ferriskey::Error) -> Result<bool> {
        if error.kind() != ErrorKind::ResponseError {
            return Ok(false);
        }
        let says = |text: &str| text.contains("Function not found");
        Ok(error.detail().is_some_and(says) || !self.is_loaded().await?)
    }

    /// Makes sure that the library is there.
    pub(crate) async fn prepare(&self) -> Result<PrepareOutcome> {
        if self.is_loaded().await? {
            return Ok(PrepareOutcome::NoOp);
        }
        self.load().await?;
        let description = format!("library {}", self.library.name);
        Ok(PrepareOutcome::applied(description))
    }

    /// Removes the library.
    pub(crate) async fn unload(&self) -> Result<()> {
        if self.is_loaded().await? {
            let deleted = self.client.function_delete(&self.library.name).await;
            deleted.map_err(transport)?;
        }
        Ok(())
    }

    /// Two that load the same text at once both succeed.
    async fn load(&self) -> Result<()> {
        let loaded = self.client.function_load_replace(&self.library.text).await;
        loaded.map(drop).map_err(transport)
    }

    async fn is_loaded(&self) -> Result<bool> {
        let listed = self.client.function_list(&self.library.name).await;
        Ok(match listed.map_err(transport)? {
            Value::Array(libraries) => !libraries.is_empty(),
            Value::Map(libraries) => !libraries.is_empty(),
            _ => false,
        })
    }

    /// The clock that the functions go by.
    pub(crate) async fn now(&self) -> Result<TimestampMs> {
        let command = self.client.cmd("TIME");
        self.now_of(command.execute().await.map_err(transport)?)
    }

    /// The same, when the server has told this time.
    pub(crate) fn now_of(&self, time: (String, String)) -> Result<TimestampMs> {
        if let Some(now) = self.clock.manual() {
            return Ok(now);
        }
        let number = |text: String| text.parse::<i64>().map_err(transport);
        let (seconds, micros) = (number(time.0)?, number(time.1)?);
        Ok(TimestampMs(seconds * 1_000 + micros / 1_000))
    }
}

/// What a function has done.
pub(crate) struct Answer {
    pub(crate) content: Wire,
    /// The lane of each execution that can be claimed now, and could not before.
    pub(crate) work: Vec<LaneId>,
}

/// What a function says: `{ok = …, work = …}` or `{err = …}`.
pub(crate) fn answer(reply: Value) -> Result<Answer> {
    let Value::BulkString(bytes) = reply else {
        return Err(transport(format!("a function answered {reply:?}")));
    };
    let mut answer = Wire::unpack(&bytes).map_err(transport)?;
    match answer.take("err") {
        Some(error) => Err(error.into().map_err(transport)?),
        None => Ok(Answer {
            work: match answer.take("work") {
                Some(lanes) => lanes.into().map_err(transport)?,
                None => Vec::new(),
            },
            content: answer.take("ok").unwrap_or(Wire::Nil),
        }),
    }
}

pub(crate) fn transport(
    error: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
) -> EngineError {
    EngineError::transport(BackendTag::Valkey.as_str(), error)
}
