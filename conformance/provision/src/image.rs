//! Which image a container is made from: one that was asked for, the official one, or one built here
//! out of Debian's packages where no registry answers.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::{Images, Kind};

/// Debian's release that has both servers, and what images built from it are tagged with. A change of
/// what is built needs another tag.
const RELEASE: &str = "trixie";
const TAG: &str = "trixie-2";
const BASE: &str = "ff-provision/debian";

/// How long an image registry may take to send an image.
const PULL: Duration = Duration::from_mins(3);

/// The image to run, pulled or built if need be.
pub(crate) async fn choose(kind: Kind, images: &Images) -> Result<String, String> {
    let asked = images.of(kind);
    if !is_installed("docker") {
        // An engine may be reachable all the same, and pulls by itself.
        return Ok(asked.map_or_else(|| official(kind).to_owned(), Clone::clone));
    }
    docker(&["version"]).await.map_err(|error| format!("no Docker engine: {error}"))?;
    if let Some(image) = asked {
        if !exists(image).await {
            docker(&["pull", image]).await?;
        }
        return Ok(image.clone());
    }
    let official = official(kind);
    let built = format!("ff-provision/{}:{TAG}", kind.name().to_lowercase());
    for image in [official, &built] {
        if exists(image).await {
            return Ok(image.to_owned());
        }
    }
    let pull = ["pull", "--quiet", official];
    let unreachable = match tokio::time::timeout(PULL, docker(&pull)).await {
        Ok(Ok(())) => return Ok(official.to_owned()),
        Ok(Err(error)) => error,
        Err(_) => format!("not pulled within {PULL:?}"),
    };
    match build(kind, &built).await {
        Ok(()) => Ok(built),
        Err(error) => Err(format!("{official}: {unreachable}; {built}: {error}")),
    }
}

fn official(kind: Kind) -> &'static str {
    match kind {
        Kind::Valkey => "valkey/valkey:8.1",
        Kind::Postgres => "postgres:17",
    }
}

/// What is added to Debian's base. The images take the same arguments as the official ones.
fn steps(kind: Kind) -> &'static str {
    match kind {
        Kind::Valkey => {
            r#"RUN apt-get update && apt-get install --yes --no-install-recommends valkey-server
USER valkey
ENTRYPOINT ["valkey-server", "--bind", "*"]
"#
        }
        Kind::Postgres => {
            r#"RUN apt-get update && apt-get install --yes --no-install-recommends postgresql
USER postgres
ENV PGDATA=/var/lib/postgresql/data
RUN /usr/lib/postgresql/17/bin/initdb --auth=trust --no-sync && \
    echo 'host all all all trust' >> $PGDATA/pg_hba.conf
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["/usr/lib/postgresql/17/bin/postgres", "-c", "listen_addresses=*"]
"#
        }
    }
}

async fn build(kind: Kind, image: &str) -> Result<(), String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let base = format!("{BASE}:{TAG}");
    if !exists(&base).await {
        import_base(directory.path(), &base).await?;
    }
    let text = format!("FROM {base}\n{}", steps(kind));
    let file = directory.path().join("Dockerfile");
    std::fs::write(&file, text).map_err(|error| error.to_string())?;
    let context = directory.path().join("context");
    std::fs::create_dir(&context).map_err(|error| error.to_string())?;
    docker(&[
        "build",
        "--quiet",
        "--network=host",
        "--tag",
        image,
        "--file",
        &file.to_string_lossy(),
        &context.to_string_lossy(),
    ])
    .await
}

/// Makes an image of Debian's smallest installation.
async fn import_base(directory: &Path, image: &str) -> Result<(), String> {
    let root = directory.join("root");
    let archive = directory.join("root.tar");
    let (root, archive) = (root.to_string_lossy(), archive.to_string_lossy());
    run("debootstrap", &["--variant=minbase", RELEASE, &root]).await?;
    run("tar", &["-C", &root, "-c", "-f", &archive, "."]).await?;
    docker(&["import", &archive, image]).await
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

async fn exists(image: &str) -> bool {
    docker(&["image", "inspect", image]).await.is_ok()
}

pub(crate) async fn docker(arguments: &[&str]) -> Result<(), String> {
    run("docker", arguments).await
}

/// Runs a program to its end; its last words if it fails.
async fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let last = errors.lines().rfind(|line| !line.trim().is_empty());
    Err(last.unwrap_or("failed without a word").trim().to_owned())
}
