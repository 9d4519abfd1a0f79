//! What the programs say of what they do.

use std::io::IsTerminal as _;

/// Logs to standard error; `FEDAUDIT_LOG` chooses what, `warn` by default.
pub(super) fn start() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("FEDAUDIT_LOG");
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let colour = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colour).with_writer(std::io::stderr);
    // By default a line that cannot be written is a panic, and a disk may be full.
    let log = log.log_internal_errors(false);
    let _ = log.try_init();
}
