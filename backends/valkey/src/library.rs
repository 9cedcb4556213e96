//! The function library: the files of `lua/`, one after the other, under a name of their own.

use ff_transactional::{Patch, PatchError};
use sha2::{Digest, Sha256};

macro_rules! files {
    ($($file:literal,)*) => {
        /// Names and texts, each after those it builds on.
        const FILES: &[(&str, &str)] = &[
            $(($file, include_str!(concat!("../../../lua/", $file))),)*
        ];
    };
}

files! {
    "library.lua",
    "refusal.lua",
    "kinds.lua",
    "record.lua",
    "partition.lua",
    "page.lua",
    "layout.lua",
    "tags.lua",
    "execution.lua",
    "executions/create.lua",
    "executions/grants.lua",
    "executions/claims.lua",
    "executions/assignment.lua",
    "executions/redeem.lua",
    "executions/reclaim.lua",
    "executions/blocks.lua",
    "executions/scheduling.lua",
    "executions/leases.lua",
    "executions/expired.lua",
    "executions/workers.lua",
    "executions/progress.lua",
    "executions/attempts.lua",
    "executions/retries.lua",
    "executions/reads.lua",
    "executions/fields.lua",
    "executions/lists.lua",
    "executions/tags.lua",
    "flows/flow.lua",
    "flows/members.lua",
    "flows/groups.lua",
    "flows/stage.lua",
    "flows/apply.lua",
    "flows/edges.lua",
    "flows/eligibility.lua",
    "flows/interrupt.lua",
    "executions/cancel.lua",
    "executions/expire.lua",
    "executions/revoke.lua",
    "flows/siblings.lua",
    "flows/resolve.lua",
    "flows/cascade.lua",
    "executions/replay.lua",
    "executions/filter.lua",
    "executions/retention.lua",
    "executions/reconcile.lua",
    "flows/cancel.lua",
    "flows/headers.lua",
    "flows/summaries.lua",
    "flows/describe.lua",
    "flows/lists.lua",
    "flows/tags.lua",
    "suspension/keys.lua",
    "suspension/tokens.lua",
    "suspension/conditions.lua",
    "suspension/waitpoints.lua",
    "suspension/suspend.lua",
    "suspension/resumed.lua",
    "suspension/signals.lua",
    "suspension/resume.lua",
    "metering/budgets.lua",
    "metering/usage.lua",
    "metering/spending.lua",
    "metering/exhaustion.lua",
    "metering/quotas.lua",
    "metering/admission.lua",
    "metering/counters.lua",
    "metering/summaries.lua",
    "metering/frames.lua",
    "metering/reading.lua",
    "housekeeping.lua",
}

/// A library as it is loaded.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    /// Of the library, and how each of its functions begins: the version and a digest of the text,
    /// so that another version stands beside it.
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Library {
    /// The library, with one line changed if a patch says so.
    pub(crate) fn new(patch: Option<&Patch>) -> Result<Self, PatchError> {
        if let Some(&Patch { file, what, .. }) = patch
            && !FILES.iter().any(|(known, _)| *known == file)
        {
            return Err(PatchError { file, what, count: 0 });
        }
        let mut body = String::new();
        for (file, text) in FILES {
            let text = match patch {
                Some(patch) => patch.apply(file, text)?,
                None => (*text).to_owned(),
            };
            // Locals of a file are its own.
            body.push_str("do\n");
            body.push_str(&text);
            body.push_str("end\n");
        }
        let digest = format!("{:x}", Sha256::digest(&body));
        let version = env!("CARGO_PKG_VERSION").replace('.', "_");
        let name = format!("ff_{version}_{}", &digest[..12]);
        let text = format!("#!lua name={name}\nlocal ff = {{ name = '{name}' }}\n{body}");
        Ok(Self { name, text })
    }

    /// What the function of a method is called.
    pub(crate) fn function(&self, method: &str) -> String {
        format!("{}_{method}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_text_has_another_name() {
        let patch = Patch { file: "page.lua", what: "MAX_PAGE = 1000", instead: "MAX_PAGE = 999" };
        let patched = Library::new(Some(&patch)).unwrap();
        assert_ne!(patched.name, Library::new(None).unwrap().name);
    }

    #[test]
    fn a_patch_of_no_file_is_refused() {
        let patch = Patch { file: "pages.lua", what: "MAX_PAGE = 1000", instead: "MAX_PAGE = 999" };
        assert_eq!(Library::new(Some(&patch)).unwrap_err().count, 0);
    }

    #[test]
    fn every_file_is_part_of_the_library() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lua");
        let (mut found, mut directories) = (Vec::new(), vec![root.clone()]);
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(&directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else if path.extension().is_some_and(|extension| extension == "lua") {
                    let name = path.strip_prefix(&root).unwrap();
                    found.push(name.to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        let mut known: Vec<_> = FILES.iter().map(|(file, _)| (*file).to_owned()).collect();
        known.sort();
        assert_eq!(found, known);
    }
}
