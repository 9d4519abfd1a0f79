//! What somebody who holds a bundle, or the aggregator itself, may try.

use super::world::{Demo, Made, key};
use fedaudit_core::bundle::{Bundle, pack};
use fedaudit_core::codec;
use fedaudit_core::envelope::cosign;
use fedaudit_core::ids::Digest;
use fedaudit_core::key::KeyUse;
use fedaudit_core::render;
use fedaudit_core::report::Report;
use fedaudit_core::verify::claimed_subject;

/// A change, in words and in bytes.
pub type Change = (&'static str, fn(&Demo, &mut Bundle) -> Made<()>);

/// All that are tried.
pub const CHANGES: [Change; 17] = [
    ("a count in a site's release is another", |_, bundle| {
        let artifact = release(bundle, 0)?;
        replace(artifact, "\"events\": 200", "\"events\": 201")
    }),
    ("two releases of equal length change places", |_, bundle| {
        let [a, b] = [subject(bundle, 0)?, subject(bundle, 1)?];
        let bytes = [a, b].map(|digest| bundle.plan.artifacts[&digest].clone());
        let [one, other] = bytes;
        bundle.plan.artifacts.extend([(a, other), (b, one)]);
        Ok(())
    }),
    ("a release is left out of the log", |_, bundle| {
        bundle.plan.entries.remove(1);
        Ok(())
    }),
    ("a release is left out, and the aggregator signs the log anew", |demo, bundle| {
        bundle.plan.entries.remove(1);
        demo.sign_plan_log(bundle)
    }),
    ("two entries of the log change places", |_, bundle| {
        bundle.plan.entries.swap(0, 1);
        Ok(())
    }),
    ("a log that was cut, with the checkpoint of then", |demo, bundle| {
        bundle.plan.entries.pop();
        demo.sign_plan_log(bundle)
    }),
    ("the checkpoint of another log", |_, bundle| {
        bundle.plan.checkpoint = bundle.registry.checkpoint.clone();
        Ok(())
    }),
    ("a release whose signature is another's, in a log signed anew", |demo, bundle| {
        let [of, by] = [signature(&bundle.plan.entries[0])?, signature(&bundle.plan.entries[1])?];
        replace(&mut bundle.plan.entries[0], &of, &by)?;
        demo.sign_plan_log(bundle)
    }),
    ("a site's release again, in the place of another site's", |demo, bundle| {
        bundle.plan.entries[1] = bundle.plan.entries[0].clone();
        demo.sign_plan_log(bundle)
    }),
    ("a figure of the report, and the page made to match", |_, bundle| falsify(bundle)),
    ("the same, signed and logged anew by the aggregator", |demo, bundle| {
        falsify(bundle)?;
        sign(demo, bundle)
    }),
    ("a word on the page, signed and logged anew by the aggregator", |demo, bundle| {
        replace(&mut bundle.report_html, "women", "women (no)")?;
        sign(demo, bundle)
    }),
    ("a key twice in the report's envelope", |_, bundle| {
        replace(&mut bundle.report_envelope, "{\"payload\":", "{\"payload\":\"\",\"payload\":")
    }),
    ("base64 that decodes to the same bytes, written otherwise", |_, bundle| {
        // 64 bytes end in two padding signs: of the last character before them, four bits say nothing.
        replace(&mut bundle.report_envelope, "==\"}]", "=\"}]")
    }),
    ("a byte behind the report's envelope", |_, bundle| {
        bundle.report_envelope.push(b'}');
        Ok(())
    }),
    ("a plan with another threshold, under the old plan's signature", |demo, bundle| {
        let artifact = bundle.registry.artifacts.get_mut(&demo.plan).ok_or("a plan")?;
        replace(artifact, "\"k\": 5", "\"k\": 1")
    }),
    ("a contract that a stranger signed in governance's name, in a registry signed anew", |demo, bundle| {
        let stranger = key("stranger", KeyUse::Governance);
        let both = cosign(&bundle.registry.entries[1], &stranger).map_err(|e| e.to_string())?;
        let [of, by] = [signature_at(&both, 0)?, signature_at(&both, 1)?];
        replace(&mut bundle.registry.entries[1], &of, &by)?;
        demo.sign_registry(bundle)
    }),
];

/// The bytes of the bundle with a change in it.
pub fn changed(demo: &Demo, change: &Change) -> Made<Vec<u8>> {
    let mut bundle = demo.bundle.clone();
    change.1(demo, &mut bundle)?;
    if bundle == demo.bundle {
        return Err(format!("nothing was changed: {}", change.0));
    }
    pack(&bundle).map_err(|e| e.to_string())
}

fn subject(bundle: &Bundle, entry: usize) -> Made<Digest> {
    claimed_subject(&bundle.plan.entries[entry]).map_err(|e| e.to_string())
}

fn release(bundle: &mut Bundle, entry: usize) -> Made<&mut Vec<u8>> {
    let digest = subject(bundle, entry)?;
    bundle.plan.artifacts.get_mut(&digest).ok_or_else(|| "no release".to_owned())
}

/// The first `from` becomes `to`.
fn replace(bytes: &mut Vec<u8>, from: &str, to: &str) -> Made<()> {
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes());
    let at = at.ok_or_else(|| format!("no {from}"))?;
    bytes.splice(at..at + from.len(), to.bytes());
    Ok(())
}

/// The first signature of an envelope, in base64.
fn signature(envelope: &[u8]) -> Made<String> {
    signature_at(envelope, 0)
}

fn signature_at(envelope: &[u8], nth: usize) -> Made<String> {
    let value: serde_json::Value = serde_json::from_slice(envelope).map_err(|e| e.to_string())?;
    value["signatures"][nth]["sig"].as_str().map(str::to_owned).ok_or_else(|| "no signature".to_owned())
}

/// One event more at a site than there was, in numbers and on the page.
fn falsify(bundle: &mut Bundle) -> Made<()> {
    let mut report: Report = codec::from_json(&bundle.report_json).map_err(|e| e.to_string())?;
    report.sites.iter_mut().take(1).for_each(|site| site.events += 1);
    bundle.report_json = codec::to_json(&report).map_err(|e| e.to_string())?;
    bundle.report_html = render::html(&report).into_bytes();
    Ok(())
}

/// The aggregator signs the report as it stands, and a log in which it is the last entry.
fn sign(demo: &Demo, bundle: &mut Bundle) -> Made<()> {
    bundle.report_envelope = demo.signed_report(bundle)?;
    bundle.plan.entries.pop();
    bundle.plan.entries.push(bundle.report_envelope.clone());
    demo.sign_plan_log(bundle)
}
