//! What a backend is and what it promises to answer.

use serde::Serialize;

use crate::backend::{CancelFlowWait, StreamMode};
use crate::call::{Call, Method};
use crate::methods::with_methods;

/// A semantic version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[non_exhaustive]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

impl Version {
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What a backend calls itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct BackendIdentity {
    /// Equals `backend_label()` (SYS-003).
    pub family: &'static str,
    pub version: Version,
    /// How far the backend has come, in its author's words.
    pub rfc017_stage: &'static str,
}

impl BackendIdentity {
    pub const fn new(family: &'static str, version: Version, rfc017_stage: &'static str) -> Self {
        Self { family, version, rfc017_stage }
    }
}

/// What a backend is and what it promises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Capabilities {
    pub identity: BackendIdentity,
    pub supports: Supports,
}

impl Capabilities {
    pub const fn new(identity: BackendIdentity, supports: Supports) -> Self {
        Self { identity, supports }
    }
}

macro_rules! define {
    (
        calls { $($(#[$kind:ident])? $variant:ident = $name:ident $args:tt -> $(#[$ret_as:meta])* $ret:ty;)* }
        subscriptions { $($svariant:ident = $sname:ident $sargs:tt -> $event:ty;)* }
    ) => {
        /// What a backend promises, one flag a method, and some for forms of a method.
        ///
        /// A claimed method passes the suite; one that is not claimed answers `Unavailable`
        /// (SYS-001, SYS-002).
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
        #[non_exhaustive]
        #[allow(clippy::struct_excessive_bools)]
        pub struct Supports {
            $(pub $name: bool,)*
            $(pub $sname: bool,)*
            /// All of `create_budget`, `reset_budget`, `get_budget_status`, `report_usage_admin`.
            pub budget_admin: bool,
            /// All of `create_quota_policy`, `check_admission`.
            pub quota_admin: bool,
            /// `cancel_flow` with `CancelFlowWait::WaitTimeout`.
            pub cancel_flow_wait_timeout: bool,
            /// `cancel_flow` with `CancelFlowWait::WaitIndefinite`.
            pub cancel_flow_wait_indefinite: bool,
            /// `append_frame` with `StreamMode::DurableSummary`.
            pub stream_durable_summary: bool,
            /// `append_frame` with `StreamMode::BestEffortLive`.
            pub stream_best_effort_live: bool,
        }

        impl Supports {
            /// Whether the method is claimed. Methods whose default already works always are.
            pub fn claims(&self, method: Method) -> bool {
                match method {
                    _ if method.has_working_default() => true,
                    $(Method::$variant => self.$name,)*
                    $(Method::$svariant => self.$sname,)*
                    Method::BackendLabel | Method::AsAny | Method::Capabilities => true,
                }
            }

            fn flag(&mut self, method: Method) -> Option<&mut bool> {
                match method {
                    $(Method::$variant => Some(&mut self.$name),)*
                    $(Method::$svariant => Some(&mut self.$sname),)*
                    Method::BackendLabel | Method::AsAny | Method::Capabilities => None,
                }
            }
        }
    };
}

with_methods!(define);

impl Supports {
    /// Nothing is claimed.
    pub fn none() -> Self {
        Self::default()
    }

    /// These methods are claimed, with the flags that stand for groups of them.
    pub fn of(methods: impl IntoIterator<Item = Method>) -> Self {
        let mut supports = Self::none();
        for method in methods {
            if let Some(flag) = supports.flag(method) {
                *flag = true;
            }
        }
        supports.budget_admin = supports.claims_all(&Self::BUDGET_ADMIN);
        supports.quota_admin = supports.claims_all(&Self::QUOTA_ADMIN);
        supports
    }

    /// Everything is claimed.
    pub fn all() -> Self {
        Self {
            cancel_flow_wait_timeout: true,
            cancel_flow_wait_indefinite: true,
            stream_durable_summary: true,
            stream_best_effort_live: true,
            ..Self::of(Method::ALL.iter().copied())
        }
    }

    /// Whether the method is claimed, and in the form in which it is called.
    pub fn claims_call(&self, call: &Call) -> bool {
        let claims_form = match call {
            Call::CancelFlow { wait: CancelFlowWait::WaitTimeout(_), .. } => {
                self.cancel_flow_wait_timeout
            }
            Call::CancelFlow { wait: CancelFlowWait::WaitIndefinite, .. } => {
                self.cancel_flow_wait_indefinite
            }
            Call::AppendFrame { frame, .. } => match &frame.mode {
                StreamMode::DurableSummary { .. } => self.stream_durable_summary,
                StreamMode::BestEffortLive { .. } => self.stream_best_effort_live,
                _ => true,
            },
            _ => true,
        };
        self.claims(call.method()) && claims_form
    }

    /// Whether the flags for groups agree with the methods they stand for (SYS-002).
    pub fn is_consistent(&self) -> bool {
        self.budget_admin == self.claims_all(&Self::BUDGET_ADMIN)
            && self.quota_admin == self.claims_all(&Self::QUOTA_ADMIN)
    }

    const BUDGET_ADMIN: [Method; 4] = [
        Method::CreateBudget,
        Method::ResetBudget,
        Method::GetBudgetStatus,
        Method::ReportUsageAdmin,
    ];

    const QUOTA_ADMIN: [Method; 2] = [Method::CreateQuotaPolicy, Method::CheckAdmission];

    fn claims_all(&self, methods: &[Method]) -> bool {
        methods.iter().all(|method| self.claims(*method))
    }
}
