//! The README's third screen and `docs/by-file.md`, executed as they are written: real programs, real QUIC, a folder a
//! machine, a shell. Only what the pages declare as a placeholder is filled in.

#[path = "by_hand/beats.rs"]
mod beats;
#[path = "by_hand/cosigned.rs"]
mod cosigned;
#[path = "by_hand/late.rs"]
mod late;
#[path = "by_hand/page.rs"]
mod page;
#[path = "by_hand/refused.rs"]
mod refused;

use page::{Block, Machines, blocks};

const SITES: [&str; 6] = ["dept-a", "dept-b", "dept-c", "dept-d", "dept-e", "dept-f"];

#[test]
fn the_readmes_third_screen_ends_with_a_verified_bundle() {
    let blocks = blocks("README.md", "## On several machines");
    assert_eq!(blocks.len(), 8, "every block is preceded by a machine");
    let mut machines = Machines::new(&["HOST", "PORT", "SITE", "TOKEN", "DIR"], "README.md");
    for block in &blocks {
        machines.run(block, &SITES);
    }
    let said = machines.last();
    assert!(said.out.starts_with("verified: admissions-1973 v1, 6 of 6 sites"), "{said:?}");
}

#[test]
fn a_site_and_governance_without_a_network() {
    let page = blocks("docs/by-file.md", "# By file");
    let online = blocks("README.md", "## On several machines");
    let at_sites: Vec<&Block> = online.iter().filter(|block| block.machine == "each site").collect();
    assert_eq!(at_sites.len(), 2, "joining; accepting and shipping");
    let names = ["HOST", "PORT", "SITE", "TOKEN", "DIR", "STICK"];
    let mut machines = Machines::new(&names, "docs/by-file.md");
    let joins = page.iter().position(|block| block.text().contains("join TOKEN")).expect("dept-f joins");
    let ships = page.iter().position(|block| block.text().contains("outbox export")).expect("dept-f ships");
    for (number, block) in page.iter().enumerate() {
        machines.run(block, &SITES);
        // What the page says of the others: as in the README.
        if number == joins {
            machines.run(at_sites[0], &SITES[..5]);
        }
        if number == ships {
            machines.run(at_sites[1], &SITES[..5]);
        }
    }
    let said = machines.last();
    assert!(said.out.starts_with("verified: admissions-1973 v1, 6 of 6 sites"), "{said:?}");
    let listed = machines.shell("dept-f", "fedaudit-agent outbox list --json").good();
    assert!(listed.out.contains("\"state\":\"received\""), "{listed:?}");
    assert!(!machines.folder("the aggregator").join("governance").exists(), "the key never came here");
    // Everything may be carried again.
    for file in ["contract", "plan", "dept-f", "join"] {
        let said = machines.shell("the aggregator", &format!("fedaudit-aggregator import STICK/{file}")).good();
        assert!(said.out.contains("before") || said.out.contains("already"), "{said:?}");
    }
    let logs = || machines.shell("the aggregator", "fedaudit-aggregator log verify").good().out;
    let before = logs();
    machines.shell("the aggregator", "fedaudit-aggregator import STICK/outbox --receipts STICK/again").good();
    let again = machines.shell("dept-f", "fedaudit-agent outbox import STICK/again").good();
    assert!(again.out.contains("0 receipts verified and kept, 2 known before"), "{again:?}");
    assert_eq!(logs(), before, "nothing is logged twice");
    let said = machines.shell("dept-f", "fedaudit-agent outbox export STICK/none").good();
    assert!(said.out.contains("nothing is ready") && !machines.stick().join("none").exists(), "{said:?}");
}
