//! Every limit, with its unit, in one place.

/// Bytes of a log entry, that is of an envelope (C2SP tlog-tiles: a 16-bit length).
pub const ENTRY_BYTES: usize = 65_535;
/// Bytes of an artifact: release, report, contract, plan.
pub const ARTIFACT_BYTES: usize = 8 << 20;
/// Bytes of one frame on the wire, either way.
pub const FRAME_BYTES: usize = ARTIFACT_BYTES + 2 * ENTRY_BYTES;
/// Bytes of a frame from a peer whose key is not in the roster.
pub const UNKNOWN_PEER_FRAME_BYTES: usize = 16 << 10;
/// Bytes of a contract or plan in TOML.
pub const TOML_BYTES: usize = 1 << 20;
/// Bytes of a bundle once unpacked.
pub const BUNDLE_BYTES: u64 = 1 << 30;
/// Files in a bundle.
pub const BUNDLE_FILES: usize = 1_000_000;
/// Bytes of a parcel, and how much an export puts into one.
pub const PARCEL_BYTES: u64 = 256 << 20;
/// Bytes of a checkpoint note.
pub const NOTE_BYTES: usize = 64 << 10;
/// Signature lines that a note may carry (at least 16 must be accepted).
pub const NOTE_SIGNATURES: usize = 64;
/// Hashes of a consistency proof that is sent to a witness (C2SP tlog-witness).
pub const CONSISTENCY_HASHES: usize = 63;
/// Witnesses of a federation (C2SP tlog-policy asks for at least 32).
pub const WITNESSES: usize = 32;
/// Records of a journal block; checkpoints leave a site only on its multiples.
pub const BLOCK_RECORDS: u64 = 1_024;
/// Logs of a journal: two a contract, and the ledger.
pub const JOURNAL_LOGS: usize = 1_000;
/// Classes of a multiclass task.
pub const CLASSES: usize = 20;
/// Outputs of an event that are kept, the likeliest.
pub const OUTPUTS: usize = 16;
/// Attributes of a contract.
pub const ATTRIBUTES: usize = 32;
/// Categories of an attribute, or of a feature.
pub const CATEGORIES: usize = 1_000;
/// Features of a contract.
pub const FEATURES: usize = 1_000;
/// Inner bin edges of a feature.
pub const EDGES: usize = 1_000;
/// Slices of a plan, the one without attributes not counted.
pub const SLICES: usize = 256;
/// Groups of a slice, `other` and `unknown` included.
pub const GROUPS: usize = 10_000;
/// Score bins of a contract.
pub const SCORE_BINS: u32 = 10 << 12;
/// Characters of a free text in a document.
pub const TEXT_CHARS: usize = 4_096;
/// Windows that one report may add.
pub const WINDOWS: usize = 10_000;
/// Sites of a federation.
pub const SITES: usize = 100_000;
/// Keys of a roster entry.
pub const KEYS: usize = 16;
/// Registry entries sent in one response.
pub const ENTRIES_PER_RESPONSE: usize = 64;
/// Characters of an event id.
pub const EVENT_ID_CHARS: usize = 200;
/// Bytes of one line of a CSV file.
pub const CSV_LINE_BYTES: usize = 1 << 20;
/// Footer of a Parquet file to import.
pub const PARQUET_FOOTER_BYTES: u64 = 64 << 20;
/// Columns of a Parquet file to import.
pub const PARQUET_COLUMNS: usize = 10_000;
/// Unpacked bytes of a row group of a Parquet file to import; memory needed is at most some of it.
pub const PARQUET_ROW_GROUP_BYTES: i64 = 1 << 30;
/// Transport keys that a site may have by its own word alone; then governance rotates its keys, and it may again.
pub const OWN_TRANSPORT_KEYS: u32 = 100;
/// Pending joins that an aggregator keeps.
pub const PENDING_JOINS: usize = 1_000;
/// Events of one release; sums over sites and windows then stay far inside 64 bits.
pub const EVENTS_PER_RELEASE: u64 = 1 << 32;
/// Most that a plan may allow of one subject's events in a window, under differential privacy.
pub const EVENTS_PER_SUBJECT: u32 = 100;
/// Counts with noise in one release: the noise of all of them fits into one record of the ledger.
pub const NOISY_NUMBERS: usize = 12_000;
