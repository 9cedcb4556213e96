//! The trait for a backend that answers calls as data.

use std::any::Any;

use async_trait::async_trait;

use crate::call::{Call, Reply};
use crate::capability::Capabilities;
use crate::engine_backend::EngineBackend;
use crate::engine_error::EngineError;
use crate::methods::prelude::*;
use crate::methods::with_methods;
use crate::stream_events::Subscription;

/// A backend in one function: every call arrives as data and leaves as data. Whoever implements
/// it is an [`EngineBackend`].
#[async_trait]
pub trait Dispatch: Send + Sync + 'static {
    /// Answers a call. The reply must be of the call's own method.
    async fn dispatch(&self, call: Call) -> Result<Reply, EngineError>;

    fn backend_label(&self) -> &'static str;

    fn capabilities(&self) -> Capabilities;

    fn as_any(&self) -> &(dyn Any + 'static) {
        &()
    }
}

macro_rules! implement {
    (
        calls { $($(#[$kind:ident])? $variant:ident = $name:ident($(
            $(#[$as:meta])? $arg:ident $(: & $borrowed:ty)? $(= $owned:ty)? $([$item:ty])?
        ),* $(,)?) -> $(#[$ret_as:meta])* $ret:ty;)* }
        subscriptions { $($svariant:ident = $sname:ident($(
            $sarg:ident $(: & $sborrowed:ty)? $(= $sowned:ty)?
        ),* $(,)?) -> $event:ty;)* }
    ) => {
        #[async_trait]
        impl<T: Dispatch> EngineBackend for T {
            $(
                async fn $name(&self, $(
                    $arg: $(&$borrowed)? $($owned)? $(&[&$item])?
                ),*) -> Result<$ret, EngineError> {
                    $(let $arg = own!($arg, $(& $borrowed)? $(= $owned)? $([$item])?);)*
                    match self.dispatch(Call::$variant { $($arg),* }).await? {
                        Reply::$variant(reply) => Ok(reply),
                        other => Err(misdirected(stringify!($name), &other)),
                    }
                }
            )*
            $(
                async fn $sname(&self, $(
                    $sarg: $(&$sborrowed)? $($sowned)?
                ),*) -> Result<Subscription<$event>, EngineError> {
                    $(let $sarg = own!($sarg, $(& $sborrowed)? $(= $sowned)?);)*
                    match self.dispatch(Call::$svariant { $($sarg),* }).await? {
                        Reply::$svariant(live) => Ok(live.take()),
                        other => Err(misdirected(stringify!($sname), &other)),
                    }
                }
            )*

            fn backend_label(&self) -> &'static str {
                Dispatch::backend_label(self)
            }

            fn capabilities(&self) -> Capabilities {
                Dispatch::capabilities(self)
            }

            fn as_any(&self) -> &(dyn Any + 'static) {
                Dispatch::as_any(self)
            }
        }
    };
}

macro_rules! own {
    ($arg:ident, & $borrowed:ty) => {
        <$borrowed as ToOwned>::to_owned($arg)
    };
    ($arg:ident, = $owned:ty) => {
        $arg
    };
    ($arg:ident, [$item:ty]) => {
        $arg.iter().map(|item| <$item>::to_owned(item)).collect()
    };
}

with_methods!(implement);

/// A reply of another method is a fault of the dispatcher, not of the caller.
fn misdirected(method: &str, reply: &Reply) -> EngineError {
    let text = format!("a call of {method} was answered by {}", reply.method());
    EngineError::transport("dispatch", text)
}
