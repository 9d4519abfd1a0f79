//! `fedaudit-agent`.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    fedaudit_agent::cli::main(std::env::args_os())
}
