//! The port beside real servers, PostgreSQL 15 and 18: every code point, and random values,
//! patterns, arguments and expressions, under C, C.UTF-8 and whatever other locales can be had.
//!
//! The locales of this machine are few, so that `localedef` makes more into a directory that the C
//! library is told of by `LOCPATH`. A process cannot change that for itself, so the tests run in
//! one of their own.

#![allow(clippy::unwrap_used)] // helpers of tests, which clippy.toml does not recognise

mod agreement;
mod case;
mod expressions;
mod functions;
mod order;
mod patterns;
mod random;
mod servers;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

#[test]
fn this_port_and_the_server_agree() {
    let dir = tempfile::tempdir().unwrap();
    // The server runs as another user.
    std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    for locale in servers::LOCALES {
        make_locale(dir.path(), locale);
    }
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--test-threads", "2"])
        .env("LOCPATH", format!("{}:/usr/lib/locale", dir.path().display()))
        .status()
        .unwrap();
    assert!(status.success(), "see above");
}

/// Makes a locale where the program and its sources are there; tests go without it otherwise.
fn make_locale(dir: &Path, name: &str) {
    let Some((source, charset)) = name.split_once('.') else { return };
    let made = Command::new("localedef")
        .args(["-i", source, "-f", charset])
        .arg(dir.join(name))
        .output()
        .is_ok_and(|output| output.status.success());
    if !made {
        eprintln!("there is no locale {name} to compare with");
    }
}
