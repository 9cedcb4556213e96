//! Why there is no server.

use std::fmt;

use super::Kind;

/// There is no server of this kind: what would help, and what was tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Absent {
    kind: Kind,
    advice: String,
    tried: Vec<String>,
}

impl Absent {
    /// Nothing on this machine has led to one.
    pub(crate) fn on_this_machine(kind: Kind, tried: Vec<String>) -> Self {
        Self { kind, advice: kind.install(), tried }
    }

    /// What somebody named is not one.
    pub(crate) fn named(kind: Kind, by: &str, why: String) -> Self {
        Self { kind, advice: format!("see {by}"), tried: vec![why] }
    }

    /// What was tried and why it failed, a line each, the shortest first.
    pub fn tried(&self) -> Vec<&str> {
        let mut tried: Vec<&str> = self.tried.iter().map(String::as_str).collect();
        tried.sort_by_key(|why| why.len());
        tried
    }
}

/// In one line; [`Absent::tried`] has the details.
impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no {} server: {}", self.kind.name(), self.advice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_a_line_and_the_details_come_shortest_first() {
        let tried = vec!["a long story of an engine".to_owned(), "no binary".to_owned()];
        let absent = Absent::on_this_machine(Kind::Valkey, tried);
        let line = absent.to_string();
        assert!(line.starts_with("there is no Valkey server: set FF_VALKEY_URL, or "), "{line}");
        assert!(line.len() < 200 && !line.contains('\n'), "{line}");
        assert_eq!(absent.tried(), ["no binary", "a long story of an engine"]);
    }
}
