//! Where a database is.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use percent_encoding::percent_decode_str;
use rusqlite::{Connection, OpenFlags};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use crate::connections::BUSY;

/// Prepared statements of a connection: some for each kind of record.
const STATEMENTS: usize = 256;

/// What a connection keeps of the file at most: with SQLite's own 2 MB, claims beside a million executions that wait
/// take twice as long as beside a thousand.
const CACHE_KIB: i32 = 64 * 1_024;

/// A file, or memory of this process by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    File(PathBuf),
    Memory(String),
}

impl Location {
    /// What a URI says, or why it says nothing.
    pub(crate) fn of(uri: &str) -> Result<Self, &'static str> {
        let rest = ["file:", "sqlite:"].iter().find_map(|scheme| uri.strip_prefix(scheme));
        let (path, query) = match rest {
            Some(rest) => rest.split_once('?').unwrap_or((rest, "")),
            None => (uri, ""),
        };
        let (mut memory, mut shared) = (path == ":memory:", false);
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter {
                "mode=memory" => memory = true,
                "mode=rwc" | "cache=private" => {}
                "cache=shared" => shared = true,
                _ => return Err("of parameters, mode=memory, mode=rwc and cache are understood"),
            }
        }
        if !memory && path.is_empty() {
            return Err("it has no path");
        }
        Ok(match (memory, shared) {
            (false, _) if rest.is_none() => Self::File(path.into()),
            (false, _) => {
                let path = path.strip_prefix("//").unwrap_or(path);
                let path = percent_decode_str(path).decode_utf8();
                Self::File(path.map_err(|_| "its path is not UTF-8")?.into_owned().into())
            }
            (true, true) => Self::Memory(format!("/shared/{path}")),
            (true, false) => {
                static NUMBER: AtomicU64 = AtomicU64::new(0);
                Self::Memory(format!("/own/{}", NUMBER.fetch_add(1, Ordering::Relaxed)))
            }
        })
    }

    /// Opens it; it is there, as it has been migrated.
    pub(crate) fn open(&self, read_only: bool) -> rusqlite::Result<Connection> {
        let access = if read_only {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        } else {
            OpenFlags::SQLITE_OPEN_READ_WRITE
        };
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match self {
            Self::File(path) => Connection::open_with_flags(path, flags)?,
            Self::Memory(name) => Connection::open_with_flags_and_vfs(name, flags, c"memdb")?,
        };
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // Who waits lets others go on meanwhile.
        connection.busy_timeout(std::time::Duration::ZERO)?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        Ok(connection)
    }

    /// For migrations, and whoever looks at the tables.
    pub(crate) fn for_sqlx(&self) -> SqliteConnectOptions {
        let options = SqliteConnectOptions::new()
            .create_if_missing(true)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY);
        match self {
            Self::File(path) => options.filename(path).journal_mode(SqliteJournalMode::Wal),
            Self::Memory(name) => options.filename(name).vfs("memdb"),
        }
    }
}
