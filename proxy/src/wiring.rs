//! From a configuration to the parts that do the work: keyrings, policies, the server's address.
//! What is wrong with any of them is a mistake in the file, at its line, and all are reported.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use pgveil_policy::{Engine, Policies, Policy, PolicyError};
use pgveil_seal::{Keyring, KeyringError};
use pgveil_session::Address;
use pgveil_sql::protection::Declaration;

use crate::config::{
    Builtin, ComponentSource, Config, KeySource, Mistake, Mistakes, PolicyConfig, Spanned,
};

/// `plugins/user-profile`, built as `plugins/build` says.
const USER_PROFILE: &[u8] = include_bytes!("../../plugins/user-profile/user_profile.wasm");

/// The parts of a configuration, ready to use.
#[derive(Debug)]
pub struct Wiring {
    /// The database server.
    pub server: Address,
    /// By name.
    pub keyrings: HashMap<String, Arc<Keyring>>,
    /// In order.
    pub policies: Vec<Arc<Policy>>,
    /// What all policies protect.
    pub declaration: Declaration,
}

/// Opens one keyring.
pub fn keyring(source: &KeySource) -> Result<Keyring, KeyringError> {
    match source {
        KeySource::Env(variable) => Keyring::from_env(variable),
        KeySource::File(path) => Keyring::from_file(path),
    }
}

/// Opens the keyrings only.
pub fn keyrings(config: &Config) -> Result<BTreeMap<String, Arc<Keyring>>, Mistakes> {
    let mut mistakes = Vec::new();
    let keyrings = open_keyrings(config, &mut mistakes);
    if mistakes.is_empty() { Ok(keyrings) } else { Err(config.source.mistakes(mistakes)) }
}

/// Opens everything that the configuration names; the database is not touched.
pub fn wire(config: &Config) -> Result<Wiring, Mistakes> {
    let mut mistakes = Vec::new();
    let server = config.server.value.parse::<Address>();
    if server.is_err() {
        mistakes.push(Mistake {
            span: Some(config.server.span.clone()),
            message: "\"address\" is not the address of a server".into(),
            help: Some(
                "it must be like \"127.0.0.1:5432\", \"[::1]:5432\" or \
                 \"/run/postgresql/.s.PGSQL.5432\""
                    .into(),
            ),
        });
    }
    let keyrings = open_keyrings(config, &mut mistakes);
    let policies = load_policies(config, &mut mistakes);
    check_keyrings(config, &policies, &mut mistakes);
    let merged = if mistakes.is_empty() {
        Policies::new(policies.clone()).map_err(|error| {
            let last = config.policies.last().map(|policy| policy.name.span.clone());
            add_policy_error(&error, None, last, &mut mistakes);
        })
    } else {
        Err(())
    };
    match (server, merged) {
        (Ok(server), Ok(merged)) => Ok(Wiring {
            server,
            keyrings: keyrings.into_iter().collect(),
            policies,
            declaration: merged.declaration().clone(),
        }),
        _ => Err(config.source.mistakes(mistakes)),
    }
}

fn open_keyrings(config: &Config, mistakes: &mut Vec<Mistake>) -> BTreeMap<String, Arc<Keyring>> {
    let mut keyrings = BTreeMap::new();
    for (name, Spanned { value, span }) in &config.keyrings {
        match keyring(value) {
            Ok(keyring) => {
                keyrings.insert(name.clone(), Arc::new(keyring));
            }
            Err(error) => mistakes.push(Mistake {
                span: Some(span.clone()),
                message: format!("keyring \"{name}\": {error}"),
                help: Some(error.hint().into()),
            }),
        }
    }
    keyrings
}

