use proptest::prelude::*;

use super::*;
use crate::core::cosignature::{Cosigner, WitnessKey};
use crate::core::merkle::{Tree, leaf_hash};
use crate::core::note::{Checkpoint, Signer, VerifierKey, split_note};

const ORIGIN: &str = "example.com/log";
const SECONDS: u64 = 1_795_313_940;
/// Leaves that both histories share.
const SHARED: u64 = 5;
const LEAVES: u64 = 20;

fn signer() -> Signer {
    Signer::from_seed(ORIGIN, &[7; 32]).unwrap()
}

fn cosigner() -> Cosigner {
    Cosigner::from_seed("witness.example/w", &[9; 32]).unwrap()
}

/// One of two histories of the log, equal up to [`SHARED`].
fn history(other: bool) -> Tree {
    let mut tree = Tree::default();
    (0..LEAVES).for_each(|leaf| tree.push(leaf_hash(&[leaf.to_le_bytes()[0], u8::from(other && leaf >= SHARED)])));
    tree
}

fn note(tree: &Tree, size: u64) -> String {
    signer().sign_checkpoint(size, tree.root_at(size).unwrap())
}

fn request(tree: &Tree, old_size: u64, size: u64) -> Request {
    let proof = tree.consistency_proof(old_size, size).unwrap_or_default();
    Request { old_size, proof, note: note(tree, size) }
}

/// A witness as it is served: its memory, and everything it ever cosigned.
#[derive(Default)]
struct Witness {
    remembered: Option<Checkpoint>,
    cosigned: Vec<Checkpoint>,
}

impl Witness {
    fn ask(&mut self, body: &str) -> Result<Decision, Refusal> {
        let submission = admit(&[signer().verifier().clone()], body.as_bytes())?;
        let decision = submission.decide(self.remembered.as_ref());
        if decision == Decision::Cosign {
            self.remembered = Some(submission.checkpoint.clone());
            self.cosigned.push(submission.checkpoint);
        }
        Ok(decision)
    }

    /// The answer as the client reads it off the wire.
    fn answer(&mut self, body: &str, v1_0_0: bool) -> Answer {
        let text = split_note(body.split_once("\n\n").unwrap().1).unwrap().0.to_owned();
        let size = self.remembered.as_ref().map_or(0, |known| known.size);
        let (status, body) = match self.ask(body) {
            Ok(Decision::Cosign) => (200, cosigner().cosign(&text, SECONDS)),
            Ok(Decision::Conflict(size)) => (409, format!("{size}\n")),
            Ok(Decision::Forked) if v1_0_0 => (409, format!("{size}\n")),
            Ok(Decision::Inconsistent | Decision::Forked) => (422, String::new()),
            Err(refusal) => (refusal.status(), String::new()),
        };
        let size_type = (status == 409).then_some("text/x.tlog.size");
        Answer::read(status, size_type, body.as_bytes(), cosigner().verifier(), &text)
    }
}

/// Proves the form of requests on the specification's rules: what round-trips and what is none.
#[test]
fn requests_have_one_form() {
    let tree = history(false);
    for (old_size, size) in [(0, 0), (0, 7), (3, 7), (7, 7), (4, 20)] {
        let request = request(&tree, old_size, size);
        assert_eq!(Request::parse(request.to_string().as_bytes()), Some(request));
    }
    let good = request(&tree, 3, 7).to_string();
    let hash = crate::core::note::base64(&[1; 32]);
    let refused = [
        String::new(),
        "old 0\n".into(),
        good.replacen("old 3", "old 03", 1),
        good.replacen("old 3", "old +3", 1),
        good.replacen("old 3", "old  3", 1),
        good.replacen("old 3", "old -3", 1),
        good.replacen("old 3", "old 18446744073709551616", 1),
        good.replacen("old 3", "Old 3", 1),
        good.replacen("old 3\n", "old 3\r\n", 1),
        good.replacen("old 3\n", "old 3\n\n", 1).replacen("\n\n", "\nAA==\n\n", 1),
        good.replacen("old 3\n", &format!("old 3\n{}\n", &hash[..43]), 1),
        good.replacen("old 3\n", &format!("old 3\n{}", format!("{hash}\n").repeat(PROOF_LINES_MAX)), 1),
        format!("{good}{}", " ".repeat(REQUEST_BYTES_MAX)),
    ];
    for body in refused {
        assert_eq!(Request::parse(body.as_bytes()), None, "{body:.80}");
    }
    let full = format!("old 3\n{}\n{}", format!("{hash}\n").repeat(PROOF_LINES_MAX), note(&tree, 7));
    assert!(Request::parse(full.as_bytes()).is_some());
    assert_eq!(Request::parse(b"old 3\n\n\xff"), None);
}

