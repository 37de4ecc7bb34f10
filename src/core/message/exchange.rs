//! What is kept of one model call's messages.

use std::borrow::Cow;

use super::{Message, Role, ToolRequest, ToolResponse};

/// One call's input and output, reduced to what a request needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Exchange<'a> {
    /// The system part.
    pub(crate) system: Option<Cow<'a, str>>,
    /// The last user message.
    pub(crate) query: Option<Cow<'a, str>>,
    /// The answer's text.
    pub(crate) answer: Option<Cow<'a, str>>,
    /// The answer is a refusal.
    pub(crate) refusal: bool,
    /// An answer was captured and says nothing: no text, no tool call.
    pub(crate) silent: bool,
    /// Why the model stopped.
    pub(crate) finish: Option<Cow<'a, str>>,
    /// Tools the answer asks for.
    pub(crate) requested: Vec<ToolRequest<'a>>,
    /// Tools asked for since the question, in turns, before this call; without arguments.
    pub(crate) asked_before: Vec<Vec<ToolRequest<'a>>>,
    /// Results of tools that ran since the model last spoke.
    pub(crate) results: Vec<ToolResponse<'a>>,
}

impl<'a> Exchange<'a> {
    /// Reduces one call. `instructions` are a system part sent apart from the messages, which some dialects repeat.
    pub(crate) fn of(instructions: Option<Cow<'a, str>>, inputs: Vec<Message<'a>>, outputs: Vec<Message<'a>>) -> Self {
        let mut exchange = Self { system: instructions, silent: !outputs.is_empty(), ..Self::default() };
        for message in inputs {
            exchange.hear(message);
        }
        for message in outputs {
            exchange.speak(message);
        }
        exchange
    }

    fn hear(&mut self, message: Message<'a>) {
        if message.role == Role::System {
            if let Some(text) = message.text {
                self.add_system(text);
            }
            return;
        }
        if message.is_question() {
            self.query = message.text;
            self.results.clear();
            self.asked_before.clear();
        }
        if message.role == Role::Assistant {
            self.results.clear();
            let asked = message.calls.into_iter().filter(|it| !it.name.is_empty());
            let turn: Vec<_> = asked.map(|it| ToolRequest { arguments: None, ..it }).collect();
            if !turn.is_empty() {
                self.asked_before.push(turn);
            }
        }
        self.results.extend(message.results);
    }

    fn speak(&mut self, message: Message<'a>) {
        let text = message.text.filter(|text| !text.trim().is_empty());
        self.silent &= text.is_none() && message.calls.is_empty();
        self.refusal |= message.refusal;
        if self.answer.is_none() {
            self.answer = text;
        }
        if self.finish.is_none() {
            self.finish = message.finish;
        }
        self.requested.extend(message.calls.into_iter().filter(|call| !call.name.is_empty()));
    }

    fn add_system(&mut self, text: Cow<'a, str>) {
        match &mut self.system {
            None => self.system = Some(text),
            Some(before) if before.contains(text.trim()) => {}
            Some(before) => before.to_mut().extend(["\n", &text]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Json, input, instructions, output};
    use super::*;

    /// Proves that a system part is one part, whether it is sent in the messages, apart, or both.
    #[test]
    fn the_system_part_is_one() {
        let inside = r#"[{"role":"system","content":"S"},{"role":"user","content":"Q"}]"#;
        let without = r#"[{"role":"user","content":"Q"}]"#;
        let apart = || instructions(Json::new(r#"[{"type":"text","content":"S"}]"#));
        for (apart, messages) in [(None, inside), (apart(), without), (apart(), inside)] {
            let exchange = Exchange::of(apart, input(Json::new(messages)), Vec::new());
            assert_eq!((exchange.system.as_deref(), exchange.query.as_deref()), (Some("S"), Some("Q")));
            assert!(!exchange.silent, "no answer was captured");
        }
    }

    /// Proves that only the results that are new to the model are kept, so that none is kept twice.
    #[test]
    fn only_new_results_are_kept() {
        let messages = r#"[{"role":"user","content":"Q"},{"role":"assistant","tool_calls":[{"id":"1","name":"a"}]},
            {"role":"tool","tool_call_id":"1","content":"x"},{"role":"assistant","tool_calls":[{"id":"2","name":"b"}]},
            {"role":"tool","tool_call_id":"2","content":"y"}]"#;
        let exchange = Exchange::of(None, input(Json::new(messages)), output(Json::new("[]")));
        let ids: Vec<_> = exchange.results.iter().map(|it| it.id.as_ref()).collect();
        assert_eq!(ids, ["2"]);
    }
}
