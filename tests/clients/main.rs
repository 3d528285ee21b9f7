//! Real applications in other languages, unmodified, against the proxy.

mod django;
mod node;
