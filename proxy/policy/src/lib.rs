//! The wasmtime host that asks policies what a session may see.

mod bindings;
mod declaration;
mod engine;
mod error;
mod guest;
mod mask;
mod policy;
mod reviewer;
mod ticker;
mod verdict;

pub use declaration::merge;
pub use engine::{Engine, Limits};
pub use error::{Mistake, PolicyError};
pub use mask::Mask;
pub use policy::{Instance, Policy};
pub use reviewer::{Policies, Reviewer};
pub use verdict::{Reveal, SessionFacts, Verdict};
