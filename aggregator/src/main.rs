//! `fedaudit-aggregator`.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    fedaudit_aggregator::cli::main(std::env::args_os())
}