/// Loads the policies that can be loaded.
fn load_policies(config: &Config, mistakes: &mut Vec<Mistake>) -> Vec<Arc<Policy>> {
    if config.policies.is_empty() {
        return Vec::new();
    }
    let engine = match Engine::new(config.limits.policy) {
        Ok(engine) => engine,
        Err(error) => {
            add_policy_error(&error, None, None, mistakes);
            return Vec::new();
        }
    };
    let mut policies = Vec::new();
    for policy in &config.policies {
        let loaded = match &policy.component.value {
            ComponentSource::Builtin(Builtin::UserProfile) => {
                engine.load(&policy.name.value, USER_PROFILE, &policy.config)
            }
            ComponentSource::File(path) => match read_component(path) {
                Ok(wasm) => engine.load(&policy.name.value, &wasm, &policy.config),
                Err(error) => {
                    mistakes.push(Mistake {
                        span: Some(policy.component.span.clone()),
                        message: format!("cannot read \"{}\": {error}", path.display()),
                        help: Some("paths are relative to the configuration file".into()),
                    });
                    continue;
                }
            },
        };
        match loaded {
            Ok(loaded) => policies.push(Arc::new(loaded)),
            Err(error) => {
                let span = Some(policy.component.span.clone());
                add_policy_error(&error, Some(policy), span, mistakes);
            }
        }
    }
    policies
}

/// A component; none is anywhere near the limit, and a wrong path may be a disk image.
fn read_component(path: &Path) -> std::io::Result<Vec<u8>> {
    const MAX: u64 = 64 << 20;
    if std::fs::metadata(path)?.len() > MAX {
        return Err(std::io::Error::other("larger than 64 MiB: not a policy"));
    }
    std::fs::read(path)
}

/// Every keyring that a policy names must be in the configuration.
fn check_keyrings(config: &Config, policies: &[Arc<Policy>], mistakes: &mut Vec<Mistake>) {
    for policy in policies {
        let named = |other: &&PolicyConfig| other.name.value == policy.name();
        let span = config.policies.iter().find(named).map(|policy| policy.config_span.clone());
        for table in &policy.declaration().tables {
            for column in &table.columns {
                if config.keyrings.contains_key(&column.keyring) {
                    continue;
                }
                let known = config.keyrings.keys().map(|name| format!("\"{name}\""));
                mistakes.push(Mistake {
                    span: span.clone(),
                    message: format!(
                        "{}.{}.{} is sealed with keyring \"{}\", which is not configured",
                        table.schema, table.table, column.column, column.keyring
                    ),
                    help: Some(format!(
                        "add a table [keys.{}], or name one of: {}",
                        column.keyring,
                        known.collect::<Vec<_>>().join(", ")
                    )),
                });
            }
        }
    }
}

/// A policy's error as mistakes: each of those that it has itself, at their own places.
fn add_policy_error(
    error: &PolicyError,
    policy: Option<&PolicyConfig>,
    span: Option<std::ops::Range<usize>>,
    mistakes: &mut Vec<Mistake>,
) {
    let named =
        policy.map_or(String::new(), |policy| format!("policy \"{}\": ", policy.name.value));
    let several = match (error, policy) {
        (PolicyError::BadConfig { mistakes, .. }, Some(policy)) => mistakes
            .iter()
            .map(|mistake| (Some(policy.place_of(&mistake.path)), mistake.to_string()))
            .collect(),
        (PolicyError::BadDeclaration { mistakes, .. }, Some(policy)) => mistakes
            .iter()
            .map(|mistake| (Some(policy.config_span.clone()), mistake.to_string()))
            .collect(),
        (PolicyError::Conflict { mistakes }, _) => {
            mistakes.iter().map(|mistake| (span.clone(), mistake.to_string())).collect()
        }
        _ => Vec::new(),
    };
    if several.is_empty() {
        let detail = error.detail().map_or(String::new(), |detail| format!(" ({detail})"));
        mistakes.push(Mistake {
            span,
            message: format!("{error}{detail}"),
            help: Some(error.hint().into()),
        });
        return;
    }
    // The policy's own message says what would be right.
    let several = several.into_iter().map(|(span, message)| Mistake {
        span,
        message: format!("{named}{message}"),
        help: None,
    });
    mistakes.extend(several);
}
