//! Pages of reports compiled from signed releases: what stands on them, and what never does.

mod tasks;
pub(crate) mod world;

use super::html;
use crate::disclosure::{Block, Cell};
use crate::event::{TallyKind, Tier};
use crate::report::{Figure, Report};
use proptest::prelude::*;
use world::{Gave, World};

/// Berkeley 1973 by department: women admitted and refused, men admitted and refused.
const BERKELEY: [(&str, [u64; 4]); 6] = [
    ("dept-a", [89, 19, 512, 313]),
    ("dept-b", [17, 8, 353, 207]),
    ("dept-c", [202, 391, 120, 205]),
    ("dept-d", [131, 244, 138, 279]),
    ("dept-e", [94, 299, 53, 138]),
    ("dept-f", [24, 317, 22, 351]),
];

fn berkeley() -> World {
    let sites = BERKELEY.map(|(site, n)| (site, Gave::Counts(vec![[n[0], n[1]], [n[2], n[3]], [0, 0], [0, 0]])));
    World { title: "Are women admitted as often as men?".to_owned(), ..World::new(sites.to_vec()) }
}

fn mixed() -> World {
    let mut world = berkeley();
    world.sites[1].1 = Gave::Hidden(585);
    world.sites[3].1 = Gave::Nothing;
    world.sites[4].1 = Gave::Counts(vec![[4, 3], [53, 138], [0, 0], [12, 30]]);
    world.sites[5].1 = Gave::Counts(vec![[0, 0], [22, 351], [0, 0], [0, 0]]);
    world.retrospective = true;
    world
}

fn hostile() -> World {
    let mut world = berkeley();
    world.title = "<script>alert(1)</script> \u{202e}\" onload='x' &amp; ]]> --> </title></style>".to_owned();
    world.model = "<img src=x onerror=alert(1)>".to_owned();
    world.categories =
        ["<script>alert(1)</script>", "\"'><svg/onload=alert(1)> \u{5d2}\u{5d1}\u{5e8}\u{202e}"].map(str::to_owned);
    world
}

/// To be selected is bad.
fn unfavourable() -> World {
    let mut world = berkeley();
    world.favourable = "0".to_owned();
    world
}

/// Large sites that agree within a point, a small one that could be anywhere, a long name.
fn clipped() -> World {
    let large = |women, men| Gave::Counts(vec![[women, 10_000 - women], [men, 10_000 - men], [0, 0], [0, 0]]);
    let small = Gave::Counts(vec![[6, 6], [6, 6], [0, 0], [0, 0]]);
    let name = "a-hospital-with-a-rather-long-name-in-the-north-of-the-country";
    World::new(vec![("north", large(4_010, 3_960)), (name, large(4_100, 4_080)), ("small", small)])
}

/// Two sites sample, at different rates; one of them hides its sampled slice.
fn sampled() -> World {
    let mut world = berkeley();
    let gave = Gave::Counts(vec![[10, 30], [40, 20], [0, 0], [0, 0]]);
    world.sampled = vec![("dept-a", 20, gave.clone()), ("dept-b", 10, gave), ("dept-c", 20, Gave::Hidden(50))];
    world.intake = [(TallyKind::Sampled, 1_900), (TallyKind::Late, 3)].into();
    world.features = true;
    world
}

fn pages() -> Vec<(&'static str, Report)> {
    let empty = World::new(vec![("a", Gave::Counts(vec![[0, 0]; 4])), ("b", Gave::Counts(vec![[0, 0]; 4]))]);
    let nothing = World::new(vec![("a", Gave::Nothing), ("b", Gave::Hidden(12))]);
    let worlds = [
        ("berkeley", berkeley()),
        ("mixed", mixed()),
        ("hostile", hostile()),
        ("unfavourable", unfavourable()),
        ("clipped", clipped()),
        ("empty", empty),
        ("nothing", nothing),
        ("sampled", sampled()),
    ];
    let tasks = [("triage", tasks::triage()), ("stay", tasks::stay())];
    worlds.map(|(name, world)| (name, world.report())).into_iter().chain(tasks).collect()
}

#[test]
fn pages_are_sound_and_repeat() {
    for (name, report) in pages() {
        let page = html(&report);
        if let Some(folder) = std::env::var_os("FEDAUDIT_PAGES") {
            let folder = std::path::Path::new(&folder);
            std::fs::write(folder.join(format!("{name}.html")), &page).expect("written");
            std::fs::write(folder.join(format!("{name}.json")), serde_json::to_vec(&report).expect("encodes"))
                .expect("written");
        }
        check(&report, &page);
        let again: Report = serde_json::from_slice(&serde_json::to_vec(&report).expect("encodes")).expect("decodes");
        assert_eq!(page, html(&again), "{name}");
    }
}

