//! What comes and goes as files: the registry out; joins, governance documents and releases in, by the same decisions as
//! over the network; receipts out.

mod intake;

use crate::answer::Halted;
use crate::basis::Basis;
use crate::centre::Centre;
use crate::conflicts::parcel_refusal;
use crate::governance::{Governance, Signed};
use crate::home::{operator, refused};
use fedaudit_core::codec;
use fedaudit_core::envelope::Attestation;
use fedaudit_core::fault::{Blame, Fault, Refusal};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_core::note::LogProof;
use fedaudit_core::parcel::{self, Answer, Bytes, Content, Document, Join, Outbox, Outcome, Receipts, RegistryText};
use fedaudit_core::plan::Plan;
use fedaudit_core::roster::{Party, describe};
use fedaudit_core::time::Time;
use fedaudit_link::parcel::{misdirected, read_parcel, write_parcel};
use fedaudit_link::protocol::{Consistency, Hello, PROTOCOL, Receipt, Refused, Request, Response, RotateRequest};
use intake::{Intake, late, outcome};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

impl Centre {
    /// The registry, as far as it is shown to others, with the joins that wait.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn registry_text(&self) -> Result<RegistryText, Fault> {
        let log = self.registry_log();
        let (size, note) = self.shown(log);
        let mut entries = Vec::new();
        for index in 0..size {
            let envelope = log.entry(index)?;
            let subject = fedaudit_core::verify::claimed_subject(&envelope).map_err(refused)?;
            entries.push(Document::new(envelope, self.artifact(&subject)?));
        }
        let mut joins = Vec::new();
        for (_, path) in self.home.joins()? {
            joins.push(Bytes(std::fs::read(&path).map_err(|e| operator(format!("{}: {e}", path.display())))?));
        }
        let (trust, address) = (self.home.trust.clone(), self.home.config.address.clone());
        let logs = self.logs().filter(|log| log.size() > 0);
        let logs = logs.map(|log| log.note().to_owned()).collect();
        let rotations = self.home.rotations()?.into_iter().map(Bytes).collect();
        Ok(RegistryText { trust, address, checkpoint: note.to_owned(), entries, joins, logs, rotations })
    }

    /// Whether an artifact stands in the registry.
    fn is_published(&self, artifact: &Digest) -> Result<bool, Fault> {
        let log = self.registry_log();
        for index in 0..log.size() {
            if fedaudit_core::verify::claimed_subject(&log.entry(index)?).map_err(refused)? == *artifact {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Writes the registry for sites and governance without a network.
///
/// # Errors
/// A file that cannot be written.
pub fn export_registry(centre: &Centre, out: &Path) -> Result<String, Fault> {
    let text = centre.registry_text()?;
    let said = format!("registry of {} entries, {} joins waiting", text.entries.len(), text.joins.len());
    write_parcel(out, &centre.home.trust.federation, Content::Registry(text))?;
    Ok(format!("{said}: {}", out.display()))
}

/// Takes in a parcel; what was done, a line each.
///
/// # Errors
/// A file that is no parcel for the aggregator; what it carries is refused as it would be over the network.
pub fn import(centre: &mut Centre, path: &Path, receipts: Option<&Path>, now: Time) -> Result<Vec<String>, Fault> {
    let content = read_parcel(path, &centre.home.trust.federation)?;
    match (content, receipts) {
        (Content::Outbox(outbox), Some(receipts)) => import_outbox(centre, outbox, receipts, now),
        (Content::Outbox(outbox), None) => {
            let what = format!("{} holds releases of {}; the site needs the receipts", path.display(), outbox.site);
            Err(Fault::new(Blame::Operator, what, "add --receipts FILE and carry that back; nothing was taken in"))
        }
        (content, Some(_)) => Err(misdirected(path, &content).while_("--receipts is for a site's releases")),
        (Content::Join(join), None) => import_join(centre, &join, now),
        (Content::Rotation(asked), None) => import_rotation(centre, &asked, now),
        (Content::Governance(signed), None) => import_governance(centre, &signed.documents),
        (content, None) => Err(misdirected(path, &content)),
    }
}

fn import_join(centre: &mut Centre, join: &Join, now: Time) -> Result<Vec<String>, Fault> {
    let bad = |what: String| {
        Fault::new(Blame::Input, what, "let the site write it again: fedaudit-agent join TOKEN --to FILE")
    };
    let request: fedaudit_link::protocol::JoinRequest =
        codec::decode(&join.request.0).map_err(|e| bad(format!("the join request is {e}")))?;
    let transport = request.keys.iter().find(|key| key.usage == KeyUse::Transport).map(|key| key.key);
    let transport = transport.ok_or_else(|| bad("the join request has no transport key".to_owned()))?;
    let (site, keys) = (request.site.clone(), request.keys.clone());
    let lock = centre.lock()?;
    match centre.take(&transport, Request::Join(Box::new(request)), Some(&lock), now) {
        Ok(Response::Joined { .. })
            if centre.registry().party(&Party::Site(site.clone())).is_ok_and(|entry| entry.keys == keys) =>
        {
            Ok(vec![format!("site {site} is enrolled already")])
        }
        Ok(Response::Joined { .. }) => {
            Ok(vec![format!("site {site} waits for approval; next: fedaudit-aggregator site approve {site}")])
        }
        Ok(Response::Refused(refused)) => Err(fault_of(&site, refused)),
        Ok(_) => Err(operator("an answer to another question")),
        Err(Halted(fault)) => Err(fault),
    }
}

fn import_rotation(centre: &mut Centre, asked: &Join, now: Time) -> Result<Vec<String>, Fault> {
    let bad = |what: String| {
        Fault::new(Blame::Input, what, "let the site write it again: fedaudit-agent key rotate --to FILE")
    };
    let request: RotateRequest =
        codec::decode(&asked.request.0).map_err(|e| bad(format!("the request for other keys is {e}")))?;
    let Party::Site(site) = request.party.clone() else {
        return Err(bad("no site asks for these keys".to_owned()));
    };
    let lock = centre.lock()?;
    let transport = transport_of(centre, &site)?;
    match centre.take(&transport, Request::Rotate(Some(Box::new(request))), Some(&lock), now) {
        Ok(Response::Kept) => {
            let next = format!("next: fedaudit-aggregator site rotate {site}");
            Ok(vec![format!("site {site} asks for other keys; compare them (site list), then {next}")])
        }
        Ok(Response::Refused(refused)) => Err(fault_of(&site, refused)),
        Ok(_) => Err(operator("an answer to another question")),
        Err(Halted(fault)) => Err(fault),
    }
}

/// The transport key of a site; of one that was revoked, the last one: it is refused as over the network.
fn transport_of(centre: &Centre, site: &Name) -> Result<PublicKey, Fault> {
    let transport = centre.registry().keys_of(&Party::Site(site.clone()), KeyUse::Transport).first().copied();
    transport.ok_or_else(|| {
        let refusal = Refusal::new("signer", "a site in the roster", site);
        Fault::new(Blame::Operator, refusal.to_string(), format!("enrol it first: site approve {site}"))
    })
}

fn fault_of(site: &Name, refused: Refused) -> Fault {
    Fault::new(refused.blame, format!("{site}: {}", refused.refusal), refused.hint)
}

fn import_governance(centre: &mut Centre, documents: &[Document]) -> Result<Vec<String>, Fault> {
    let lock = centre.lock()?;
    let mut trial = centre.registry().clone();
    let (mut said, mut new) = (Vec::new(), Vec::new());
    for document in documents {
        let Document { envelope, artifact } = document;
        let what = describe(&envelope.0, &artifact.0, &centre.home.trust.federation);
        let what = what.map_err(|refusal| untaken(&refusal.to_string()))?;
        if centre.is_published(&Digest::of(&artifact.0))? {
            said.push(format!("was published before: {what}"));
            continue;
        }
        trial.apply(&envelope.0, &artifact.0).map_err(|refusal| {
            let fault = untaken(&format!("{what}: {refusal}"));
            // A plan without its contract came too early; nothing is wrong with it.
            let early = refusal.check == "contract" && codec::from_json::<Plan>(&artifact.0).is_ok();
            if early { Fault { hint: EARLY.to_owned(), ..fault } } else { fault }
        })?;
        centre.check_ends(&trial, &artifact.0).map_err(|fault| fault.while_(&what))?;
        new.push(Attestation { envelope: envelope.0.clone(), artifacts: vec![artifact.0.clone()] });
        said.push(format!("published: {what}"));
    }
    for attestation in &new {
        centre.publish(attestation, &lock)?;
    }
    centre.drop_joins()?;
    Ok(said)
}

fn untaken(what: &str) -> Fault {
    let hint = "sign it again after a fresh `registry export`, with as many keys as trust.json asks for; nothing was published";
    Fault::new(Blame::Operator, what, hint)
}

const EARLY: &str = "import the contract that it stands on first, then this again; nothing was published";

fn import_outbox(centre: &mut Centre, outbox: Outbox, receipts: &Path, now: Time) -> Result<Vec<String>, Fault> {
    let site = outbox.site.clone();
    let lock = centre.lock()?;
    let transport = transport_of(centre, &site)?;
    let hello =
        Hello { protocol: PROTOCOL, site: site.clone(), software: "a parcel".to_owned(), seen: outbox.seen.clone() };
    // Written when nobody knows: it can show that this home lacks something, not that it lacks nothing.
    let seen = match centre.take(&transport, Request::Hello(hello), Some(&lock), now).map_err(|halted| halted.0)? {
        Response::Hello(welcome) => welcome.seen,
        Response::Refused(refused) => return Err(fault_of(&site, refused)),
        _ => return Err(operator("an answer to another question")),
    };
    centre.standing.clear().map_err(|fault| fault.while_("nothing was taken in"))?;
    let known = seen_sizes(centre, &outbox.seen);
    let proof = |p: parcel::Proof| Consistency { origin: p.origin, old: p.old, new: p.new, hashes: p.hashes };
    let journal = outbox.proofs.into_iter().map(proof).collect();
    let mut intake = Intake { centre, transport, journal, lock: &lock, now };
    let taken = intake.submit_all(&outbox.releases)?;
    let (mut answers, mut first_refused) = (Vec::new(), None);
    for (document, answer) in taken {
        let result = match answer {
            // Asked again now that all are in: the receipts of a plan then name one checkpoint.
            Ok(receipt) => {
                let from = origin_of(&receipt).and_then(|origin| known.get(&origin).copied()).unwrap_or(0);
                let receipt = intake.submit(document, from)?.map_err(|refused| fault_of(&site, refused))?;
                outcome(receipt, from)
            }
            Err(refused) => {
                first_refused.get_or_insert(refused.clone());
                Outcome::Refused(parcel_refusal(&refused))
            }
        };
        answers.push(Answer { envelope: Digest::of(&document.envelope.0), result });
    }
    let received = answers.iter().filter(|answer| matches!(answer.result, Outcome::Receipt(_))).count();
    let all = outbox.releases.len();
    let mut and = String::new();
    if let Some(document) = &outbox.heartbeat {
        let from = known.get(intake.centre.beats().log.origin()).copied().unwrap_or(0);
        let (answer, refused) = intake.beat(document, &site, from)?;
        and = refused.as_ref().map_or(", and a heartbeat".to_owned(), |no| format!(", no heartbeat: {}", no.refusal));
        first_refused = first_refused.or(refused.filter(|no| !late(no)));
        answers.push(answer);
    }
    let said = format!("site {site}: {received} of {all} releases received{and}; answers in {}", receipts.display());
    let federation = centre.home.trust.federation.clone();
    write_parcel(receipts, &federation, Content::Receipts(Receipts { site: site.clone(), seen, answers }))?;
    match first_refused {
        None => Ok(vec![said]),
        Some(refused) => Err(fault_of(&site, refused).while_(said)),
    }
}

/// The plan that a release, or abstention, says it is about; nobody has checked it.
pub(crate) fn claimed_plan(document: &Document) -> Option<Digest> {
    #[derive(serde::Deserialize)]
    struct Named {
        plan: Digest,
    }
    serde_json::from_slice::<Named>(&document.artifact.0).ok().map(|named| named.plan)
}

/// Sizes of our logs at the checkpoints of ours that a site has verified.
fn seen_sizes(centre: &Centre, notes: &[String]) -> BTreeMap<String, u64> {
    let opened = notes.iter().filter_map(|note| {
        let origin = note.lines().next()?;
        centre.registry().open_checkpoint(note.as_bytes(), origin).ok()
    });
    opened.map(|checkpoint| (checkpoint.origin, checkpoint.size)).collect()
}

fn origin_of(receipt: &Receipt) -> Option<String> {
    LogProof::parse(&receipt.proof).ok()?.checkpoint.lines().next().map(str::to_owned)
}

/// Signs what `make` makes from parcels, and writes it as one; what was done, in a line.
///
/// # Errors
/// As [`Basis::of_parcels`] and `make`; a document that does not follow from what was given.
pub fn sign(
    governance: &Path,
    from: &[PathBuf],
    to: &Path,
    make: impl FnOnce(&Governance, &Basis) -> Result<Signed, Fault>,
) -> Result<String, Fault> {
    let governance = Governance::load(governance)?;
    let mut basis = Basis::of_parcels(&governance, from)?;
    let others = match basis.registry.governance().threshold {
        1 => "",
        _ => "the other signers: governance sign FILE --to FILE; then, ",
    };
    let attestation = match make(&governance, &basis)? {
        Signed::Already(digest) => return Ok(format!("{digest} was published before; nothing was written")),
        Signed::New(attestation) => attestation,
    };
    let artifact = attestation.artifacts.into_iter().next().unwrap_or_default();
    let document = Document::new(attestation.envelope, artifact);
    basis.take(&document).map_err(|refusal| {
        let hint = "sign a document that follows from the registry as it is; nothing was written";
        Fault::new(Blame::Operator, refusal.to_string(), hint)
    })?;
    let what = governance.read(&document)?;
    let documents = vec![document];
    write_parcel(to, &governance.trust.federation, Content::Governance(parcel::Governance { documents }))?;
    Ok(format!("{what}: {}; next, {others}at the aggregator: fedaudit-aggregator import FILE", to.display()))
}

/// Adds this governance folder's signature to every document of a parcel.
///
/// # Errors
/// A file that is no such parcel, or cannot be written; a document that is not what its envelope speaks of.
pub fn cosign(governance: &Path, path: &Path, to: &Path) -> Result<Vec<String>, Fault> {
    let governance = Governance::load(governance)?;
    let federation = governance.trust.federation.clone();
    let documents = documents(path, &federation)?;
    let documents = documents.iter().map(|document| governance.cosign(document));
    let documents: Vec<_> = documents.collect::<Result<_, _>>()?;
    let said: Vec<_> = documents.iter().map(|document| governance.read(document)).collect::<Result<_, _>>()?;
    write_parcel(to, &federation, Content::Governance(parcel::Governance { documents }))?;
    Ok(said)
}

/// What a second signer reads before signing: each document's line, then the document.
///
/// # Errors
/// A file that is no parcel of governance documents of this federation; a document that is not what its envelope speaks
/// of.
pub fn show(governance: &Path, path: &Path) -> Result<Vec<String>, Fault> {
    let governance = Governance::load(governance)?;
    let mut said = Vec::new();
    for document in documents(path, &governance.trust.federation)? {
        said.push(governance.read(&document)?);
        said.push(String::from_utf8_lossy(&document.artifact.0).trim_end().to_owned());
    }
    Ok(said)
}

fn documents(path: &Path, federation: &Name) -> Result<Vec<Document>, Fault> {
    match read_parcel(path, federation)? {
        Content::Governance(signed) => Ok(signed.documents),
        other => Err(misdirected(path, &other)),
    }
}