/// Proves the answer to every kind of request, and the order of the checks by requests that fail several of them.
#[test]
fn every_kind_of_request_has_its_answer() {
    let (tree, fork) = (history(false), history(true));
    let stranger = Signer::from_seed("example.com/other", &[7; 32]).unwrap();
    let impostor = Signer::from_seed(ORIGIN, &[8; 32]).unwrap();
    let root = |size| tree.root_at(size).unwrap();
    let with = |old_size, note: String| Request { old_size, proof: vec![], note }.to_string();
    let unproven = |old_size, size| with(old_size, note(&tree, size));
    let extended = note(&tree, 7).replacen("\n\n", "\nextension\n\n", 1);
    let altered = note(&tree, 7).replacen("\n7\n", "\n8\n", 1);
    let empty = signer().sign_checkpoint(0, [1; 32]);
    let malformed = |what| Err(Refusal::Malformed(what));
    let table = [
        // Refused before the memory is looked at.
        (None, "old x\n\n".to_owned(), malformed("request")),
        (None, with(0, "no note\n".into()), malformed("note")),
        (None, with(0, extended), malformed("checkpoint")),
        (None, with(9, stranger.sign_checkpoint(7, root(7))), Err(Refusal::UnknownLog)),
        (None, with(9, impostor.sign_checkpoint(7, root(7))), Err(Refusal::BadSignature)),
        (None, with(9, altered), Err(Refusal::BadSignature)),
        (None, unproven(8, 7), malformed("old size: larger than the checkpoint's")),
        // The first checkpoint.
        (None, unproven(0, 7), Ok(Decision::Cosign)),
        (None, unproven(0, 0), Ok(Decision::Cosign)),
        (None, unproven(3, 7), Ok(Decision::Conflict(0))),
        (None, with(0, empty), Ok(Decision::Inconsistent)),
        (None, Request { proof: vec![[1; 32]], ..request(&tree, 0, 7) }.to_string(), Ok(Decision::Inconsistent)),
        // Beyond what is remembered.
        (Some(7), request(&tree, 7, 12).to_string(), Ok(Decision::Cosign)),
        (Some(7), request(&tree, 7, 7).to_string(), Ok(Decision::Cosign)),
        (Some(7), request(&tree, 0, 12).to_string(), Ok(Decision::Conflict(7))),
        (Some(7), request(&tree, 6, 12).to_string(), Ok(Decision::Conflict(7))),
        (Some(7), request(&tree, 8, 12).to_string(), Ok(Decision::Conflict(7))),
        (Some(7), request(&fork, 6, 6).to_string(), Ok(Decision::Conflict(7))),
        (Some(7), unproven(7, 12), Ok(Decision::Inconsistent)),
        (Some(7), request(&fork, 7, 12).to_string(), Ok(Decision::Inconsistent)),
        (Some(7), request(&fork, 7, 7).to_string(), Ok(Decision::Forked)),
        (Some(7), Request { proof: vec![[1; 32]], ..request(&fork, 7, 7) }.to_string(), Ok(Decision::Forked)),
        (Some(7), Request { proof: vec![[1; 32]], ..request(&tree, 7, 7) }.to_string(), Ok(Decision::Inconsistent)),
    ];
    for (remembered, body, expected) in table {
        let remembered = remembered.map(|size| Checkpoint { origin: ORIGIN.into(), size, root: root(size) });
        let mut witness = Witness { remembered, ..Witness::default() };
        assert_eq!(witness.ask(&body), expected, "{body}");
    }
}

