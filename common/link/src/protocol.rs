//! What agents and the aggregator say to each other: one request and one response a stream, each a strict postcard frame.

mod ask;

pub use ask::{JoinRequest, RotateRequest, join_bytes};

use fedaudit_core::codec::{self, CodecError};
use fedaudit_core::envelope::Attestation;
use fedaudit_core::fault::{Blame, Refusal};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::roster::Trust;
use serde::{Deserialize, Serialize};

/// Version of this protocol. The hello refuses others by name.
pub const PROTOCOL: u32 = 1;

/// An agent asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// To be enrolled; the only request that an unknown key may make.
    Join(Box<JoinRequest>),
    /// First on every connection.
    Hello(Hello),
    /// Registry entries from an index on.
    Registry {
        /// First index wanted.
        from: u64,
    },
    /// Take a release.
    Submit(Box<Submission>),
    /// The first report in a plan's log from an index on.
    Reports {
        /// Digest of the plan.
        plan: Digest,
        /// First index wanted.
        from: u64,
        /// Size of the plan's log at the last checkpoint that the agent verified; 0 for none.
        seen: u64,
    },
    /// Take a heartbeat; `plan_seen` is the size of the log of heartbeats then.
    Heartbeat(Box<Submission>),
    /// The next document of this site that stands in a log and that this home does not have.
    Mine(Have),
    /// Take this site's next transport key into the registry: under its attest key.
    Transport(Document),
    /// Keep a request for other keys until governance signs it, in the place of an earlier one; without one, forget that.
    Rotate(Option<Box<RotateRequest>>),
}

/// The aggregator answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Response {
    /// The join request is kept until governance approves it.
    Joined {
        /// `trust.json`; its governance fingerprint must be the token's.
        trust: Vec<u8>,
    },
    /// The link is up.
    Hello(Welcome),
    /// Registry entries.
    Registry(RegistryPart),
    /// The release is durable in the plan's log.
    Receipt(Receipt),
    /// The request is refused.
    Refused(Refused),
    /// A report; none if the log has no more.
    Reported(Option<Box<Reported>>),
    /// A document of this site, from the log in which it stands; none if this home has them all.
    Mine(Option<Box<Logged>>),
    /// The document stands in the registry.
    Published {
        /// Its index.
        index: u64,
    },
    /// The request for other keys is kept, or forgotten.
    Kept,
}

/// An agent's first words: what it has, and what it has seen of the aggregator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// The site.
    pub site: Name,
    /// Name and version of the software.
    pub software: String,
    /// The last signed checkpoint of each of the aggregator's logs that the agent verified.
    pub seen: Vec<String>,
}

/// The aggregator's first words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// Name and version of the software.
    pub software: String,
    /// The registry's signed checkpoint.
    pub registry: String,
    /// The last signed checkpoint of each of the site's journal logs that the aggregator verified.
    pub seen: Vec<String>,
}

/// An envelope and its artifact, exact bytes.
pub type Document = (Vec<u8>, Vec<u8>);

/// A part of the registry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegistryPart {
    /// The signed checkpoint that the entries lead up to, when they are the last ones.
    pub checkpoint: String,
    /// Index of the first entry.
    pub from: u64,
    /// Envelopes and their artifacts.
    pub entries: Vec<Document>,
}

/// A release on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// The envelope.
    pub envelope: Vec<u8>,
    /// `release.json`.
    pub artifact: Vec<u8>,
    /// For each journal log that the aggregator has seen: the proof between that checkpoint and the release's.
    pub journal: Vec<Consistency>,
    /// Size of the plan's log at the last checkpoint that the agent verified; 0 for none.
    pub plan_seen: u64,
}

impl Submission {
    /// What is sent to be logged, as it was signed.
    pub fn attestation(&self) -> Attestation {
        Attestation { envelope: self.envelope.clone(), artifacts: vec![self.artifact.clone()] }
    }
}

/// An RFC 6962 consistency proof.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Consistency {
    /// The log's origin.
    pub origin: String,
    /// The smaller size.
    pub old: u64,
    /// The larger size.
    pub new: u64,
    /// The hashes.
    pub hashes: Vec<Digest>,
}

/// Proof that an entry is durable in a log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// C2SP tlog-proof.
    pub proof: String,
    /// From the size that the agent had seen to the proof's checkpoint.
    pub consistency: Vec<Digest>,
}

/// A report in a plan's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reported {
    /// The envelope.
    pub envelope: Vec<u8>,
    /// `report.json`; empty if it is longer than a response may be.
    pub json: Vec<u8>,
    /// That it is in the log, which continues what the agent had seen.
    pub receipt: Receipt,
}

