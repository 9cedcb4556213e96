//! Servers in containers.

use testcontainers::core::IntoContainerPort;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};

use crate::{Images, Kind, image};

/// A container that is removed with this.
pub(crate) struct Running(ContainerAsync<GenericImage>);

impl Running {
    pub(crate) async fn remove(self) {
        // An engine that is gone has taken the container with it.
        let _ = self.0.rm().await;
    }

    /// Leaves the container to itself; this is what it is called.
    pub(crate) fn leave(self) -> String {
        let id = self.0.id().to_owned();
        std::mem::forget(self.0);
        id
    }
}

/// Starts one; with its URL and the image it came from.
pub(crate) async fn start(
    kind: Kind,
    images: &Images,
) -> Result<(Running, String, String), String> {
    let image = image::choose(kind, images).await?;
    let (name, tag) = image.rsplit_once(':').unwrap_or((&image, "latest"));
    let request = GenericImage::new(name.to_owned(), tag.to_owned())
        .with_exposed_port(kind.port().tcp())
        .with_cmd(arguments(kind).iter().copied())
        .with_env_var("POSTGRES_HOST_AUTH_METHOD", "trust");
    let container = request.start().await.map_err(|error| format!("container {image}: {error}"))?;
    let place = async {
        let host = container.get_host().await?.to_string();
        let port = container.get_host_port_ipv4(kind.port()).await?;
        Ok::<_, testcontainers::TestcontainersError>((host, port))
    };
    match place.await {
        Ok((host, port)) => Ok((Running(container), kind.url(&host, port), image)),
        Err(error) => Err(format!("container {image}: {error}")),
    }
}

/// Nothing here outlives a run, so nothing is written to disk for safety's sake.
fn arguments(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Valkey => &["--save", "", "--appendonly", "no", "--protected-mode", "no"],
        Kind::Postgres => &["-c", "fsync=off", "-c", "max_connections=300"],
    }
}