/// Proves that only verified lines are kept of a note, whichever of a log's keys signed it, and that one wrong line of a
/// known key spoils it.
#[test]
fn what_is_kept_is_what_was_verified() {
    let rotated = Signer::from_seed(ORIGIN, &[6; 32]).unwrap();
    let keys = [signer().verifier().clone(), rotated.verifier().clone()];
    let tree = history(false);
    let (first, root) = (note(&tree, 7), tree.root_at(7).unwrap());
    let line = |note: String| note.split_once("\n\n").unwrap().1.to_owned();
    let (second, unknown) = (
        line(rotated.sign_checkpoint(7, root)),
        line(Signer::from_seed(ORIGIN, &[5; 32]).unwrap().sign_checkpoint(7, root)),
    );
    let admitted = |note: String| admit(&keys, Request { old_size: 0, proof: vec![], note }.to_string().as_bytes());
    assert_eq!(admitted(format!("{first}{unknown}{second}")).unwrap().note, format!("{first}{second}"));
    assert_eq!(admitted(rotated.sign_checkpoint(7, root)).unwrap().note, rotated.sign_checkpoint(7, root));
    let spoiled = line(rotated.sign_checkpoint(8, root));
    assert_eq!(admitted(format!("{first}{spoiled}")), Err(Refusal::BadSignature));
    assert_eq!(admitted(format!("{first}{}", line(first.clone()))), Err(Refusal::BadSignature));
}

/// Proves how answers off the wire are read, and that none is a cosignature or a size that is not exactly one.
#[test]
fn answers_are_read_strictly() {
    let tree = history(false);
    let ours = note(&tree, 7);
    let text = split_note(&ours).unwrap().0;
    let key = cosigner().verifier().clone();
    let line = cosigner().cosign(text, SECONDS);
    let read = |status, content_type, body: &str| Answer::read(status, content_type, body.as_bytes(), &key, text);
    let size = Some("text/x.tlog.size");
    let cosigned = Answer::Cosigned { line: line.clone(), seconds: SECONDS };
    assert_eq!(read(200, None, &line), cosigned);
    let other = Cosigner::from_seed("other.example", &[1; 32]).unwrap().cosign(text, SECONDS);
    assert_eq!(read(200, None, &format!("{other}{line}")), cosigned);
    assert_eq!(read(409, size, "7\n"), Answer::Conflict(7));
    assert_eq!(read(422, None, ""), Answer::Inconsistent);
    let about_another = cosigner().cosign(&text.replace("\n7\n", "\n8\n"), SECONDS);
    let refused = [
        (200, None, ""),
        (200, None, other.as_str()),
        (200, None, about_another.as_str()),
        (200, None, line.trim_end()),
        (201, None, line.as_str()),
        (409, None, "7\n"),
        (409, Some("text/plain"), "7\n"),
        (409, size, "7"),
        (409, size, "07\n"),
        (409, size, "7\n\n"),
        (400, size, "7\n"),
        (500, None, ""),
        (503, size, "7\n"),
    ];
    for (status, content_type, body) in refused {
        assert_eq!(read(status, content_type, body), Answer::Refused, "{status} {body:?}");
    }
}