/// What a home has of what its site signed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Have {
    /// By plan; of one that is not named, nothing.
    pub plans: Vec<(Digest, HaveOf)>,
    /// The heartbeats.
    pub heartbeats: HaveOf,
}

/// What a home has of what its site signed for one log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HaveOf {
    /// The number that comes next.
    pub next: u64,
    /// Size of the log at the last checkpoint that the agent verified; 0 for none.
    pub seen: u64,
}

/// A document of a site in the log in which it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Logged {
    /// The plan in whose log it stands; none for a heartbeat.
    pub plan: Option<Digest>,
    /// The envelope.
    pub envelope: Vec<u8>,
    /// The artifact.
    pub artifact: Vec<u8>,
    /// Proof of it.
    pub receipt: Receipt,
}

/// A refusal: whose fault, which check, what next. Details that help an attacker stay in the aggregator's own log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// Whose fault it is. `site` is final for these bytes; `aggregator` and `network` may pass.
    pub blame: Blame,
    /// The check.
    pub refusal: Refusal,
    /// What to do next.
    pub hint: String,
}

/// All that a site needs to join: one string, from governance to the site's operator. It holds a secret.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// The federation.
    pub federation: Name,
    /// The site's name in it.
    pub site: Name,
    /// Fingerprint of the governance keys, see [`governance_fingerprint`].
    pub governance: Digest,
    /// The aggregator's address, `host:port`.
    pub address: String,
    /// Fingerprint of the aggregator's transport key.
    pub transport: Digest,
    /// When the token expires, seconds since 1970.
    pub expires_unix_s: i64,
    /// Shared secret, 128 bits.
    pub secret: [u8; 16],
}

const TOKEN_PREFIX: &str = "fedaudit-join-1-";

impl Token {
    /// The token as text.
    ///
    /// # Errors
    /// Never for plain values.
    pub fn to_text(&self) -> Result<String, CodecError> {
        let body = codec::encode(self)?;
        let check = Digest::of(&body);
        Ok(format!("{TOKEN_PREFIX}{}{}", fedaudit_core::ids::hex(&body), fedaudit_core::ids::hex(&check.0[..4])))
    }

    /// Reads a token; a checksum tells a mistyped one.
    ///
    /// # Errors
    /// What is wrong with it; never what it holds.
    pub fn parse(text: &str) -> Result<Self, String> {
        let body = text.trim().strip_prefix(TOKEN_PREFIX).ok_or(format!("a join token begins with {TOKEN_PREFIX}"))?;
        let bytes = fedaudit_core::ids::unhex(body).ok_or("a join token is hexadecimal after its prefix")?;
        let (body, check) = bytes.split_last_chunk::<4>().ok_or("the join token is cut short")?;
        if Digest::of(body).0[..4] != check[..] {
            return Err("the join token is mistyped or cut short: its checksum does not match".to_owned());
        }
        codec::decode(body).map_err(|e| format!("the join token is {e}"))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({} for {}, secret not shown)", self.federation, self.site)
    }
}

/// SHA-256 over the threshold and the ids of the governance keys, in the order of `trust.json`; then, where witnesses are
/// asked for, over their threshold and keys: whoever carries the trust file cannot leave them out.
pub fn governance_fingerprint(trust: &Trust) -> Digest {
    let (governance, witnesses) = (&trust.governance, &trust.witnesses);
    let mut text = format!("fedaudit governance v1\n{}\n", governance.threshold);
    governance.keys.iter().for_each(|key| text += &format!("{}\n", key.id()));
    if witnesses.threshold > 0 {
        text += &format!("witnesses\n{}\n", witnesses.threshold);
        witnesses.keys.iter().for_each(|key| text += &format!("{key}\n"));
    }
    Digest::of(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).expect("a name")
    }

    fn token() -> Token {
        let digest = Digest::of(b"x");
        Token {
            federation: name("f"),
            site: name("s"),
            governance: digest,
            address: "127.0.0.1:1".to_owned(),
            transport: digest,
            expires_unix_s: 5,
            secret: [7; 16],
        }
    }

    #[test]
    fn a_token_survives_and_a_mistyped_one_is_told() {
        let text = token().to_text().expect("encodes");
        assert_eq!(Token::parse(&format!(" {text}\n")), Ok(token()));
        for at in TOKEN_PREFIX.len()..text.len() {
            let mut bad = text.clone().into_bytes();
            bad[at] = if bad[at] == b'0' { b'1' } else { b'0' };
            assert!(Token::parse(&String::from_utf8(bad).expect("ascii")).is_err());
        }
        assert!(!format!("{:?}", token()).contains("7, 7"), "a secret is never printed");
    }
}
