//! Whom to trust, as a file: C2SP `tlog-policy`. Keys of logs and witnesses, groups of witnesses, and the quorum that
//! makes a checkpoint valid.
//!
//! The syntax is read strictly: a line that is not understood is an error, never ignored, for it may be the one that
//! asks for more. Names and URLs are octets and mean nothing; what counts are keys. Absent on purpose: fetching
//! anything from the URLs, and ML-DSA-44 keys, which are refused and not skipped.

use std::collections::BTreeMap;

use thiserror::Error;

use super::cosignature::WitnessKey;
use super::note::{Checkpoint, NoteError, VerifierKey, decimal, split_note};

/// Largest policy, bytes.
pub const POLICY_BYTES_MAX: usize = 64 * 1024;
/// Most logs of a policy; the specification asks for at least 32.
pub const LOGS_MAX: usize = 64;
/// Most witnesses of a policy; the specification asks for at least 32.
pub const WITNESSES_MAX: usize = 64;
/// Most groups of a policy; the specification asks for at least 32.
pub const GROUPS_MAX: usize = 64;

/// The predefined quorum that asks for no witness.
const NONE: &[u8] = b"none";

/// Why a file is no policy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// A line, counted from one.
    #[error("line {0}: {1}")]
    Line(usize, &'static str),
    /// The file as a whole.
    #[error("{0}")]
    Whole(&'static str),
}

/// A trust policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    witnesses: Vec<Witness>,
    /// Each knows only what stands before it.
    groups: Vec<Group>,
    /// `None` asks for nobody.
    quorum: Option<Member>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Witness {
    name: String,
    key: WitnessKey,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    threshold: usize,
    members: Vec<Member>,
}

/// What can witness: an index into the witnesses or the groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

/// What a policy makes of a signed note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The checkpoint, when one of the policy's logs signed it; always `None` for a policy without logs.
    pub checkpoint: Option<Checkpoint>,
    /// Whether enough witnesses cosigned it.
    pub quorum_met: bool,
    /// Who cosigned it: the policy's name for the witness, and when it did so, Unix seconds. In the policy's order.
    pub witnesses: Vec<(String, u64)>,
}

