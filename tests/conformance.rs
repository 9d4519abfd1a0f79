//! What the program writes is what `schemas/` says, and what tools nobody here wrote can check.
//!
//! Two whole federations run once, as processes; everything they leave is held against the JSON Schemas, the
//! specification's worked examples, and foreign implementations of DSSE, in-toto, signed notes and tiled logs.

#[path = "conformance/artifacts.rs"]
mod artifacts;
#[path = "conformance/attestations.rs"]
mod attestations;
#[path = "conformance/independent.rs"]
mod independent;
#[path = "conformance/logs.rs"]
mod logs;
#[path = "conformance/oracle.rs"]
mod oracle;
#[path = "conformance/schemas.rs"]
mod schemas;
#[path = "conformance/specification.rs"]
mod specification;
#[path = "conformance/tile_tree.rs"]
mod tile_tree;
#[path = "conformance/vectors.rs"]
mod vectors;
