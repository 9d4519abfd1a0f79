//! What `journal match` and `journal prove` say of an event that is not in the journal: nothing is damaged, nothing written.

use super::erased::{archive, configure, id, import};
use fedaudit_tests::Said;
use fedaudit_tests::intake::{Desk, SITE};

#[test]
fn who_asks_for_what_is_not_there_is_told_where_it_is() {
    let mut desk = Desk::open("listen = \"127.0.0.1:0\"");
    desk.stop();
    configure(&desk, &desk.world.scratch("cold"), false);
    import(&desk, 0);
    let features = desk.world.scratch("features.json");
    let asked = |event: &str, given: &str| -> Said {
        std::fs::write(&features, given).expect("writes");
        desk.world
            .agent(SITE, &["journal", "match", event, "--contract", "loans", "--features", &features.to_string_lossy()])
    };
    let good = r#"{"age": 20, "sex": "female"}"#;
    assert_eq!(asked(&id(0, 0), good).good().out, "match\n");
    assert_eq!(asked("#0", r#"{"sex": "female", "age": 20}"#).good().out, "match\n");
    asked("#0", r#"{"age": 21, "age": 20, "sex": "female"}"#).fault("input", &["twice the feature `age`"]);
    asked("#0", r#"{"agee": 20}"#).fault("input", &["no feature `agee`"]);
    asked("#8", good).fault("operator", &["#8 is outside of predictions/loans/1", "8 records"]);

    // Nothing is padded for a proof that cannot be written.
    let verify = || desk.world.agent(SITE, &["journal", "verify"]).good().out;
    let before = verify();
    let out = desk.world.scratch("proof");
    let prove = |event: &str| {
        desk.world.agent(SITE, &["journal", "prove", event, "--contract", "loans", "--out", &out.to_string_lossy()])
    };
    prove("#8").fault("operator", &["#8 is outside of"]);
    std::fs::write(&out, b"there").expect("writes");
    prove("#0").fault("operator", &["exists", "replaces nothing"]);
    assert_eq!(verify(), before);
    std::fs::remove_file(&out).expect("removes");
    prove("#0").good();
    asked("#8", good).fault("operator", &["#8 of predictions/loans/1 is padding"]);

    archive(&desk, 1);
    let gone = "they are in the archive: predictions/model=loans/date=*/segment-000001-v1.parquet";
    asked("#0", good).fault("operator", &[gone]);
    asked(&id(0, 0), good).fault("operator", &[gone]);
    std::fs::remove_file(&out).expect("removes");
    prove("#0").fault("operator", &[gone]);
}
