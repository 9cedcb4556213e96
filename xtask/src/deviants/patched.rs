//! Deviants in one line of Lua or SQL, each run on a real server.

mod lua;
mod lua_flows;
mod sql;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use ff_conformance::{CaseInfo, Deployment, Harness, HarnessError, Options};
use ff_conformance::{Hunt, hunt_on};
use ff_provision::{Kind, Servers};
use ff_transactional::Patch;

use super::at_once;
use crate::backends::{PostgresHarness, Time, ValkeyHarness};
use crate::progress::Bar;

/// Which backend a patch is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Lua,
    Sql,
}

/// A backend that is wrong in one line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patched {
    language: Language,
    pub(super) name: &'static str,
    pub(super) breaks: &'static str,
    how: &'static str,
    patch: Patch,
}

/// A line of a table of patches.
const fn patched(
    language: Language,
    name: &'static str,
    breaks: &'static str,
    how: &'static str,
    file: &'static str,
    what: &'static str,
    instead: &'static str,
) -> Patched {
    Patched { language, name, breaks, how, patch: Patch { file, what, instead } }
}

/// Every deviant in Lua, then every one in SQL.
pub(super) fn all() -> Vec<Patched> {
    [lua::PATCHES, lua_flows::PATCHES, sql::PATCHES].concat()
}

/// What became of the deviants on the servers that can be had, and which language has no server.
pub(super) struct Hunted {
    pub(super) hunts: Vec<Hunt>,
    pub(super) missing: Vec<String>,
}

pub(super) async fn hunt(
    deviants: &[Patched],
    servers: &Servers,
    options: Options,
    bar: &Bar,
) -> Result<Hunted, HarnessError> {
    let mut hunted = Hunted { hunts: Vec::new(), missing: Vec::new() };
    let of = |language| deviants.iter().filter(move |d| d.language == language);
    if of(Language::Lua).next().is_some() {
        match servers.get(Kind::Valkey).await {
            Ok(server) => {
                let harness = ValkeyHarness::new(server, Time::Turned).await?;
                let hunts = of(Language::Lua).map(async |deviant| {
                    let patched = harness.patched(deviant.patch)?;
                    let hunt = kill(deviant, Arc::new(patched.clone()), options).await;
                    patched.unload().await?;
                    bar.step();
                    Ok(hunt)
                });
                hunted.hunts.extend(at_once(options.jobs, hunts).await?);
                harness.finish().await?;
            }
            Err(reason) => hunted.missing.push(reason.to_string()),
        }
    }
    if of(Language::Sql).next().is_some() {
        match servers.get(Kind::Postgres).await {
            Ok(server) => {
                let harness = PostgresHarness::new(server, Time::Turned).await?;
                let hunts = of(Language::Sql).map(async |deviant| {
                    let patched = harness.patched(deviant.patch);
                    let hunt = kill(deviant, Arc::new(patched), options).await;
                    bar.step();
                    Ok(hunt)
                });
                hunted.hunts.extend(at_once(options.jobs, hunts).await?);
                harness.finish().await?;
            }
            Err(reason) => hunted.missing.push(reason.to_string()),
        }
    }
    Ok(hunted)
}

async fn kill(deviant: &Patched, inner: Arc<dyn Harness>, options: Options) -> Hunt {
    let harness = Arc::new(PatchedHarness { name: deviant.name, inner });
    hunt_on(harness, deviant.breaks, deviant.how, options).await
}

/// A harness under a deviant's name.
struct PatchedHarness {
    name: &'static str,
    inner: Arc<dyn Harness>,
}

#[async_trait]
impl Harness for PatchedHarness {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn deploy(&self, case: &CaseInfo) -> Result<Deployment, HarnessError> {
        self.inner.deploy(case).await
    }

    /// What is wrong on purpose is not kept.
    fn regressions(&self) -> Option<PathBuf> {
        None
    }

    fn rerun(&self, _: &str, seed: u64) -> String {
        format!("cargo xtask deviants {} --seed {seed}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ff_core::contract;

    use super::*;

    #[test]
    fn names_are_unique_and_clauses_exist() {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        let model = ff_conformance::deviants::all();
        names.extend(model.iter().map(|deviant| deviant.name));
        for deviant in all() {
            assert!(names.insert(deviant.name), "{} twice", deviant.name);
            assert!(
                contract::clauses().any(|clause| clause.id == deviant.breaks),
                "{} breaks {}",
                deviant.name,
                deviant.breaks
            );
        }
    }
}
