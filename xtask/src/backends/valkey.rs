//! Valkey, under a key prefix for each case.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use ferriskey::Client;
use ff_backend_valkey::{ValkeyBackend, ValkeyOptions};
use ff_conformance::{CaseInfo, Deployment, Harness, HarnessError, kept_by_xtask, play_by_xtask};
use ff_core::backend::PrepareOutcome;
use ff_core::engine_backend::EngineBackend;
use ff_provision::{Server, keys, remove_keys};
use ff_transactional::Patch;
use uuid::Uuid;

use super::vandals::InValkey;
use super::{Backend, CutOff, Time};

/// What the keys of every run begin with.
const FAMILY: &str = "ff-case:";

/// There while a library is that some run has loaded; the last run removes both.
const LIBRARY: &str = "ff-case:library";

/// Seconds after which a run that has not ended counts as abandoned.
const LIFETIME: u32 = 6 * 3_600;

/// Deploys Valkey under prefixes that begin with the run's, and removes their keys at the end.
#[derive(Clone)]
pub(crate) struct ValkeyHarness {
    server: Arc<Server>,
    patch: Option<Patch>,
    time: Time,
    run: String,
    deployments: Arc<AtomicU64>,
    /// A backend whose connection all others share.
    first: Arc<ValkeyBackend>,
    /// The connection of their peers.
    second: Arc<ValkeyBackend>,
}

impl ValkeyHarness {
    pub(crate) async fn new(server: Arc<Server>, time: Time) -> Result<Self, HarnessError> {
        let run = Uuid::new_v4().simple().to_string();
        let options = ValkeyOptions::new(&server.url).prefix(FAMILY);
        let first = options.clone().open().await?;
        let second = options.open().await?;
        remove_abandoned(first.client_for_test()).await?;
        first
            .client_for_test()
            .cmd("SET")
            .arg(alive(&run))
            .arg("")
            .arg("EX")
            .arg(LIFETIME)
            .execute::<()>()
            .await?;
        if let PrepareOutcome::Applied { .. } = first.prepare().await? {
            first.client_for_test().set(LIBRARY, "").await?;
        }
        Ok(Self { server, patch: None, time, run, deployments: Arc::default(), first, second })
    }

    /// The same, for backends whose library is wrong in one line; it is to be unloaded.
    pub(crate) fn patched(&self, patch: Patch) -> Result<Self, HarnessError> {
        let options = ValkeyOptions::new(&self.server.url).prefix(FAMILY);
        let client = self.first.client_for_test().clone();
        Ok(Self { patch: Some(patch), first: options.patch(patch).over(client)?, ..self.clone() })
    }

    /// Removes the library.
    pub(crate) async fn unload(&self) -> Result<(), HarnessError> {
        Ok(self.first.unload().await?)
    }
}

#[async_trait]
impl Harness for ValkeyHarness {
    fn name(&self) -> &'static str {
        Backend::Valkey.name()
    }

    async fn deploy(&self, case: &CaseInfo) -> Result<Deployment, HarnessError> {
        let number = self.deployments.fetch_add(1, Ordering::Relaxed);
        let clock = self.time.clock();
        let cut_off = CutOff::of(&self.server, case).await?;
        let url = cut_off.as_ref().map_or(&*self.server.url, |it| it.0.url());
        let prefix = format!("{FAMILY}{}:{number}:", self.run);
        let mut options = ValkeyOptions::new(url).prefix(&prefix).clock(clock.clone());
        if let Some(patch) = self.patch {
            options = options.patch(patch);
        }
        let peer = options.clone().over(self.second.client_for_test().clone())?;
        let deployment = if let Some(cut_off) = cut_off {
            let backend = options.open().await?;
            Deployment::new(backend.clone())
                .with_nemesis(Arc::new(cut_off))
                .with_housekeeping(backend)
        } else {
            let backend = options.over(self.first.client_for_test().clone())?;
            Deployment::new(backend.clone()).with_housekeeping(backend)
        };
        let client = self.first.client_for_test().clone();
        let vandal = Arc::new(InValkey { client, prefix });
        Ok(deployment.with_peers(vec![peer]).with_clock(clock).with_vandal(vandal))
    }

    async fn finish(&self) -> Result<(), HarnessError> {
        let client = self.first.client_for_test();
        remove_keys(client, &format!("{FAMILY}{}:*", self.run)).await?;
        client.del(&[alive(&self.run)]).await?;
        let last = keys(client, &alive("*")).await?.is_empty();
        if last && client.exists(LIBRARY).await? {
            self.unload().await?;
            client.del(&[LIBRARY]).await?;
        }
        Ok(())
    }

    fn provisioned(&self) -> String {
        self.server.provisioned()
    }

    fn server_version(&self) -> Option<String> {
        Some(self.server.version.clone())
    }

    fn rerun(&self, slug: &str, seed: u64) -> String {
        self.time.rerun(Backend::Valkey, slug, seed)
    }

    fn regressions(&self) -> Option<PathBuf> {
        Some(kept_by_xtask())
    }

    fn play_again(&self, file: &Path) -> Option<String> {
        Some(play_by_xtask(self.name(), file))
    }
}

/// There while a run goes on.
fn alive(run: &str) -> String {
    format!("{FAMILY}alive:{run}")
}

/// Removes the keys of runs that ended without doing so.
async fn remove_abandoned(client: &Client) -> Result<(), HarnessError> {
    let mut of_runs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for key in keys(client, &format!("{FAMILY}*")).await? {
        let run = key[FAMILY.len()..].split(':').next().unwrap_or_default().to_owned();
        of_runs.entry(run).or_default().push(key);
    }
    for (run, keys) in of_runs {
        let is_run = !["alive", "library"].contains(&&*run);
        if is_run && !client.exists(alive(&run)).await? {
            for some in keys.chunks(1_000) {
                client.del(some).await?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ff_provision::{Kind, Servers};

    use super::*;
    use crate::backends::deployments::run_some;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn needs_valkey_and_leaves_nothing_behind() {
        let servers = Servers::default();
        let server = servers.get(Kind::Valkey).await.unwrap();
        let harness = ValkeyHarness::new(server, Time::Turned).await.unwrap();
        run_some(Arc::new(harness.clone())).await;
        let client = harness.first.client_for_test();
        let own = format!("{FAMILY}*{}*", harness.run);
        assert!(!keys(client, &own).await.unwrap().is_empty());
        harness.finish().await.unwrap();
        assert_eq!(keys(client, &own).await.unwrap(), Vec::<String>::new());
        servers.down().await;
    }
}
