//! Deploying a backend, and what is left behind, each within its time: what hangs or dies is a failure of its
//! case alone.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::case::CaseInfo;
use super::failure::Failure;
use super::harness::{Deployment, Harness, HarnessError};

/// How long a deployment may take, and how long what is removed in the end.
const LIMIT: Duration = Duration::from_mins(1);

/// An empty deployment.
pub(crate) async fn deploy(
    harness: &Arc<dyn Harness>,
    case: &CaseInfo,
) -> Result<Deployment, Failure> {
    let (harness, case) = (Arc::clone(harness), case.clone());
    let deploying = tokio::spawn(async move { harness.deploy(&case).await });
    deployed(deploying).await
}

/// Another one, while the first is there.
pub(crate) async fn deploy_second(
    harness: &Arc<dyn Harness>,
    case: &CaseInfo,
) -> Result<Deployment, Failure> {
    let (harness, case) = (Arc::clone(harness), case.clone());
    let deploying = tokio::spawn(async move { harness.deploy_second(&case).await });
    deployed(deploying).await
}

/// Lets a harness remove what its deployments have left.
pub async fn finish(harness: &Arc<dyn Harness>) -> Result<(), HarnessError> {
    let finishing = Arc::clone(harness);
    within(tokio::spawn(async move { finishing.finish().await })).await?
}

async fn deployed(
    deploying: JoinHandle<Result<Deployment, HarnessError>>,
) -> Result<Deployment, Failure> {
    let deployed = within(deploying).await.and_then(|deployed| deployed);
    deployed.map_err(|error| Failure::setup(&format!("the backend cannot be deployed: {error}")))
}

async fn within<T>(mut task: JoinHandle<T>) -> Result<T, HarnessError> {
    let Ok(joined) = tokio::time::timeout(LIMIT, &mut task).await else {
        task.abort();
        return Err(format!("it has taken longer than {LIMIT:?}").into());
    };
    Ok(joined?)
}
