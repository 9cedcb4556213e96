//! Calls and replies as data: what scripts, logs, tapes, histories and deviants are made of.

use std::fmt;
use std::str::FromStr;

use arbitrary::{Arbitrary, Unstructured};
use serde::{Deserialize, Serialize};

use crate::engine_backend::EngineBackend;
use crate::engine_error::EngineError;
use crate::live::Live;
use crate::methods::prelude::*;
use crate::methods::with_methods;

/// The three methods that describe an instance; they do no I/O and are no calls.
const DESCRIPTIVE: [Method; 3] = [Method::BackendLabel, Method::AsAny, Method::Capabilities];

macro_rules! define {
    (
        calls { $($(#[$kind:ident])? $variant:ident = $name:ident($(
            $(#[$as:meta])? $arg:ident $(: & $borrowed:ty)? $(= $owned:ty)? $([$item:ty])?
        ),* $(,)?) -> $(#[$ret_as:meta])* $ret:ty;)* }
        subscriptions { $($svariant:ident = $sname:ident($(
            $sarg:ident $(: & $sborrowed:ty)? $(= $sowned:ty)?
        ),* $(,)?) -> $event:ty;)* }
    ) => {
        /// The name of a method of the trait.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            strum::IntoStaticStr, strum::EnumString, strum::VariantArray,
        )]
        #[serde(rename_all = "snake_case")]
        #[strum(serialize_all = "snake_case")]
        pub enum Method {
            $($variant,)*
            $($svariant,)*
            BackendLabel,
            AsAny,
            Capabilities,
        }

        /// A call with its arguments.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Call {
            $($variant { $(
                $(#[$as])?
                $arg: $(<$borrowed as ToOwned>::Owned)? $($owned)?
                    $(Vec<<$item as ToOwned>::Owned>)?,
            )* },)*
            $($svariant { $(
                $sarg: $(<$sborrowed as ToOwned>::Owned)? $($sowned)?,
            )* },)*
        }

        /// What a call returned when it was not refused.
        #[derive(Clone, derive_more::Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Reply {
            $($variant($(#[$ret_as])* $ret),)*
            $($svariant(Live<$event>),)*
        }

        impl Method {
            /// Whether it only looks and changes nothing.
            pub fn is_read(self) -> bool {
                match self {
                    $($(Self::$variant => matches!(stringify!($kind), "read"),)?)*
                    other => other.is_subscription(),
                }
            }

            /// Whether it opens a stream of events.
            pub fn is_subscription(self) -> bool {
                matches!(self, $(Self::$svariant)|*)
            }
        }

        impl Call {
            /// The method it calls.
            pub fn method(&self) -> Method {
                match self {
                    $(Self::$variant { .. } => Method::$variant,)*
                    $(Self::$svariant { .. } => Method::$svariant,)*
                }
            }

            /// The handle among its arguments, if it takes one.
            pub fn handle_mut(&mut self) -> Option<&mut Handle> {
                match self {
                    $(Self::$variant { $($arg),* } => {
                        $(if let Some(handle) = handle_named!($arg $arg) {
                            return Some(handle);
                        })*
                        None
                    })*
                    $(Self::$svariant { .. } => None,)*
                }
            }

            /// Makes the call.
            pub async fn send(&self, backend: &dyn EngineBackend) -> Result<Reply, EngineError> {
                match self {
                    $(Self::$variant { $($arg),* } => backend
                        .$name($(
                            $({ let borrowed: &$borrowed = $arg; borrowed })?
                            $(<$owned>::clone($arg))?
                            $(&$arg.iter().map(|item| -> &$item { item }).collect::<Vec<_>>())?
                        ),*)
                        .await
                        .map(Reply::$variant),)*
                    $(Self::$svariant { $($sarg),* } => backend
                        .$sname($(
                            $({ let borrowed: &$sborrowed = $sarg; borrowed })?
                            $(<$sowned>::clone($sarg))?
                        ),*)
                        .await
                        .map(|stream| Reply::$svariant(Live::new(stream))),)*
                }
            }

            /// A well-formed call of `method` with arguments drawn from `u`; `None` for the
            /// methods that are no calls.
            pub fn arbitrary_of(
                method: Method,
                u: &mut Unstructured<'_>,
            ) -> arbitrary::Result<Option<Self>> {
                match method {
                    $(Method::$variant => Ok(Some(Self::$variant { $($arg: u.arbitrary()?,)* })),)*
                    $(Method::$svariant => Ok(Some(Self::$svariant { $($sarg: u.arbitrary()?,)* })),)*
                    Method::BackendLabel | Method::AsAny | Method::Capabilities => Ok(None),
                }
            }
        }

        impl Reply {
            /// The method it answers.
            pub fn method(&self) -> Method {
                match self {
                    $(Self::$variant(_) => Method::$variant,)*
                    $(Self::$svariant(_) => Method::$svariant,)*
                }
            }

            /// A well-formed reply of `method` drawn from `u`; `None` for the methods that are
            /// no calls and for subscriptions.
            pub fn arbitrary_of(
                method: Method,
                u: &mut Unstructured<'_>,
            ) -> arbitrary::Result<Option<Self>> {
                match method {
                    $(Method::$variant => <$ret>::arbitrary(u).map(|reply| Some(Self::$variant(reply))),)*
                    _ => Ok(None),
                }
            }
        }
    };
}

/// The argument, if the table calls it `handle`.
macro_rules! handle_named {
    (handle $argument:ident) => {
        Some($argument)
    };
    ($other:ident $argument:ident) => {{
        let _ = $argument;
        None
    }};
}

with_methods!(define);

impl Method {
    /// All methods of the trait, in the order of the table.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The method's name.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether it is made as a call, and so can be refused, recorded and replayed.
    pub fn is_call(self) -> bool {
        !DESCRIPTIVE.contains(&self)
    }

    /// Whether the trait's default already does what the contract asks, so that every backend
    /// provides the method.
    pub fn has_working_default(self) -> bool {
        !self.is_call()
            || matches!(self, Self::Prepare | Self::ShutdownPrepare | Self::ServerTimeMs)
    }

    /// The method with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::from_str(name).ok()
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
