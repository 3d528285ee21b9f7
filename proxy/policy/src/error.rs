//! What goes wrong with a policy, and what the client or the operator is told.

use std::fmt;

use thiserror::Error;

/// A mistake in something that a policy was given, or that it declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where it is, e.g. `tables[0].columns[1].mode`; may be empty.
    pub path: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// Why a policy cannot be loaded or did not answer. Never holds a value of a protected column:
/// policies do not have any.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// wasmtime cannot be set up here, e.g. because address space cannot be reserved.
    #[error("cannot set up the policy engine: {reason}")]
    Engine {
        /// What wasmtime says.
        reason: String,
    },
    /// The file is not a policy that this host can run.
    #[error("policy \"{policy}\" cannot be loaded: {reason}")]
    Incompatible {
        /// Its name.
        policy: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The policy refuses its configuration.
    #[error("policy \"{policy}\" refuses its configuration: {}", list(mistakes))]
    BadConfig {
        /// Its name.
        policy: String,
        /// Every mistake; paths are relative to the policy's configuration.
        mistakes: Vec<Mistake>,
    },
    /// What the policy declares makes no sense.
    #[error("policy \"{policy}\" declares what cannot be protected: {}", list(mistakes))]
    BadDeclaration {
        /// Its name.
        policy: String,
        /// Every mistake; paths are those of the declaration.
        mistakes: Vec<Mistake>,
    },
    /// The policies contradict each other.
    #[error("the policies contradict each other: {}", list(mistakes))]
    Conflict {
        /// Every contradiction.
        mistakes: Vec<Mistake>,
    },
    /// The policy crashed.
    #[error("policy \"{policy}\" failed")]
    Trapped {
        /// Its name.
        policy: String,
        /// wasmtime's word for it.
        reason: String,
    },
    /// The policy did not answer in time.
    #[error("policy \"{policy}\" did not answer within {limit_ms} ms")]
    TimedOut {
        /// Its name.
        policy: String,
        /// The limit in milliseconds.
        limit_ms: u128,
    },
    /// The policy asked for more memory than it may have.
    #[error("policy \"{policy}\" needs more than {limit} bytes of memory")]
    OutOfMemory {
        /// Its name.
        policy: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The policy's answer makes no sense.
    #[error("policy \"{policy}\" gave no valid answer")]
    BadAnswer {
        /// Its name.
        policy: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A statement names a table as protected that no policy declares.
    #[error("no policy declares table {schema}.{table}")]
    Undeclared {
        /// Its schema.
        schema: String,
        /// Its name.
        table: String,
    },
    /// All instances are in use.
    #[error("policy \"{policy}\" has no free instance")]
    Exhausted {
        /// Its name.
        policy: String,
        /// How many there are.
        limit: u32,
    },
}

fn list(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl PolicyError {
    /// The SQLSTATE that a refused statement carries: `55000`
    /// (object_not_in_prerequisite_state), `53000` (insufficient_resources), and `F0000`
    /// (config_file_error) for what can only happen while loading.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::Trapped { .. }
            | Self::TimedOut { .. }
            | Self::OutOfMemory { .. }
            | Self::BadAnswer { .. }
            | Self::Undeclared { .. } => "55000",
            Self::Exhausted { .. } => "53000",
            Self::Engine { .. }
            | Self::Incompatible { .. }
            | Self::BadConfig { .. }
            | Self::BadDeclaration { .. }
            | Self::Conflict { .. } => "F0000",
        }
    }

    /// What lies behind it.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::Trapped { reason, .. } | Self::BadAnswer { reason, .. } => Some(reason.clone()),
            Self::Exhausted { limit, .. } => Some(format!("All {limit} instances are in use.")),
            Self::TimedOut { .. } | Self::OutOfMemory { .. } => {
                Some("The policy was stopped; the statement was not run.".to_owned())
            }
            Self::Engine { .. }
            | Self::Incompatible { .. }
            | Self::BadConfig { .. }
            | Self::BadDeclaration { .. }
            | Self::Conflict { .. }
            | Self::Undeclared { .. } => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Engine { .. } => {
                "Check the limits on address space (ulimit -v), or configure fewer policy instances."
            }
            Self::Incompatible { .. } => {
                "Build the policy with plugins/build for wasm32-unknown-unknown, against the \
                 plugins/wit of this version."
            }
            Self::BadConfig { .. } => "Correct the policy's config table.",
            Self::BadDeclaration { .. } => "Correct the policy, or its config table.",
            Self::Conflict { .. } => "Let one policy declare each table.",
            Self::Trapped { .. } | Self::BadAnswer { .. } => {
                "Nothing was run. Report it to the policy's author; the proxy's log says more."
            }
            Self::TimedOut { .. } => {
                "Nothing was run. Try again; if it persists, correct the policy."
            }
            Self::OutOfMemory { .. } => "Nothing was run. Correct the policy, or raise its limit.",
            Self::Undeclared { .. } => "Load the policy that declares it.",
            Self::Exhausted { .. } => "Close connections, or configure more policy instances.",
        }
    }
}
