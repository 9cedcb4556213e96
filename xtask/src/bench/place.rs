//! Where a scenario runs: an empty deployment of a backend, and instances of it.

use std::sync::Arc;

use ff_backend_postgres::PostgresOptions;
use ff_backend_sqlite::SqliteOptions;
use ff_backend_valkey::ValkeyOptions;
use ff_conformance::HarnessError;
use ff_core::backend::BackendTag;
use ff_core::clock::Clock;
use ff_core::engine_backend::EngineBackend;
use ff_core::partition::PartitionConfig;
use ff_mock::{MemoryStore, Settings};
use ff_provision::{Kind, Proxy, Scratch};
use ff_transactional::Transactional;
use tempfile::TempDir;

use crate::backends::Backend;

/// Room for one backend that nobody else uses.
pub(super) struct Place {
    pub(super) backend: Backend,
    /// On a server, if the backend needs one.
    pub(super) scratch: Option<Scratch>,
    pub(super) directory: TempDir,
}

impl Place {
    pub(super) async fn of(backend: Backend) -> Result<Self, HarnessError> {
        let scratch = match backend {
            Backend::Mock | Backend::Sqlite => None,
            Backend::Postgres => Some(Scratch::on(Kind::Postgres).await?),
            Backend::Valkey => Some(Scratch::on(Kind::Valkey).await?),
        };
        Ok(Self { backend, scratch, directory: tempfile::tempdir()? })
    }

    /// So many connections to it, each with the backend that uses it: one instance with a pool of them
    /// where a backend has a pool, instances with one each where it has not.
    pub(super) async fn instances(
        &self,
        connections: usize,
    ) -> Result<Vec<Arc<dyn EngineBackend>>, HarnessError> {
        let url = self.scratch.as_ref().map_or("", |scratch| &scratch.server.url);
        self.instances_by(url, connections).await
    }

    /// One instance whose round trips are counted, if there is a server.
    pub(super) async fn counted(
        &self,
    ) -> Result<Option<(Arc<dyn EngineBackend>, Proxy)>, HarnessError> {
        let Some(scratch) = &self.scratch else {
            return Ok(None);
        };
        let proxy = Proxy::before(&scratch.server).await?;
        let instances = self.instances_by(proxy.url(), 1).await?;
        Ok(instances.into_iter().next().map(|instance| (instance, proxy)))
    }

    async fn instances_by(
        &self,
        url: &str,
        connections: usize,
    ) -> Result<Vec<Arc<dyn EngineBackend>>, HarnessError> {
        let name = self.scratch.as_ref().map_or("", |scratch| &scratch.name);
        let shared: Arc<dyn EngineBackend> = match self.backend {
            Backend::Mock => {
                let partitions = PartitionConfig::default();
                let settings = Settings::new(BackendTag::Mock, partitions);
                Arc::new(Transactional::new(MemoryStore::new(Clock::Server), settings))
            }
            Backend::Sqlite => {
                let file = self.directory.path().join("bench.db");
                let options = SqliteOptions::new(format!("file:{}", file.display()));
                options.partitions(PartitionConfig::default()).dev_mode().open().await?
            }
            Backend::Postgres => {
                let pool = u32::try_from(connections)?;
                let options = PostgresOptions::new(url).schema(name).connections(pool);
                options.open().await?
            }
            Backend::Valkey => {
                let options = ValkeyOptions::new(url).prefix(name);
                let mut instances: Vec<Arc<dyn EngineBackend>> = Vec::new();
                for _ in 0..connections {
                    instances.push(options.clone().open().await?);
                }
                return Ok(instances);
            }
        };
        shared.prepare().await?;
        Ok(vec![shared; connections])
    }

    pub(super) async fn leave(self) -> Result<(), HarnessError> {
        match self.scratch {
            Some(scratch) => scratch.leave().await,
            None => Ok(()),
        }
    }
}
