//! A streamed reply: server-sent events (WHATWG HTML, section 9.2), each a chunk of a Chat Completion, in whatever pieces
//! the network hands them over.

use serde_json::Value as Json;

use super::reply::{Malformed, Reply, text};

/// Bytes of a stream at most.
const BYTES_MAX: usize = 16 << 20;

/// A stream as far as it has come.
#[derive(Debug, Default)]
pub struct Stream {
    reply: Reply,
    /// A line that is not over.
    line: Vec<u8>,
    bytes: usize,
    has_chunk: bool,
    is_over: bool,
}

impl Stream {
    /// Takes the next piece.
    ///
    /// # Errors
    /// A chunk that is no JSON, an error that the provider tells in the stream, or more than 16 MiB.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Malformed> {
        self.bytes += piece.len();
        if self.bytes > BYTES_MAX {
            return Err(Malformed::Long(BYTES_MAX));
        }
        for byte in piece {
            if *byte == b'\n' || *byte == b'\r' {
                let line = std::mem::take(&mut self.line);
                self.take(&line)?;
            } else {
                self.line.push(*byte);
            }
        }
        Ok(())
    }

    /// Whether anything of an answer has come: text, a refusal, or a tool that is asked for.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        !self.reply.text.is_empty() || self.reply.refusal.is_some() || !self.reply.tools.is_empty()
    }

    /// The whole reply.
    ///
    /// # Errors
    /// When the stream is not over.
    pub fn end(mut self) -> Result<Reply, Malformed> {
        let line = std::mem::take(&mut self.line);
        self.take(&line)?;
        // Some servers leave [DONE] out; a reason to finish says the same.
        if !self.is_over && self.reply.finish.is_none() {
            return Err(Malformed::Cut);
        }
        if self.has_chunk { Ok(self.reply) } else { Err(Malformed::Choices) }
    }

    fn take(&mut self, line: &[u8]) -> Result<(), Malformed> {
        let Some(data) = line.strip_prefix(b"data:").map(<[u8]>::trim_ascii) else { return Ok(()) };
        if data == b"[DONE]" {
            self.is_over = true;
            return Ok(());
        }
        let chunk: Json = serde_json::from_slice(data).map_err(|error| Malformed::Json(error.to_string()))?;
        if let Some(error) = chunk["error"]["message"].as_str() {
            return Err(Malformed::Json(format!("the provider broke off: {error}")));
        }
        self.has_chunk = true;
        self.reply.head(&chunk);
        let choice = &chunk["choices"][0];
        self.reply.add(&choice["delta"]);
        self.reply.finish = text(&choice["finish_reason"]).or(self.reply.finish.take());
        Ok(())
    }
}
