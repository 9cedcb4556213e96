//! Tenants, and restricting a scanner or subscription to some of them.

use std::fmt;

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

/// The tenant that an execution, flow or worker belongs to; not empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Arbitrary)]
#[serde(transparent)]
pub struct Namespace(pub String);

impl Namespace {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Namespace {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Namespace {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// Restricts a scanner or subscription to one tenant, one tagged instance, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
#[non_exhaustive]
pub struct ScannerFilter {
    /// The tenant an execution must belong to.
    pub namespace: Option<Namespace>,
    /// A tag key, and the value an execution must have under it.
    pub instance_tag: Option<(String, String)>,
}

impl ScannerFilter {
    /// Lets everything through.
    pub const NOOP: Self = Self { namespace: None, instance_tag: None };

    pub fn new() -> Self {
        Self::NOOP
    }

    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<Namespace>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    #[must_use]
    pub fn with_instance_tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.instance_tag = Some((key.into(), value.into()));
        self
    }

    pub fn is_noop(&self) -> bool {
        *self == Self::NOOP
    }

    /// Whether an execution of this tenant, with this value under the filter's tag key, passes.
    pub fn matches(&self, namespace: Option<&Namespace>, tag_value: Option<&str>) -> bool {
        let tenant = self.namespace.as_ref();
        let tag = self.instance_tag.as_ref().map(|(_, value)| value.as_str());
        (tenant.is_none() || tenant == namespace) && (tag.is_none() || tag == tag_value)
    }
}
