//! A loaded policy and its instances.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pgveil_sql::plan::Facts;
use pgveil_sql::protection::Declaration;
use sha2::{Digest, Sha256};
use wasmtime::Store;
use wasmtime::component::Component;

use crate::bindings::{self, PolicyPre};
use crate::declaration;
use crate::engine::Shared;
use crate::error::{Mistake, PolicyError};
use crate::guest::{self, Guest};
use crate::verdict::{self, SessionFacts, Verdict};

/// The interface that a policy exports, as the contract's version has it.
const EXPORT: &str = "pgveil:policy/rules@0.1.0";

/// The package whose interfaces a policy may import.
const PACKAGE: &str = "pgveil:policy/";

/// Bytes that a guest may hand to the host in one call. Without it a guest could point a million
/// times at one long text and have the host copy it each time.
const LIFTED: usize = 4 << 20;

/// A policy: compiled, configured, its declaration checked. Cheap to clone.
#[derive(Clone)]
pub struct Policy {
    loaded: Arc<Loaded>,
}

struct Loaded {
    name: Arc<str>,
    digest: String,
    config: String,
    declaration: Declaration,
    pre: PolicyPre<Guest>,
    shared: Arc<Shared>,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("name", &self.name())
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}

impl Policy {
    pub(crate) fn load(
        shared: Arc<Shared>,
        name: &str,
        wasm: &[u8],
        config: &serde_json::Value,
    ) -> Result<Self, PolicyError> {
        let pre = compile(&shared, wasm)
            .map_err(|reason| PolicyError::Incompatible { policy: name.to_owned(), reason })?;
        let mut loaded = Loaded {
            name: name.into(),
            digest: hexadecimal(&Sha256::digest(wasm)),
            config: config.to_string(),
            declaration: Declaration::default(),
            pre,
            shared,
        };
        let declared = loaded.start()?.1;
        loaded.declaration = declaration::check(name, declared).map_err(|mistakes| {
            PolicyError::BadDeclaration { policy: name.to_owned(), mistakes }
        })?;
        Ok(Self { loaded: Arc::new(loaded) })
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.loaded.name
    }

    /// What it protects.
    pub fn declaration(&self) -> &Declaration {
        &self.loaded.declaration
    }

    /// SHA-256 of the file's bytes, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.loaded.digest
    }

    /// A fresh instance, configured. One a connection: make it when the connection first needs it.
    pub fn instance(&self) -> Result<Instance, PolicyError> {
        let (running, _) = self.loaded.start()?;
        Ok(Instance { policy: self.clone(), running: Some(running) })
    }
}

/// One instance of a policy.
pub struct Instance {
    policy: Policy,
    /// [`None`] after a failure: what is left of a guest that failed is not used again.
    running: Option<Running>,
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("policy", &self.policy)
            .field("running", &self.running.is_some())
            .finish()
    }
}

impl Instance {
    /// Asks about a statement. Its facts hold tables that this policy declares, and no others.
    ///
    /// The answer decides about every column in the facts exactly once, or is an error: a policy
    /// that forgets a column has a mistake that somebody should see. After an error the next call
    /// meets a fresh instance.
    ///
    /// Blocks for as long as the policy thinks, at most [`Limits::review`](crate::Limits).
    pub fn review(
        &mut self,
        session: &SessionFacts,
        facts: &Facts,
    ) -> Result<Verdict, PolicyError> {
        let mut running = match self.running.take() {
            Some(running) => running,
            None => self.policy.loaded.start()?.0,
        };
        let verdict = self.policy.loaded.review(&mut running, session, facts)?;
        self.running = Some(running);
        Ok(verdict)
    }
}

struct Running {
    store: Store<Guest>,
    exports: bindings::Policy,
}

impl Loaded {
    /// A fresh instance that has read its configuration, and what it declared.
    fn start(&self) -> Result<(Running, declaration::Declared), PolicyError> {
        let limits = self.shared.limits;
        let mut store = Store::new(&self.shared.engine, Guest::new(Arc::clone(&self.name), limits));
        store.limiter(|guest| guest);
        store.epoch_deadline_callback(|mut store| Ok(store.data_mut().over_deadline()));
        store.set_hostcall_fuel(LIFTED);
        let result = self.run(&mut store, limits.declare, |store| {
            let exports = self.pre.instantiate(&mut *store)?;
            let declared = exports.pgveil_policy_rules().call_declare(&mut *store, &self.config)?;
            Ok((exports, declared))
        });
        let (exports, declared) = result?;
        let declared = declared.map_err(|errors| PolicyError::BadConfig {
            policy: self.name.to_string(),
            mistakes: errors
                .into_iter()
                .map(|error| Mistake {
                    path: guest::one_line(&error.path, verdict::TEXT_CHARACTERS),
                    message: guest::one_line(&error.message, verdict::TEXT_CHARACTERS),
                })
                .collect(),
        })?;
        Ok((Running { store, exports }, declared))
    }

    fn review(
        &self,
        running: &mut Running,
        session: &SessionFacts,
        facts: &Facts,
    ) -> Result<Verdict, PolicyError> {
        let Running { store, exports } = running;
        let answer = self.run(store, self.shared.limits.review, |store| {
            let (session, facts) = (session.to_wit(), verdict::facts_to_wit(facts));
            exports.pgveil_policy_rules().call_review(store, &session, &facts)
        })?;
        Verdict::from_wit(answer, facts)
            .map_err(|reason| PolicyError::BadAnswer { policy: self.name.to_string(), reason })
    }

    /// Runs guest code under a deadline.
    fn run<T>(
        &self,
        store: &mut Store<Guest>,
        deadline: Duration,
        call: impl FnOnce(&mut Store<Guest>) -> wasmtime::Result<T>,
    ) -> Result<T, PolicyError> {
        store.data_mut().begin(deadline);
        store.set_epoch_deadline(1);
        let result = {
            let _running = self.shared.ticker.running();
            call(store)
        };
        result.map_err(|error| {
            let failure = store.data().failure(&error);
            tracing::warn!(policy = &*self.name, "{failure}: {error:#}");
            failure
        })
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Compiles a component, or a core module after making one of it.
fn compile(shared: &Shared, wasm: &[u8]) -> Result<PolicyPre<Guest>, String> {
    let converted;
    let component = match wasm {
        // A core module's version field.
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => {
            converted = wit_component::ComponentEncoder::default()
                .module(wasm)
                .and_then(wit_component::ComponentEncoder::encode)
                .map_err(|error| format!("it carries no usable contract: {error:#}"))?;
            converted.as_slice()
        }
        [b'\0', b'a', b's', b'm', ..] => wasm,
        _ => return Err("it is not a WebAssembly file".to_owned()),
    };
    let component =
        Component::from_binary(&shared.engine, component).map_err(|error| format!("{error:#}"))?;

    let shape = component.component_type();
    for (import, _) in shape.imports(&shared.engine) {
        if !import.starts_with(PACKAGE) {
            return Err(format!(
                "it imports {import}, which policies do not get (no files, clocks or network)"
            ));
        }
    }
    let pre = shared.linker.instantiate_pre(&component).and_then(PolicyPre::new);
    pre.map_err(|error| {
        let exports: Vec<_> = shape.exports(&shared.engine).map(|(name, _)| name).collect();
        let exports = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
        format!("it does not export {EXPORT} as the contract has it, but {exports}: {error:#}")
    })
}
