//! Other witnesses for a federation that runs: the next version of trust.json, taken by each who relies on it.

use super::*;
use ed25519_dalek::SigningKey;
use fedaudit_core::key::PublicKey;
use fedaudit_core::note::VerifierKey;

fn fingerprint(said: &Said) -> &str {
    let line = said.err.lines().find_map(|line| line.strip_prefix("governance fingerprint "));
    line.expect("a fingerprint")
}

#[test]
fn a_witness_whose_key_is_lost_is_replaced() {
    let (mut a, mut b) = (Witness::new("a.example/w"), Witness::new("b.example/w"));
    let mut world = world(&[&a], "1");
    a.start(&trust(&world));
    SITES.iter().for_each(|site| world.ship(site));
    let first = world.scratch("first.json");
    std::fs::copy(trust(&world), &first).expect("copies");
    build(&world, "before").good();

    // Its home is gone, and its key with it.
    a.kill();
    std::fs::remove_dir_all(a.home()).expect("removes");
    let next = world.scratch("next.json");
    let path = next.to_string_lossy().into_owned();
    let draft = |keys: &[&str]| {
        let keys: Vec<_> = keys.iter().flat_map(|key| ["--witness", key]).collect();
        world.aggregator(&[&["trust", "draft", "--out", &path], &keys[..]].concat())
    };
    draft(&[&b.key, &b.key]).fault("operator", &["stands twice"]);
    assert!(!next.exists());
    let drafted = draft(&[&b.key]).good();
    assert!(
        drafted.out.starts_with("trust.json version 2: 1 of 1 witnesses must have cosigned: b.example/w+"),
        "{drafted:?}"
    );
    let take = ["trust", "take", &path, "--fingerprint", fingerprint(&drafted)];
    world.aggregator(&take).fault("operator", &["stop the aggregator"]);
    world.stop();
    let config = world.home().join("config.toml");
    let text = std::fs::read_to_string(&config).expect("reads");
    std::fs::write(&config, text.replace(&a.key, &b.key).replace(&a.url(), &b.url())).expect("writes");
    world.aggregator(&take).good();
    world.aggregator(&take).good();
    b.start(&next);
    world.start();

    // Each site goes on once it took the file, whose fingerprint it has from elsewhere.
    let site = |args: &[&str]| world.agent(SITES[0], args);
    let said = site(&["plan", "list"]).good();
    assert!(said.err.contains("not witnessed"), "{said:?}");
    let bad = site(&["trust", &path, "--fingerprint", &"0".repeat(64)]);
    bad.fault("input", &["its fingerprint is", "nothing was taken", "by two ways"]);
    let mut foreign = (*fedaudit_link::trust::read(&next).expect("reads")).clone();
    let key =
        VerifierKey { name: "admissions/registry".to_owned(), key: PublicKey::of(&SigningKey::from_bytes(&[7; 32])) };
    foreign.registry = key.to_string();
    let foreign_path = world.scratch("foreign.json");
    std::fs::write(&foreign_path, serde_json::to_vec(&foreign).expect("JSON")).expect("writes");
    let args = ["trust", &foreign_path.to_string_lossy(), "--fingerprint", fingerprint(&drafted)];
    site(&args).fault("input", &["`registry` is another", "nothing was taken"]);
    let take = ["trust", &path, "--fingerprint", fingerprint(&drafted)];
    site(&take).good();
    let older = run("fedaudit-aggregator", &["--home", &world.home().to_string_lossy(), "trust", "export"]);
    assert_eq!(fingerprint(&older.good()), fingerprint(&drafted));
    // The first one, whose fingerprint is on record too, comes too late.
    let was = fedaudit_link::protocol::governance_fingerprint(&fedaudit_link::trust::read(&first).expect("reads"));
    let back = ["trust", &first.to_string_lossy(), "--fingerprint", &was.to_string()];
    site(&back).fault("input", &["version 1, this home has 2", "nothing was taken"]);
    let said = site(&["plan", "list"]).good();
    assert!(!said.err.contains("not witnessed"), "{said:?}");

    build(&world, "after").good();
    let bundle = world.scratch("after/bundle.zip");
    let verify = |trust: &Path| run("fedaudit-verify", &[bundle.as_os_str(), "--trust".as_ref(), trust.as_os_str()]);
    assert!(verify(&next).good().out.contains("1 of 1, 1 needed: b.example/w at "));
    let said = verify(&first);
    assert_eq!(said.code, Some(2), "{said:?}");
}
