//! Servers from binaries of this machine, on a free port with their data in a temporary directory.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{Kind, POSTGRES};

/// How long a server may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// Ends a server as Ctrl-C does: at once, but in good order. One that has ended already is fine.
pub(crate) async fn interrupt(id: u32) {
    let id = id.to_string();
    let _ = Command::new("kill").args(["-INT", &id]).status().await;
}

/// A process that ends with this, and its data.
pub(crate) struct Running {
    process: Child,
    directory: TempDir,
}

impl Running {
    /// Asks the server to end, so that it frees what it shares with its children, and insists after a
    /// while.
    pub(crate) async fn stop(mut self) {
        if let Some(id) = self.process.id() {
            interrupt(id).await;
        }
        if tokio::time::timeout(GRACE, self.process.wait()).await.is_err() {
            // That it has ended meanwhile is fine.
            let _ = self.process.kill().await;
        }
    }

    /// Leaves the process to itself; its id and its directory.
    pub(crate) fn leave(mut self) -> Option<(u32, PathBuf)> {
        let id = self.process.id()?;
        self.directory.disable_cleanup(true);
        let directory = self.directory.path().to_owned();
        // Dropped, it would be killed.
        std::mem::forget(self.process);
        Some((id, directory))
    }
}

/// Starts one; with its URL and the binary's path.
pub(crate) async fn start(kind: Kind) -> Result<(Running, String, String), String> {
    let name = match kind {
        Kind::Valkey => "valkey-server",
        Kind::Postgres => "postgres",
    };
    let binary = find(name).ok_or_else(|| format!("no {name} on this machine"))?;
    let failed = |error: std::io::Error| format!("{}: {error}", binary.display());
    let directory = tempfile::Builder::new().prefix("ff-provision-").tempdir().map_err(failed)?;
    let port = free_port().map_err(failed)?;
    let mut command = match kind {
        Kind::Valkey => valkey(&binary, directory.path(), port),
        Kind::Postgres => postgres(&binary, directory.path(), port).await?,
    };
    let process = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let running = Running { process, directory };
    let url = kind.url("127.0.0.1", port);
    Ok((running, url, binary.display().to_string()))
}

fn valkey(binary: &Path, directory: &Path, port: u16) -> Command {
    let mut command = Command::new(binary);
    command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(directory);
    command
}

/// Postgres refuses to run as root, so root runs it as the user that its package has made.
async fn postgres(binary: &Path, directory: &Path, port: u16) -> Result<Command, String> {
    let as_root = std::fs::metadata(directory)
        .map(|made| std::os::unix::fs::MetadataExt::uid(&made) == 0)
        .map_err(|error| error.to_string())?;
    let user = as_root.then_some("postgres");
    if let Some(user) = user {
        finish(Command::new("chown").arg(user).arg(directory)).await?;
    }
    let data = directory.join("data");
    let resolved = binary.canonicalize().map_err(|error| error.to_string())?;
    let mut initdb = as_user(user, &resolved.with_file_name("initdb"));
    initdb.args(["--username=postgres", "--auth=trust", "--no-sync", "--pgdata"]).arg(&data);
    finish(&mut initdb).await?;
    let mut server = as_user(user, &resolved);
    server
        .arg("-D")
        .arg(&data)
        .args(["-p", &port.to_string(), "-h", "127.0.0.1", "-k"])
        .arg(directory)
        .args(POSTGRES);
    Ok(server)
}

/// The program, as another user if one is named; without a process in between, so that a signal
/// reaches it.
fn as_user(user: Option<&str>, program: &Path) -> Command {
    let Some(user) = user else {
        return Command::new(program);
    };
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", user, "--clear-groups"]).arg(program);
    command
}

async fn finish(command: &mut Command) -> Result<(), String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|error| format!("{}: {error}", command.as_std().get_program().display()))?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(errors.lines().last().unwrap_or("failed").to_owned())
}

/// The binary on the path, or where Debian puts the newest version.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|directory| directory.join(name));
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut by_version: Vec<_> = versions.filter_map(|entry| Some(entry.ok()?.path())).collect();
    by_version.sort();
    let installed = by_version.into_iter().rev().map(|version| version.join("bin").join(name));
    on_path.chain(installed).find(|binary| binary.is_file())
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
