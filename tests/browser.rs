//! The report in a real browser: it reads the page, lays out every site's row, and asks nobody for anything.

use fedaudit_tests::run;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The browser that `tests/setup` installed.
fn chromium() -> PathBuf {
    let tools = std::env::var_os("FEDAUDIT_TOOLS").map(PathBuf::from);
    let tools = tools.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools"));
    let path = tools.join("chromium");
    assert!(path.exists(), "{} is missing: run tests/setup", path.display());
    path
}

fn browse(page: &Path, profile: &Path, args: &[String]) -> String {
    let quiet = [
        "--headless",
        // The browser's own sandbox does not work for root; the page is ours and loads nothing.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ];
    let output = Command::new(chromium())
        .args(quiet)
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(args)
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .output()
        .expect("the browser starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_browser_shows_the_report() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("out");
    run("federation", &["--out", &out.display().to_string()]).good();
    let page = out.join("report.html");
    let dom = browse(&page, &dir.path().join("profile"), &["--dump-dom".to_owned()]);
    // What the browser made of the page: whole to its last section, every site in the plot, nothing fetched.
    assert!(dom.contains("</html>") && dom.contains("Limits"), "the page ends early");
    let plot = dom.split("<svg").find(|part| part.contains("dept-a") && part.contains("favours"));
    let plot = plot.and_then(|part| part.split("</svg>").next()).expect("a forest plot");
    for site in ["dept-a", "dept-b", "dept-c", "dept-d", "dept-e", "dept-f"] {
        assert!(plot.contains(site), "{site} has no row");
    }
    assert!(dom.contains("default-src 'none'"), "the page may load nothing");
    for width in [1_000, 500] {
        let shot = dir.path().join(format!("{width}.png"));
        let args = [format!("--screenshot={}", shot.display()), format!("--window-size={width},3000")];
        browse(&page, &dir.path().join("profile"), &args);
        let bytes = std::fs::metadata(&shot).expect("a picture").len();
        assert!(bytes > 50_000, "a picture of {bytes} bytes shows hardly anything");
    }
}
