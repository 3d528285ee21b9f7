//! `initdb`, once per machine: a fresh data directory is kept and copied, which takes a third of
//! the time or less.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::account::{self, Account};
use crate::{Binaries, SandboxError};

/// What `initdb` is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    pub(crate) locale: String,
    pub(crate) encoding: String,
    pub(crate) superuser: String,
}

/// Makes `data` a fresh data directory that belongs to the account. `data` must not exist; its
/// parent belongs to the account.
pub(crate) fn data_directory(
    binaries: &Binaries,
    account: &Account,
    shape: &Shape,
    data: &Path,
) -> Result<(), SandboxError> {
    for cache in account::caches() {
        if let Ok(template) = template(&cache, binaries, account, shape)
            && copy(account, &template, data).is_ok()
        {
            return Ok(());
        }
        // A half copy is in the way of `initdb`.
        let _ = fs::remove_dir_all(data);
    }
    initdb(binaries, account, shape, data)
}

/// The template for this server, account and shape; made if it is not there yet.
fn template(
    cache: &Path,
    binaries: &Binaries,
    account: &Account,
    shape: &Shape,
) -> Result<PathBuf, SandboxError> {
    let mut hasher = DefaultHasher::new();
    (&binaries.dir, &binaries.full_version, account.to_string(), shape).hash(&mut hasher);
    let name = format!("template-{}-{:016x}", binaries.full_version, hasher.finish());
    let template = cache.join(&name);
    if template.is_dir() {
        return Ok(template);
    }
    fs::create_dir_all(cache).map_err(SandboxError::at("create", cache))?;
    // Test binaries start together: one makes the template, the others wait.
    let lock = cache.join(format!("{name}.lock"));
    let lock = File::create(&lock).map_err(SandboxError::at("create", &lock))?;
    lock.lock().map_err(SandboxError::io("cannot lock the template"))?;
    if template.is_dir() {
        return Ok(template);
    }
    let scratch = tempfile::Builder::new()
        .prefix("initdb-")
        .tempdir_in(cache)
        .map_err(SandboxError::at("write in", cache))?;
    account.give(scratch.path())?;
    let fresh = scratch.path().join("data");
    initdb(binaries, account, shape, &fresh)?;
    fs::rename(&fresh, &template).map_err(SandboxError::at("create", &template))?;
    Ok(template)
}

/// Makes a data directory from nothing.
pub(crate) fn initdb(
    binaries: &Binaries,
    account: &Account,
    shape: &Shape,
    data: &Path,
) -> Result<(), SandboxError> {
    run(
        account
            .command(&binaries.dir.join("initdb"))
            .arg("--pgdata")
            .arg(data)
            .arg(format!("--username={}", shape.superuser))
            .arg(format!("--encoding={}", shape.encoding))
            .arg(format!("--locale={}", shape.locale))
            .args(["--auth=trust", "--no-sync", "--no-instructions"]),
        "initdb",
    )
}

fn copy(account: &Account, from: &Path, to: &Path) -> Result<(), SandboxError> {
    run(account.command(Path::new("cp")).arg("-R").arg(from).arg(to), "cp")
}

fn run(command: &mut std::process::Command, program: &str) -> Result<(), SandboxError> {
    let output = command.output().map_err(SandboxError::io(format!("cannot run {program}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(SandboxError::Program {
        program: program.to_owned(),
        output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