/// Proves what is concluded from every kind of answer, and that nothing is from one alone, from none, or from a size that
/// our log has reached meanwhile.
#[test]
fn contradictions_need_the_right_answer_twice_in_a_row() {
    let asked = |old_size, size| Ask { old_size, size };
    let rolled_back = Next::Contradicted(Contradiction::RolledBack { size: 9 });
    let forked = |size| Next::Contradicted(Contradiction::Forked { size });

    let mut client = Client::default();
    assert_eq!(client.ask(7), Some(asked(0, 7)));
    assert_eq!(client.heard(asked(0, 7), Answer::Conflict(9), 7), Next::Again);
    assert_eq!(client.ask(7), Some(asked(0, 7)), "nothing can be proven from beyond the end");
    assert_eq!(client.clone().heard(asked(0, 7), Answer::Conflict(9), 7), rolled_back);
    assert_eq!(client.clone().heard(asked(0, 7), Answer::Conflict(9), 9), Next::Again, "the log has grown there");
    assert_eq!(client.failed(), Next::Later);
    assert_eq!(client.heard(asked(0, 7), Answer::Conflict(9), 7), Next::Again, "silence between does not count");
    assert_eq!(client.heard(asked(0, 7), Answer::Refused, 7), Next::Later);
    assert_eq!(client.heard(asked(0, 7), Answer::Conflict(9), 7), Next::Again);
    assert_eq!(client.heard(asked(0, 7), Answer::Conflict(9), 7), rolled_back);
    assert_eq!(client.heard(asked(0, 7), Answer::Conflict(9), 7), Next::Later, "said once");
    assert_eq!(client.heard(asked(9, 11), Answer::Inconsistent, 11), Next::Again, "grown past it: another question");
    assert_eq!(client.heard(asked(9, 11), Answer::Inconsistent, 11), forked(9));

    for answer in [Answer::Inconsistent, Answer::Conflict(7)] {
        let mut client = Client::default();
        assert_eq!(client.heard(asked(0, 7), Answer::Conflict(7), 7), Next::Again);
        assert_eq!(client.ask(7), Some(asked(7, 7)));
        assert_eq!(client.heard(asked(7, 7), answer.clone(), 7), Next::Again);
        assert_eq!(client.heard(asked(7, 7), answer, 7), forked(7));
    }
    let mut client = Client::default();
    for _ in 0..5 {
        assert_eq!(client.heard(asked(0, 7), Answer::Inconsistent, 7), Next::Later, "from zero nothing can be wrong");
        assert_eq!(client.heard(asked(3, 7), Answer::Conflict(3), 7), Next::Later, "it repeats what we said");
    }
    let nexts = [1, 2, 1, 2].map(|told| client.heard(asked(0, 7), Answer::Conflict(told), 7));
    assert_eq!(nexts, [Next::Again, Next::Again, Next::Again, Next::Later], "a witness that can't decide");
}

/// Proves what counts as proof: our own signature under a tree we do not have.
#[test]
fn a_note_proves_only_what_our_key_signed() {
    let (tree, fork) = (history(false), history(true));
    let key: VerifierKey = signer().verifier().clone();
    let proves = |note: &str| proves(note, &key, 10, |size| tree.root_at(size));
    assert!(proves(&note(&tree, 11)) && proves(&note(&fork, 9)));
    assert!(!proves(&note(&tree, 10)) && !proves(&note(&fork, SHARED)));
    let stranger = Signer::from_seed(ORIGIN, &[8; 32]).unwrap();
    assert!(!proves(&stranger.sign_checkpoint(11, [1; 32])) && !proves(""));
}

/// Asks until the client has nothing more to ask at once, or is told that it is of no use. What was concluded.
fn converse(client: &mut Client, witness: &mut Witness, tree: &Tree, size: u64, v1_0_0: bool) -> Next {
    for _ in 0..=CONFLICTS_MAX {
        let Some(ask) = client.ask(size) else { return Next::Later };
        let proof = tree.consistency_proof(ask.old_size, ask.size).unwrap_or_default();
        let answer = witness.answer(&ask.body(proof, &note(tree, size)), v1_0_0);
        match client.heard(ask, answer, size) {
            Next::Again => {}
            next => return next,
        }
    }
    panic!("the client asks for ever");
}

fn witness_key() -> WitnessKey {
    cosigner().verifier().clone()
}

