//! Migration and check against a real server. One cluster, one database a test.

mod declared;
mod server;

mod changes;
mod computing;
mod dependants;
mod folding;
mod guard;
mod migrate;
mod profile;
mod rows;