impl Policy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// See [`PolicyError`]; the first mistake.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        if bytes.len() > POLICY_BYTES_MAX {
            return Err(PolicyError::Whole("a policy of more than 64 KiB"));
        }
        let lines = bytes.strip_suffix(b"\n").ok_or(PolicyError::Whole("the last line has no newline"))?;
        let mut reader = Reader::default();
        for (index, line) in lines.split(|byte| *byte == b'\n').enumerate() {
            reader.line(line).map_err(|what| PolicyError::Line(index + 1, what))?;
        }
        let Reader { logs, witnesses, groups, quorum, .. } = reader;
        let quorum = quorum.ok_or(PolicyError::Whole("there is no quorum line"))?;
        Ok(Self { logs, witnesses, groups, quorum })
    }

    /// Keys of the logs, each named as the origin of its log. May be empty: the log is known otherwise.
    #[must_use]
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }

    /// How many witnesses the policy names.
    #[must_use]
    pub fn witnesses(&self) -> usize {
        self.witnesses.len()
    }

    /// Judges a signed note by the signatures under it. Those of unknown keys are ignored.
    ///
    /// # Errors
    /// [`NoteError::Malformed`], and [`NoteError::BadSignature`] when a key of the policy is named with a signature that
    /// does not match, or twice: such a note is refused whole.
    pub fn judge(&self, note: &str) -> Result<Judgement, NoteError> {
        split_note(note)?;
        let mut checkpoint = None;
        for log in &self.logs {
            match log.open_checkpoint(note) {
                Ok(opened) => checkpoint = Some(opened),
                Err(NoteError::UnknownKey(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let times: Vec<Option<u64>> = self.witnesses.iter().map(|one| one.key.open(note)).collect::<Result<_, _>>()?;
        let cosigned = self.witnesses.iter().zip(&times);
        let witnesses = cosigned.filter_map(|(witness, time)| Some((witness.name.clone(), (*time)?))).collect();
        Ok(Judgement { checkpoint, quorum_met: self.is_met(&times), witnesses })
    }

    /// Group after group, none of which looks forward.
    fn is_met(&self, times: &[Option<u64>]) -> bool {
        let mut met: Vec<bool> = Vec::with_capacity(self.groups.len());
        let witnessed = |member: Member, groups: &[bool]| match member {
            Member::Witness(index) => times[index].is_some(),
            Member::Group(index) => groups[index],
        };
        for group in &self.groups {
            let count = group.members.iter().filter(|member| witnessed(**member, &met)).count();
            met.push(count >= group.threshold);
        }
        self.quorum.is_none_or(|quorum| witnessed(quorum, &met))
    }
}

/// A policy being read.
#[derive(Default)]
struct Reader<'a> {
    logs: Vec<VerifierKey>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorum: Option<Option<Member>>,
    /// By name, with whether a group has it already.
    names: BTreeMap<&'a [u8], (Member, bool)>,
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: &'a [u8]) -> Result<(), &'static str> {
        if line.iter().any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f) {
            return Err("a control character");
        }
        let items: Vec<&[u8]> =
            line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|item| !item.is_empty()).collect();
        match items[..] {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", vkey] | [b"log", vkey, _] => self.log(vkey),
            [b"witness", name, vkey] | [b"witness", name, vkey, _] => self.witness(name, vkey),
            [b"group", name, threshold, ref members @ ..] => self.group(name, threshold, members),
            [b"quorum", name] => self.quorum(name),
            _ => Err("not a line of a policy: log, witness, group or quorum with what belongs to it"),
        }
    }

    fn log(&mut self, vkey: &[u8]) -> Result<(), &'static str> {
        let key = text(vkey).and_then(|vkey| VerifierKey::parse(vkey).ok()).ok_or("not the vkey of a log (Ed25519)")?;
        if self.logs.iter().any(|log| log.key_bytes() == key.key_bytes()) {
            return Err("a log's key a second time");
        }
        self.logs.push(key);
        if self.logs.len() > LOGS_MAX { Err("too many logs") } else { Ok(()) }
    }

    fn witness(&mut self, name: &'a [u8], vkey: &[u8]) -> Result<(), &'static str> {
        let key = text(vkey)
            .and_then(|vkey| WitnessKey::parse(vkey).ok())
            .ok_or("not the vkey of a witness (Ed25519 cosignatures, type 4)")?;
        if self.witnesses.iter().any(|witness| witness.key.key_bytes() == key.key_bytes()) {
            return Err("a witness's key a second time");
        }
        self.define(name, Member::Witness(self.witnesses.len()))?;
        self.witnesses.push(Witness { name: String::from_utf8_lossy(name).into_owned(), key });
        if self.witnesses.len() > WITNESSES_MAX { Err("too many witnesses") } else { Ok(()) }
    }

    fn group(&mut self, name: &'a [u8], threshold: &[u8], members: &[&[u8]]) -> Result<(), &'static str> {
        let threshold = match threshold {
            b"any" => 1,
            b"all" => members.len(),
            number => text(number).and_then(decimal).and_then(|k| usize::try_from(k).ok()).ok_or("no threshold")?,
        };
        if members.is_empty() || threshold == 0 || threshold > members.len() {
            return Err("a threshold that is not from 1 to the number of members");
        }
        let members = members.iter().map(|member| self.take(member)).collect::<Result<_, _>>()?;
        self.define(name, Member::Group(self.groups.len()))?;
        self.groups.push(Group { threshold, members });
        if self.groups.len() > GROUPS_MAX { Err("too many groups") } else { Ok(()) }
    }

    fn quorum(&mut self, name: &[u8]) -> Result<(), &'static str> {
        if self.quorum.is_some() {
            return Err("a second quorum line");
        }
        let known = || self.names.get(name).map(|(member, _)| *member).ok_or("a quorum of an unknown name");
        self.quorum = Some(if name == NONE { None } else { Some(known()?) });
        Ok(())
    }

    fn define(&mut self, name: &'a [u8], member: Member) -> Result<(), &'static str> {
        if name == NONE {
            return Err("none can't be defined");
        }
        match self.names.insert(name, (member, false)) {
            None => Ok(()),
            Some(_) => Err("a name defined a second time"),
        }
    }

    /// A member of a group: known, and of no group before, so that nobody counts twice.
    fn take(&mut self, name: &[u8]) -> Result<Member, &'static str> {
        let (member, taken) = self.names.get_mut(name).ok_or("a member that is not defined before")?;
        if std::mem::replace(taken, true) { Err("a member of two groups") } else { Ok(*member) }
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::cosignature::Cosigner;
    use crate::core::note::Signer;
    use proptest::prelude::*;

    const SECONDS: u64 = 1_795_313_940;

    fn log(seed: u8) -> Signer {
        Signer::from_seed("example.com/log", &[seed; 32]).unwrap()
    }

    fn witness(seed: u8) -> Cosigner {
        Cosigner::from_seed(&format!("witness.example/w{seed}"), &[seed; 32]).unwrap()
    }

    /// The specification's own example: two of the X, one of the Y.
    fn example() -> String {
        let mut text = format!("# an example\n\nlog {} https://log.example/\n", log(7).verifier());
        for (name, seed) in [("X1", 11), ("X2", 12), ("X3", 13), ("Y1", 21), ("Y2", 22), ("Y3", 23)] {
            text += &format!("witness {name} {}\n", witness(seed).verifier());
        }
        text + "group X-witnesses 2 X1 X2 X3\ngroup Y-witnesses any Y1 Y2 Y3\n\
                group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"
    }

    fn note(cosigners: &[u8]) -> String {
        let mut note = log(7).sign_checkpoint(17, [3; 32]);
        let text = split_note(&note).unwrap().0.to_owned();
        cosigners.iter().for_each(|seed| note += &witness(*seed).cosign(&text, SECONDS));
        note
    }

    /// Proves the example of the specification over every set of its six witnesses.
    #[test]
    fn the_example_is_met_by_two_x_and_one_y() {
        let policy = Policy::parse(example().as_bytes()).unwrap();
        assert_eq!((policy.logs().len(), policy.witnesses()), (1, 6));
        let (seeds, names) = ([11, 12, 13, 21, 22, 23], ["X1", "X2", "X3", "Y1", "Y2", "Y3"]);
        for set in 0..64_u32 {
            let chosen: Vec<usize> = (0..6).filter(|bit| set >> bit & 1 == 1).collect();
            let judgement = policy.judge(&note(&chosen.iter().map(|at| seeds[*at]).collect::<Vec<_>>())).unwrap();
            let expected: Vec<(String, u64)> = chosen.iter().map(|at| (names[*at].to_owned(), SECONDS)).collect();
            assert_eq!(judgement.quorum_met, (set & 7).count_ones() >= 2 && set >> 3 != 0, "{chosen:?}");
            assert_eq!(judgement.witnesses, expected);
            assert_eq!(judgement.checkpoint.map(|checkpoint| checkpoint.size), Some(17));
        }
    }

    /// Proves that no cosignature counts that is not the witness's own over this text, and that a known key with a wrong
    /// signature costs the note its belief while unknown ones cost nothing.
    #[test]
    fn only_true_cosignatures_count() {
        let quorum = format!("witness w {}\nquorum w\n", witness(11).verifier());
        let policy = Policy::parse(quorum.as_bytes()).unwrap();
        assert!(policy.judge(&note(&[11])).unwrap().quorum_met);
        let unknown = policy.judge(&note(&[12])).unwrap();
        assert_eq!((unknown.quorum_met, unknown.witnesses.len(), unknown.checkpoint), (false, 0, None));
        assert!(matches!(policy.judge(&note(&[11]).replace("\n17\n", "\n18\n")), Err(NoteError::BadSignature(_))));
        assert!(matches!(policy.judge(&note(&[11, 11])), Err(NoteError::Malformed(_))));
        assert!(matches!(policy.judge("nothing\n"), Err(NoteError::Malformed(_))));
        let nobody = Policy::parse(b"quorum none\n").unwrap();
        assert!(nobody.judge(&note(&[])).unwrap().quorum_met);
        let forged = log(8).sign_checkpoint(17, [3; 32]);
        assert_eq!(Policy::parse(example().as_bytes()).unwrap().judge(&forged).unwrap().checkpoint, None);
    }

    /// Proves every rule of the syntax: what is refused, and on which line.
    #[test]
    fn the_syntax_is_strict() {
        let (w1, w2, l1) = (witness(11), witness(12), log(7));
        let (w1, w2, l1) = (w1.verifier(), w2.verifier(), l1.verifier());
        let renamed = Cosigner::from_seed("other.example/name", &[11; 32]).unwrap();
        let two = format!("witness a {w1}\nwitness b {w2}\n");
        let fine = [
            "quorum none\n".to_owned(),
            format!("\t quorum \t none \t\n # witness\n#\n{two}"),
            format!("log {l1}\n{two}group g 2 a b\nquorum g\n"),
            format!("{two}quorum b\ngroup g all a b\n"),
            format!("witness \u{212a} {w1}\nwitness K {w2} https://kelvin.example/\nquorum K\n"),
        ];
        for text in fine {
            assert!(Policy::parse(text.as_bytes()).is_ok(), "{text}");
        }
        let refused = [
            ("".to_owned(), None),
            ("quorum none".to_owned(), None),
            (two.clone(), None),
            ("quorum none\nquorum none\n".to_owned(), Some(2)),
            (format!("{two}quorum c\n"), Some(3)),
            (format!("quorum a\n{two}"), Some(1)),
            (format!("{two}quorum a b\n"), Some(3)),
            ("quorum none\r\n".to_owned(), Some(1)),
            ("quorum none\u{7f}\n".to_owned(), Some(1)),
            ("Quorum none\n".to_owned(), Some(1)),
            ("quorum\u{a0}none\n".to_owned(), Some(1)),
            ("policy 1\nquorum none\n".to_owned(), Some(1)),
            (format!("log {w1}\nquorum none\n"), Some(1)),
            (format!("log {l1} a b\nquorum none\n"), Some(1)),
            (format!("log {l1}\nlog {l1}\nquorum none\n"), Some(2)),
            (format!("witness a {l1}\nquorum none\n"), Some(1)),
            (format!("witness a {w1}\nwitness a {w2}\nquorum none\n"), Some(2)),
            (format!("witness a {w1}\nwitness b {}\nquorum none\n", renamed.verifier()), Some(2)),
            (format!("witness none {w1}\nquorum none\n"), Some(1)),
            (format!("{two}group g\nquorum none\n"), Some(3)),
            (format!("{two}group g all\nquorum none\n"), Some(3)),
            (format!("{two}group g 0 a b\nquorum g\n"), Some(3)),
            (format!("{two}group g 3 a b\nquorum g\n"), Some(3)),
            (format!("{two}group g 01 a b\nquorum g\n"), Some(3)),
            (format!("{two}group g +1 a b\nquorum g\n"), Some(3)),
            (format!("{two}group g some a b\nquorum g\n"), Some(3)),
            (format!("{two}group g any a a\nquorum g\n"), Some(3)),
            (format!("{two}group g any a\ngroup h any a\nquorum g\n"), Some(4)),
            (format!("{two}group g any a none\nquorum g\n"), Some(3)),
            (format!("{two}group g any g\nquorum g\n"), Some(3)),
            (format!("{two}group a any b\nquorum a\n"), Some(3)),
        ];
        for (text, line) in refused {
            let error = Policy::parse(text.as_bytes()).expect_err(&text);
            let found = if let PolicyError::Line(line, _) = error { Some(line) } else { None };
            assert_eq!(found, line, "{text}");
        }
    }

    /// Proves the limits: the specification's minimum is taken, one above ours is refused.
    #[test]
    fn limits_hold() {
        let witnesses = |count: usize| {
            let seed = |n: usize| [[u8::try_from(n).unwrap(); 31].as_slice(), &[1]].concat().try_into().unwrap();
            let line = |n| format!("witness w{n} {}\n", Cosigner::from_seed("w", &seed(n)).unwrap().verifier());
            (0..count).map(line).collect::<String>() + "quorum none\n"
        };
        let groups = |count: usize| {
            let start = format!("witness g {}\ngroup g0 any g\n", witness(11).verifier());
            (1..count).fold(start, |text, n| format!("{text}group g{n} any g{}\n", n - 1)) + "quorum none\n"
        };
        for (text, fits) in [
            (witnesses(WITNESSES_MAX), true),
            (witnesses(WITNESSES_MAX + 1), false),
            (groups(GROUPS_MAX), true),
            (groups(GROUPS_MAX + 1), false),
            (format!("#{}\nquorum none\n", " ".repeat(POLICY_BYTES_MAX)), false),
        ] {
            assert_eq!(Policy::parse(text.as_bytes()).is_ok(), fits);
        }
    }

    proptest! {
        /// Proves that no bytes at all make the parser fail in any other way than by saying no.
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(Policy::parse(&bytes));
        }
    }
}