proptest! {
    /// Proves the witness's promise: whatever is asked in whatever order, it never cosigns two roots of one size, never a
    /// smaller size, and never a tree that does not extend what it cosigned before.
    #[test]
    fn a_witness_never_cosigns_two_histories(
        requests in prop::collection::vec((any::<bool>(), 0..=LEAVES, 0..=LEAVES, any::<bool>()), 1..60),
    ) {
        let histories = [history(false), history(true)];
        let mut witness = Witness::default();
        for (fork, old_size, size, follow) in requests {
            // Half of the requests name the size the witness remembers, or nothing would get past the conflict.
            let known = witness.remembered.as_ref().map_or(0, |known| known.size);
            let old_size = if follow { known } else { old_size };
            let body = request(&histories[usize::from(fork)], old_size, size).to_string();
            prop_assert!(witness.ask(&body).is_ok() || old_size > size);
        }
        for pair in witness.cosigned.windows(2) {
            prop_assert!(pair[0].size < pair[1].size || pair[0] == pair[1]);
        }
        let of_one = |tree: &Tree| witness.cosigned.iter().all(|one| tree.root_at(one.size) == Some(one.root));
        prop_assert!(histories.iter().any(of_one), "cosigned {:?}", witness.cosigned);
    }

    /// Proves that an honest log is never contradicted, whatever answers are lost on the way and however often either
    /// side forgets, and that it is cosigned as soon as answers arrive.
    #[test]
    fn an_honest_log_is_never_contradicted(
        steps in prop::collection::vec((1..=LEAVES, 0..4_u8), 1..16), v1_0_0: bool,
    ) {
        let tree = history(false);
        let (mut client, mut witness, mut size) = (Client::default(), Witness::default(), 0);
        for (grow, event) in steps {
            size = (size + grow % 3).min(LEAVES);
            match event {
                // The answer is lost, after the witness acted on the request.
                0 => if let Some(ask) = client.ask(size) {
                    let proof = tree.consistency_proof(ask.old_size, ask.size).unwrap_or_default();
                    witness.answer(&ask.body(proof, &note(&tree, size)), v1_0_0);
                    prop_assert_eq!(client.failed(), Next::Later);
                },
                1 => client = Client::default(),
                2 => witness = Witness::default(),
                _ => {}
            }
            let next = converse(&mut client, &mut witness, &tree, size, v1_0_0);
            prop_assert!(matches!(next, Next::Cosigned(_) | Next::Later), "{next:?}");
            prop_assert!(client.ask(size).is_none(), "not cosigned at {size}");
        }
    }

    /// Proves that a log that lost leaves, or went on differently from a copy, is never cosigned again and is told so:
    /// rolled back while it is smaller, forked once it is not.
    #[test]
    fn a_log_with_another_history_is_told_and_never_cosigned(
        seen in SHARED + 1..=LEAVES, start in 1..=LEAVES, v1_0_0: bool,
    ) {
        let (tree, fork) = (history(false), history(true));
        let mut witness = Witness::default();
        converse(&mut Client::default(), &mut witness, &tree, seen, v1_0_0);
        let (mut client, cosigned) = (Client::default(), witness.cosigned.clone());
        let mut told = Vec::new();
        for size in start..=LEAVES {
            if let Next::Contradicted(what) = converse(&mut client, &mut witness, &fork, size, v1_0_0) {
                let expected = if size < seen { Contradiction::RolledBack { size: seen } } else { Contradiction::Forked { size: seen } };
                prop_assert_eq!(what, expected);
                told.push(what);
            }
        }
        prop_assert!(!told.is_empty());
        prop_assert_eq!(witness.cosigned, cosigned);
        prop_assert_eq!(client.cosigned(), None);
    }

    /// Proves that no bytes off the wire make either side fail in any other way than by refusing.
    #[test]
    fn any_bytes_are_answered(body in prop::collection::vec(any::<u8>(), 0..200), status in 200..600_u16) {
        prop_assert!(admit(&[signer().verifier().clone()], &body).is_err());
        drop(Answer::read(status, Some("text/x.tlog.size"), &body, &witness_key(), "text\n"));
    }
}
