//! Sequences in files: what a comparison found, to be run again on any backend.

use std::path::{Path, PathBuf};

use ff_core::partition::PartitionConfig;
use serde::{Deserialize, Serialize};

use super::step::Step;

/// A sequence on which a backend and the model differed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// The backend that differed.
    pub found_on: String,
    /// The seed of the run that found it.
    pub seed: u64,
    /// In what they differed.
    pub difference: String,
    /// The calls with their answers, a line each.
    pub story: Vec<String>,
    /// The layout that the ids were made for.
    pub partitions: PartitionConfig,
    pub steps: Vec<Step>,
}

/// Why a recording cannot be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{}: no recording of a sequence: {source}", path.display())]
    Format { path: PathBuf, source: serde_json::Error },
}

impl Recording {
    pub fn read(path: &Path) -> Result<Self, RecordingError> {
        let text = std::fs::read_to_string(path).map_err(in_file(path))?;
        serde_json::from_str(&text)
            .map_err(|source| RecordingError::Format { path: path.to_owned(), source })
    }

    /// Writes it into the directory, which is made if need be, under a name of its own.
    pub fn keep(&self, directory: &Path) -> Result<PathBuf, RecordingError> {
        let name = format!("{}-{}.json", self.found_on, self.seed);
        let path = directory.join(name);
        let json = serde_json::to_string(self)
            .map_err(|source| RecordingError::Format { path: path.clone(), source })?;
        std::fs::create_dir_all(directory).map_err(in_file(directory))?;
        std::fs::write(&path, json + "\n").map_err(in_file(&path))?;
        Ok(path)
    }

    /// The recordings in a directory, by name; none if there is no such directory.
    pub(crate) fn kept(directory: &Path) -> Result<Vec<(PathBuf, Self)>, RecordingError> {
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(in_file(directory)(error)),
        };
        let mut paths = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(in_file(directory))?;
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
        paths.sort();
        let read = |path: PathBuf| Self::read(&path).map(|recording| (path, recording));
        paths.into_iter().map(read).collect()
    }
}

fn in_file(path: &Path) -> impl Fn(std::io::Error) -> RecordingError + '_ {
    |source| RecordingError::File { path: path.to_owned(), source }
}
