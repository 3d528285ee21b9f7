//! The engine that all policies of a process share.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::bindings;
use crate::error::PolicyError;
use crate::guest::Guest;
use crate::policy::Policy;
use crate::ticker::Ticker;

/// What a policy may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory of one instance.
    pub memory: usize,
    /// CPU time for starting an instance and reading its configuration.
    pub declare: Duration,
    /// CPU time for reviewing a statement.
    pub review: Duration,
    /// Instances alive at once, all policies together: one a connection and policy.
    pub instances: u32,
}

impl Default for Limits {
    /// 16 MiB, 100 ms, 20 ms, 10,000 instances.
    fn default() -> Self {
        Self {
            memory: 16 << 20,
            declare: Duration::from_millis(100),
            review: Duration::from_millis(20),
            instances: 10_000,
        }
    }
}

/// Elements of a guest's table; `wasm-ld` makes one for a program's function pointers.
pub(crate) const TABLE_ELEMENTS: usize = 10_000;

/// Core instances of a component: the module itself and, for its import, the two small ones that
/// `wit-component` adds; one more for other tools.
const CORE_INSTANCES: u32 = 4;

/// Bytes at the start of a memory and a table that are cleared rather than given back to the
/// system when an instance ends.
const KEEP_RESIDENT: usize = 256 << 10;

/// Runs policies. Cheap to clone; lives until its last clone, policy and instance are gone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) ticker: Ticker,
    pub(crate) engine: wasmtime::Engine,
    pub(crate) linker: Linker<Guest>,
    pub(crate) limits: Limits,
}

impl Engine {
    /// Reserves address space for all instances (memory only as they use it), and starts the
    /// thread that stops those that take too long.
    pub fn new(limits: Limits) -> Result<Self, PolicyError> {
        let failed =
            |reason: &dyn std::fmt::Display| PolicyError::Engine { reason: reason.to_string() };
        let engine =
            wasmtime::Engine::new(&config(&limits)).map_err(|e| failed(&format!("{e:#}")))?;
        let mut linker = Linker::new(&engine);
        bindings::Policy::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)
            .map_err(|e| failed(&e))?;
        let ticker = Ticker::start(engine.weak()).map_err(|e| failed(&e))?;
        Ok(Self { shared: Arc::new(Shared { ticker, engine, linker, limits }) })
    }

    /// Compiles a policy, lets it read its configuration and checks what it declares. `wasm` is a
    /// component, or a core module that carries its contract as `wit-bindgen` writes it.
    ///
    /// Takes some tens of milliseconds: not for an async task.
    pub fn load(
        &self,
        name: &str,
        wasm: &[u8],
        config: &serde_json::Value,
    ) -> Result<Policy, PolicyError> {
        Policy::load(Arc::clone(&self.shared), name, wasm, config)
    }
}

fn config(limits: &Limits) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(limits.instances)
        .total_core_instances(limits.instances.saturating_mul(CORE_INSTANCES))
        .max_core_instances_per_component(CORE_INSTANCES)
        .total_memories(limits.instances)
        .max_memories_per_component(1)
        .max_memories_per_module(1)
        .max_memory_size(limits.memory)
        .total_tables(limits.instances.saturating_mul(CORE_INSTANCES))
        .max_tables_per_component(CORE_INSTANCES)
        .table_elements(TABLE_ELEMENTS)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        // As much address space as an instance may use, with explicit bounds checks, instead of
        // the usual 4 GiB each: 10,000 instances then fit under a limit on address space.
        .memory_reservation(limits.memory as u64)
        .memory_guard_size(64 << 10)
        .guard_before_linear_memory(false)
        .epoch_interruption(true)
        // Nothing that differs between machines.
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_backtrace_max_frames(None);
    config
}
