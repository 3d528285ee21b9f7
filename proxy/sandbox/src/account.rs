//! Who the server runs as, and where things are kept.

use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Binaries, SandboxError};

/// Who the server runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Account {
    /// Whoever runs this.
    Ourselves,
    /// Another user, which only root can choose.
    User { name: &'static str, uid: u32, gid: u32 },
    /// Root, under another number in a user namespace.
    Namespace,
}

/// Any number but 0 does; this one is `nobody`.
const NAMESPACE_ID: &str = "65534";

impl Account {
    /// Chooses for a server out of `binaries` that keeps its files in `dir`, which we own.
    /// Afterwards `dir` belongs to the chosen account.
    pub(crate) fn choose(binaries: &Binaries, dir: &Path) -> Result<Self, SandboxError> {
        let owner = fs::metadata(dir).map_err(SandboxError::at("look at", dir))?.uid();
        Self::first_of(Self::candidates(owner), binaries, dir)
    }

    /// Who comes into question for somebody with this user id, best first.
    fn candidates(uid: u32) -> Vec<Self> {
        if uid != 0 {
            return vec![Self::Ourselves];
        }
        let mut accounts: Vec<Self> = ["postgres", "nobody"].into_iter().filter_map(user).collect();
        accounts.push(Self::Namespace);
        accounts
    }

    fn first_of(
        accounts: Vec<Self>,
        binaries: &Binaries,
        dir: &Path,
    ) -> Result<Self, SandboxError> {
        let mut tried = Vec::new();
        for account in accounts {
            account.give(dir)?;
            match account.reaches(binaries, dir) {
                Ok(()) => return Ok(account),
                Err(why) => tried.push(format!("  as {account}: {why}")),
            }
        }
        Err(SandboxError::NoAccount { tried: tried.join("\n") })
    }

    /// Hands a path over to the account.
    pub(crate) fn give(&self, path: &Path) -> Result<(), SandboxError> {
        let (uid, gid) = match self {
            Self::Ourselves => return Ok(()),
            Self::User { uid, gid, .. } => (*uid, *gid),
            Self::Namespace => (0, 0),
        };
        chown(path, Some(uid), Some(gid)).map_err(SandboxError::at("hand over", path))
    }

    /// A command that runs `program` as the account.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = match self {
            Self::Ourselves => Command::new(program),
            Self::User { uid, gid, .. } => {
                let mut command = Command::new(program);
                command.uid(*uid).gid(*gid); // and no supplementary groups
                command
            }
            Self::Namespace => {
                let mut command = Command::new("unshare");
                command
                    .arg("--user")
                    .arg(format!("--map-user={NAMESPACE_ID}"))
                    .arg(format!("--map-group={NAMESPACE_ID}"))
                    .arg("--")
                    .arg(program);
                command
            }
        };
        // The environment's PGDATA, PGPORT ... are meant for somebody else, and the server's
        // messages are searched by tests: not translated.
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command.env("LC_ALL", "C").env("LANG", "C").current_dir("/");
        command
    }

    /// Whether the account can write in the directory and run the programs: found out by trying.
    fn reaches(&self, binaries: &Binaries, dir: &Path) -> Result<(), String> {
        let output = self
            .command(Path::new("/bin/sh"))
            .arg("-c")
            .arg(r#"cd "$1" && test -w . && "$2/initdb" --version && "$2/postgres" --version"#)
            .arg("sh")
            .arg(dir)
            .arg(&binaries.dir)
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(if said.is_empty() {
            format!("cannot write in {} or run {}", dir.display(), binaries.dir.display())
        } else {
            said
        })
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ourselves => f.write_str("the user who started it"),
            Self::User { name, .. } => write!(f, "user {name}"),
            Self::Namespace => f.write_str("root in a user namespace"),
        }
    }
}

/// Looks a user up in `/etc/passwd`.
fn user(name: &'static str) -> Option<Account> {
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    let uid = fields.next()?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    (uid != 0).then_some(Account::User { name, uid, gid })
}

/// Directories in which fetched and prepared files can be kept, best first. Root's is one that
/// other users can reach, for the server runs as another user.
pub(crate) fn caches() -> Vec<PathBuf> {
    let mut caches = Vec::new();
    if let Some(cache) = env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        caches.push(PathBuf::from(cache).join("pgveil"));
    } else {
        if fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
            caches.push(PathBuf::from("/var/cache/pgveil"));
        }
        if let Some(home) = env::var_os("HOME").filter(|value| !value.is_empty()) {
            caches.push(PathBuf::from(home).join(".cache/pgveil"));
        }
    }
    caches.retain(|cache| cache.is_absolute());
    caches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{self, Shape};

    /// As root all the ways are tried, not only the one that is used here.
    #[test]
    fn every_account_of_this_machine_can_run_the_programs() {
        let binaries = Binaries::find().unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let uid = fs::metadata(scratch.path()).unwrap().uid();
        for account in Account::candidates(uid) {
            let dir = tempfile::tempdir().unwrap();
            let chosen = Account::first_of(vec![account.clone()], &binaries, dir.path());
            match chosen {
                Ok(chosen) => assert_eq!(chosen, account),
                // Containers may forbid user namespaces; the other users must do.
                Err(_) if account == Account::Namespace => continue,
                Err(error) => panic!("{error}"),
            }
            let shape = Shape {
                locale: "C".to_owned(),
                encoding: "UTF8".to_owned(),
                superuser: "postgres".to_owned(),
            };
            let data = dir.path().join("data");
            template::initdb(&binaries, &account, &shape, &data).unwrap();
            assert!(data.join("PG_VERSION").is_file());
        }
    }

    #[test]
    fn nobody_who_can_is_an_error_that_lists_the_tries() {
        let dir = tempfile::tempdir().unwrap();
        let mut binaries = Binaries::find().unwrap();
        binaries.dir = dir.path().join("nowhere");
        let error = Account::first_of(vec![Account::Ourselves], &binaries, dir.path()).unwrap_err();
        assert!(error.to_string().contains("as the user who started it:"), "{error}");
    }
}
