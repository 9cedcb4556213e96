//! Servers in containers.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::Duration;

use testcontainers::core::IntoContainerPort;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt, TestcontainersError};
use tokio::net::TcpStream;

use crate::{Images, Kind, POSTGRES, image};

/// How long a container's own address may take to answer.
const ATTEMPT: Duration = Duration::from_secs(1);

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
        // The address of a container is known by its network's name.
        .with_network("bridge")
        .with_cmd(arguments(kind).iter().copied())
        .with_env_var("POSTGRES_HOST_AUTH_METHOD", "trust");
    let container = request.start().await.map_err(|error| format!("container {image}: {error}"))?;
    match place(&container, kind).await {
        Ok((host, port)) => Ok((Running(container), kind.url(&host, port), image)),
        Err(error) => Err(format!("container {image}: {error}")),
    }
}

/// The container's own address where this machine reaches it, which spares every message a process in
/// between; otherwise the port that the engine forwards.
async fn place(
    container: &ContainerAsync<GenericImage>,
    kind: Kind,
) -> Result<(String, u16), TestcontainersError> {
    if let Ok(address) = container.get_bridge_ip_address().await
        && is_reached(address, kind.port()).await
    {
        return Ok((address.to_string(), kind.port()));
    }
    let host = container.get_host().await?.to_string();
    Ok((host, container.get_host_port_ipv4(kind.port()).await?))
}

/// Whether something at this address answers, if only that nobody listens yet.
async fn is_reached(address: IpAddr, port: u16) -> bool {
    let connected = TcpStream::connect((address, port));
    match tokio::time::timeout(ATTEMPT, connected).await {
        Ok(Err(error)) => error.kind() == ErrorKind::ConnectionRefused,
        Ok(Ok(_)) => true,
        Err(_) => false,
    }
}

fn arguments(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Valkey => &["--save", "", "--appendonly", "no", "--protected-mode", "no"],
        Kind::Postgres => POSTGRES,
    }
}
