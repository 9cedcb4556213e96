//! Servers that outlive the process which started them, for a working session.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Absent, Images, Kind, Rung, Running, Servers, binary, image, probe};

/// A server that is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    pub kind: Kind,
    pub url: String,
    /// How it was provisioned, and its version.
    pub description: String,
    holder: Option<Holder>,
}

impl Kept {
    /// As the server tells it now.
    pub async fn version(&self) -> Result<String, String> {
        probe::version(self.kind, &self.url).await
    }
}

/// What has to be ended for a server to be gone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Holder {
    Container(String),
    Process { id: u32, directory: PathBuf },
}

/// The file that says which servers are kept.
pub struct Keeper {
    file: PathBuf,
}

impl Keeper {
    /// In the workspace, where all commands find it.
    pub fn new() -> Self {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        Self { file: workspace.join("target/servers.json") }
    }

    pub(crate) fn kept_url(kind: Kind) -> Option<String> {
        let mut kept = Self::new().kept().into_iter();
        kept.find(|kept| kept.kind == kind).map(|kept| kept.url)
    }

    /// The servers that are kept, whether or not they still answer.
    pub fn kept(&self) -> Vec<Kept> {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Starts what is not kept yet. Of each kind, what is kept or why it cannot be.
    pub async fn up(&self, images: Images) -> std::io::Result<Vec<Result<Kept, Absent>>> {
        let servers = Servers::new(images);
        let mut answers = Vec::new();
        let mut kept = self.kept();
        for kind in Kind::ALL {
            let answer = servers.get(kind).await;
            answers.push(match answer {
                Ok(server) => {
                    let known = kept.iter().find(|k| k.kind == kind && k.url == server.url);
                    let holder = match servers.running.lock().await.pop() {
                        Some(running) => leave(running),
                        None => known.and_then(|kept| kept.holder.clone()),
                    };
                    let now = Kept {
                        kind,
                        url: server.url.clone(),
                        description: format!("{}, {}", server.version, server.provisioned()),
                        holder,
                    };
                    // What the environment names is not ours to keep, nor its password.
                    if server.rung != Rung::Environment {
                        kept.retain(|before| before.kind != kind);
                        kept.push(now.clone());
                    }
                    Ok(now)
                }
                Err(reason) => Err(reason),
            });
        }
        self.write(&kept)?;
        // What was started on the way and did not answer.
        servers.down().await;
        Ok(answers)
    }

    /// Ends what `up` has started, and forgets the rest.
    pub async fn down(&self) -> std::io::Result<Vec<Kept>> {
        let kept = self.kept();
        for server in &kept {
            match &server.holder {
                Some(Holder::Container(id)) => {
                    // A container that is gone already is what is wanted.
                    let _ = image::docker(&["rm", "--force", "--volumes", id]).await;
                }
                Some(Holder::Process { id, directory }) => {
                    binary::interrupt(*id).await;
                    let _ = std::fs::remove_dir_all(directory);
                }
                None => {}
            }
        }
        self.write(&[])?;
        Ok(kept)
    }

    fn write(&self, kept: &[Kept]) -> std::io::Result<()> {
        if let Some(directory) = self.file.parent() {
            std::fs::create_dir_all(directory)?;
        }
        std::fs::write(&self.file, serde_json::to_vec_pretty(kept)?)
    }
}

impl Default for Keeper {
    fn default() -> Self {
        Self::new()
    }
}

fn leave(running: Running) -> Option<Holder> {
    match running {
        Running::Container(container) => Some(Holder::Container(container.leave())),
        Running::Binary(binary) => {
            let (id, directory) = binary.leave()?;
            Some(Holder::Process { id, directory })
        }
    }
}
