//! Contracts and plans that governance must not publish, and plans that a site must not accept.

use fedaudit_tests::world::{World, name};

#[test]
fn documents_that_break_their_rules_are_not_published() {
    let world = World::new(&["dept-a", "dept-b"]);
    let before = world.logs();
    let read = |file: &str| std::fs::read_to_string(world.scratch("admissions").join(file)).expect("reads");
    let (contract, plan) = (read("contract.toml"), read("plan.toml"));
    let cases: [(&str, &str, &str, &str, &[&str]); 10] = [
        ("contract", "misspelt", "favourable =", "favorable =", &["favorable"]),
        ("contract", "unknown-key", "task =", "colour = \"red\"\ntask =", &["colour"]),
        ("contract", "task", "\"binary\"", "\"ternary\"", &["task"]),
        ("contract", "same-version", "a department's", "some department's", &["version above 1", "found 1"]),
        ("plan", "misspelt", "min_site_n", "min_sites_n", &["min_sites_n"]),
        ("plan", "unknown-contract", "\"graduate-admission\"", "\"credit\"", &["`contract`", "credit", "publish it"]),
        ("plan", "k", "k = 5", "k = 0", &["disclosure.k"]),
        ("plan", "attribute", "[\"gender\"]", "[\"sex\"]", &["slice.attributes", "sex", "gender"]),
        ("plan", "window", "1973-07-01T00:00:00Z", "1973-07-02T00:00:00Z", &["windows.end"]),
        ("plan", "same-version", "Were women", "Were all women", &["version above 1", "found 1"]),
    ];
    for (kind, case, from, to, said) in cases {
        let source = if kind == "contract" { &contract } else { &plan };
        assert!(source.contains(from), "{kind} {case}: `{from}` is not in the file");
        let file = world.scratch(&format!("{kind}-{case}.toml"));
        std::fs::write(&file, source.replacen(from, to, 1)).expect("writes");
        let path = file.to_string_lossy();
        let answer = world.aggregator(&[kind, "publish", &path]);
        let blame = if case == "same-version" { "operator" } else { "input" };
        answer.fault(blame, said).fault(blame, &[&format!("{kind}-{case}.toml")]);
        assert_eq!(world.logs(), before, "{kind} {case}: nothing is published");
    }
    world.aggregator(&["plan", "publish", "no-such.toml"]).fault("input", &["no-such.toml"]);
    std::fs::write(world.scratch("gone.toml"), plan.replace("version = 1\n", "")).expect("writes");
    let path = world.scratch("gone.toml");
    world.aggregator(&["plan", "publish", &path.to_string_lossy()]).fault("input", &["gone.toml", "version"]);
    // The same document again is no error, and no second entry.
    let same = world.scratch("admissions/plan.toml");
    let said = world.aggregator(&["plan", "publish", &same.to_string_lossy()]).good();
    assert!(said.out.contains("was published before"), "{said:?}");
    assert_eq!(world.logs(), before);
    world.ship("dept-a");
}

#[test]
fn a_plan_below_the_sites_policy_is_refused_and_the_ledger_keeps_it() {
    let world = World::new(&["dept-a", "dept-b", "dept-c"]);
    let plan = world.plan();
    let sites: [(&str, &[&str], &str); 2] = [
        ("dept-a", &["--k-floor", "6"], "its k is 5; this site's k_floor is 6"),
        (
            "dept-b",
            &["--k-floor", "5", "--never-report", "gender"],
            "it cuts by `gender`, which this site never reports",
        ),
    ];
    for (site, policy, reason) in sites {
        world.agent(site, &[&["init"], policy].concat()).good();
        let token = world.aggregator(&["site", "add", site]).good().out;
        world.agent(site, &["join", token.trim()]).good();
        world.aggregator(&["site", "approve", site]).good();
        let undecided = world.agent(site, &["plan", "list"]).good().out;
        assert!(undecided.contains("undecided"), "{undecided}");
        for _ in 0..2 {
            world.agent(site, &["plan", "accept", plan.as_str()]).fault("operator", &["is refused", reason]);
        }
        let listed = world.agent(site, &["plan", "list"]).good().out;
        assert!(listed.contains(&format!("refused: {reason}")), "{listed}");
        let json = world.agent(site, &["plan", "list", "--json"]).good().out;
        assert!(json.contains("refused: "), "{json}");
        let kept = world.agent(site, &["journal", "verify"]).good().out;
        assert!(kept.contains("ledger: 2 records"), "the genesis and one refusal: {kept}");
        // Nothing leaves: there is data, and no release.
        let (_, file) = world.dataset.sites.iter().find(|(of, _)| *of == name(site)).expect("data");
        world.agent(site, &["import", &file.to_string_lossy()]).good();
        world.agent(site, &["run", "--once"]).good();
        let status = world.agent(site, &["status", "--json"]).good().out;
        assert!(status.contains("\"releases\":[]") && status.contains("\"plans_accepted\":0"), "{status}");
    }
    world.agent("dept-a", &["plan", "accept", "no-such-plan"]).fault("operator", &["no plan is called", plan.as_str()]);
    world.ship("dept-c");
}