#[test]
fn berkeley_shows_both_stories() {
    let page = html(&berkeley().report());
    for text in [
        "6 of 6 sites<",
        "Are women admitted as often as men?",
        "-14.2 (-17.0 to -11.3)",
        "89/108",
        "512/825",
        "favours Male",
        "favours Female",
        "1.105",
        "0.943 to 1.295",
        "Simpson&#39;s paradox",
        "1 January 2026 to 31 January 2026",
        "fedaudit-verify bundle.zip --trust trust.json",
    ] {
        let text = text.replace("&#39;", "'");
        assert!(page.contains(&text), "{text}");
    }
    assert!(!page.contains("retrospective: the plan") && !page.contains("suppressed at"));
    assert!(html(&unfavourable().report()).contains("Male selected more often"));
}

#[test]
fn a_plan_that_changed_inside_a_window_says_so() {
    let mut world = berkeley();
    assert_eq!(world.report().plan_changed_inside, []);
    world.changed = true;
    let report = world.report();
    assert_eq!(report.plan_changed_inside, report.windows);
    assert!(html(&report).contains("a later version of the plan was signed inside a window"));
}

#[test]
fn each_site_has_a_row_whatever_it_gave() {
    let report = mixed().report();
    let page = html(&report);
    let plot = between(&page, "<desc", "</desc>");
    for text in [
        "dept-a: Female 89/108, Male 512/825, difference +20.3",
        "dept-b: suppressed.",
        "dept-d: no release.",
        "left out: a group below 10 events",
        "dept-f: Female 0/0, Male 22/373, not estimable (empty denominator).",
    ] {
        assert!(plot.contains(text), "{text} in {plot}");
    }
    let drawn = between(&page, "</desc>", "</svg>");
    for site in &report.sites {
        assert!(drawn.contains(&format!(">{}<", site.site)), "{}", site.site);
    }
    for text in [
        "5 of 6 sites (1 missing) \u{b7} retrospective: the plan was logged after its window began",
        "dept-d (required): no release for 1 of 1 window.",
        "gender: suppressed at 1 of 6 sites (dept-b).",
        // Nobody is `other` where that is known.
        "4 of 5</td><td class=\"n\">0</td>",
        "(not compared)",
        "1 of 2 slices suppressed",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn what_was_sampled_is_said_and_weighted() {
    let report = sampled().report();
    let tiers: Vec<_> = report.scopes.iter().map(|scope| scope.tier).collect();
    assert_eq!(tiers, [Tier::Full, Tier::Sampled(10), Tier::Sampled(20)]);
    let n = |scope: usize, site: usize| report.scopes[scope].slices[0].groups[0].sites[site].as_ref().map(|m| m.n);
    assert_eq!([n(0, 0), n(2, 0), n(1, 1), n(1, 5)], [Some(933), Some(100), Some(100), Some(0)]);
    let row = &report.sites[0].sampled[0];
    assert_eq!((row.one_in, &row.events), (20, &Cell::Value(100)));
    assert!((row.share.expect("known") - 2_000.0 / 2_933.0).abs() < 1e-12);

    let [weighted] = &report.weighted[..] else { panic!("one model version") };
    let slice = &weighted.slices[1];
    assert_eq!(slice.sites.len(), 5, "dept-c hides its sampled part");
    let women = &slice.groups[0];
    // Without dept-c: 355 of 1,242 women of the full tier, 10 of 40 that stand for 20 each, and for 10 each.
    assert_eq!((women.events, women.stands_for), (1_242 + 80, 1_242 + 1_200));
    let Figure::Estimate(rate) = &women.selection_rate else { panic!("a rate") };
    assert!((rate.value - (355.0 + 300.0) / 2_442.0).abs() < 1e-12);
    let Figure::Estimate(gap) = women.difference.as_ref().expect("against men") else { panic!("a difference") };
    assert!((gap.value - (rate.value - (1_078.0 + 1_200.0) / (2_366.0 + 1_800.0))).abs() < 1e-12);
    assert!(gap.interval.is_some_and(|i| i.lower < gap.value && gap.value < i.upper));

    let page = html(&report);
    for text in [
        "Model version <bdi>v1, one in 20</bdi>",
        "68.2 %",
        "5 of the sites",
        "Left out by sampling",
        "grade &lt;b&gt;",
        "the tier of one in 10",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!html(&berkeley().report()).contains("id=\"sampled\""));
}

#[test]
fn an_interval_beyond_the_axis_has_arrowheads() {
    let drawn =
        |world: World| between(&html(&world.report()), "</desc>", "</svg>").matches("<path class=\"site\"").count();
    assert_eq!([drawn(berkeley()), drawn(clipped())], [0, 2]);
}

#[test]
fn names_are_text() {
    let page = html(&hostile().report());
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(!page.contains("<img") && !page.contains("<svg/") && !page.contains('\u{202e}'));
}

#[test]
fn a_full_page_says_what_it_leaves_out() {
    let mut report = berkeley().report();
    let slice = &mut report.scopes[0].slices[1];
    slice.pairs = vec![slice.pairs[0].clone(); super::PLOT_ROWS / 10 + 1];
    let page = html(&report);
    check(&report, &page);
    assert_eq!(page.matches("<figure").count(), super::PLOT_ROWS / 10);
    assert_eq!(page.matches("forest plot left out").count(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_counts_break_a_page(given in prop::collection::vec(gave(), 1..7), k in 1_u64..12) {
        let names = ["s0", "s1", "s2", "s3", "s4", "s5", "s6"];
        let mut world = World::new(names.into_iter().zip(given).collect());
        world.min_site_n = k;
        let report = world.report();
        check(&report, &html(&report));
    }
}

fn gave() -> impl Strategy<Value = Gave> {
    let count = || prop_oneof![3 => Just(0_u64), 4 => 1_u64..20, 4 => 20_u64..2_000, 1 => 1_u64..1 << 29];
    let counts = prop::collection::vec([count(), count()], 4).prop_map(Gave::Counts);
    prop_oneof![8 => counts, 1 => (0_u64..1_000).prop_map(Gave::Hidden), 1 => Just(Gave::Nothing)]
}

/// What holds for every page.
fn check(report: &Report, page: &str) {
    balanced(page);
    for never in ["<script", "http://", "https://", "url(", "@import", "javascript:", "<link", "<iframe", "NaN"] {
        assert!(!page.contains(never), "{never}");
    }
    for site in &report.sites {
        assert!(page.contains(&format!("<th scope=\"row\">{}</th>", site.site)), "{}", site.site);
    }
    let body = text(page);
    for word in body.split(|c: char| c.is_whitespace() || "(),;:".contains(c)) {
        let number = word.trim_matches(['+', '-', '.', '%']);
        assert!(!["inf", "Infinity", "infinity", "NaN"].contains(&number), "{word}");
        let zero =
            word.strip_prefix('-').is_some_and(|rest| rest.contains('0') && rest.trim_matches(['0', '.']).is_empty());
        assert!(!zero, "negative zero: {word}");
    }
    for coordinate in ["\"inf", "\"-inf", "=\"undefined", "undefined\"", "\"-0.0\""] {
        assert!(!page.contains(coordinate), "{coordinate}");
    }
}

fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let start = page.find(from).expect(from);
    &page[start..start + page[start..].find(to).expect(to)]
}

/// Text between tags, entities resolved.
fn text(page: &str) -> String {
    let body = page.split_once("<body>").expect("a body").1;
    let parts = body.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    let joined = parts.collect::<Vec<_>>().join(" ");
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")]
        .iter()
        .fold(joined, |t, (from, to)| t.replace(from, to))
}

/// Every tag is closed in order, every attribute is quoted, no id stands twice.
fn balanced(page: &str) {
    const VOID: [&str; 2] = ["meta", "br"];
    let mut open: Vec<&str> = Vec::new();
    let mut ids = std::collections::BTreeSet::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a doctype");
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, next) = after.split_once('>').expect("a tag that ends");
        rest = next;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed out of order near {:.80}", next);
            continue;
        }
        let name = tag.split(' ').next().unwrap_or_default();
        assert!(name.bytes().all(|c| c.is_ascii_alphanumeric()) && !name.is_empty(), "{tag}");
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        if let Some(id) = tag.split(" id=\"").nth(1).and_then(|id| id.split('"').next()) {
            assert!(ids.insert(id), "id {id} twice");
        }
        if name == "style" {
            rest = next.split_once("</style>").expect("a style that ends").1;
        } else if !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn what_is_known_where_is_said_group_by_group() {
    let full = |n: u64| Block::Full([[0, n, 0], [n, 0, 0], [0; 3]]);
    let none = Block::Full([[0; 3]; 3]);
    let site =
        |[women, men, other]: [Block; 3]| Gave::Rungs(full(60), vec![women, men, other, none.clone()], Vec::new());
    let hidden = Block::Withheld;
    let world = World::new(vec![
        ("a", site([full(20), full(30), hidden.clone()])),
        ("b", site([Block::N(40), full(30), hidden.clone()])),
        ("c", site([full(20), hidden.clone(), hidden])),
        ("d", Gave::Nothing),
    ]);
    let report = world.report();
    let page = html(&report);
    check(&report, &page);
    for text in [
        "0 of 4 sites showed all groups of this slice",
        "</th><td class=\"n\">2 of 3</td><td class=\"n\">80</td>",
        "</th><td class=\"n\">0 of 3</td><td class=\"state\" colspan=\"7\">suppressed at every site</td>",
        "gender: some groups suppressed at 3 of 4 sites (a, b, c).",
        "gender: other suppressed at every site.",
        "Crude, sites as if they were one: 1 of 4 sites",
        "not estimable (no site shows all groups)",
        "1 of 2 slices in part",
        "gender: 0 of 4 sites showed all groups of this slice, 3 only some.",
    ] {
        assert!(page.contains(text), "{text}");
    }
    let plot = between(&page, "<desc", "</desc>");
    assert!(plot.contains("b: suppressed.") && plot.contains("d: no release."), "{plot}");
    // Nobody is unknown where it is known, at all three sites.
    assert!(page.contains("1 group without events."));
}
