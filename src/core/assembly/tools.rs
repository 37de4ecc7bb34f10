//! Tools: executions from tool spans, else from the messages between model calls; the path they make; the
//! contracts offered.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::calls::Call;
use super::failure::failure;
use super::record::{Content, Record};
use super::shape::Shape;
use crate::core::dialect::Field;
use crate::core::message::{ToolRequest, ToolResponse};
use crate::core::request::{ToolCall, ToolSchema};
use crate::core::span::Kind;
use crate::core::time::UnixNanos;

/// Tools of one path at most; what follows is not told.
const PATH_MAX: usize = 64;

/// What the model asked for in one turn; without arguments.
pub(super) type Turn = Vec<ToolRequest<'static>>;

/// Tool executions in order of start, and their path, which begins with the turns `before`.
pub(super) fn of(
    spans: &[Record],
    shape: &Shape,
    calls: &[Call<'_>],
    before: &[Turn],
) -> (Vec<ToolCall>, Option<Box<str>>) {
    let mut tools = of_spans(spans, shape);
    if tools.is_empty() {
        return of_messages(calls, before);
    }
    tools.sort_by(|a, b| (a.started_at, &a.name).cmp(&(b.started_at, &b.name)));
    let path = path(&turns(&tools, calls));
    (tools, path)
}

/// The turns before the first call: as its own messages tell, else as the trace that asked does. `asked` knows what
/// earlier traces asked for, by the id of a result.
pub(super) fn asked_before(calls: &[Call<'_>], asked: impl Fn(&str) -> Option<Arc<[Turn]>>) -> Arc<[Turn]> {
    let Some(first) = calls.iter().find_map(|call| call.record.content.as_ref()) else { return Arc::default() };
    match first.asked_before.as_slice() {
        [] => first.results.iter().rev().find_map(|it| asked(&it.id)).unwrap_or_default(),
        told => told.into(),
    }
}

/// The turns up to the last call, if that asked for tools whose results are still to come.
pub(super) fn pending(calls: &[Call<'_>], before: &[Turn]) -> Option<Arc<[Turn]>> {
    let last = calls.last()?.record.content.as_ref().filter(|it| !it.requested.is_empty())?;
    let named = last.requested.iter().any(|it| !it.id.is_empty());
    let asked_for = |content: &Content| -> Turn {
        content.requested.iter().map(|it| ToolRequest { arguments: None, ..it.clone() }).collect()
    };
    let own = calls.iter().filter_map(|it| it.record.content.as_ref()).map(|it| asked_for(it));
    named.then(|| before.iter().cloned().chain(own).take(PATH_MAX).collect())
}

/// One execution a tool span. A span inside another of the same tool is another instrumentation of it.
fn of_spans(spans: &[Record], shape: &Shape) -> Vec<ToolCall> {
    let is_tool = |at: &usize| spans[*at].kind == Kind::Tool && !shape.is_judged(*at);
    let repeats = |at: &usize| {
        shape.nearest(spans, *at, Kind::Tool).is_some_and(|outer| {
            let same_call = spans[outer].fields.get(Field::ToolCallId).zip(spans[*at].fields.get(Field::ToolCallId));
            same_call.map_or_else(|| name(&spans[outer]) == name(&spans[*at]), |(a, b)| a == b)
        })
    };
    (0..spans.len()).filter(is_tool).filter(|at| !repeats(at)).map(|at| of_span(&spans[at])).collect()
}

fn of_span(span: &Record) -> ToolCall {
    let content = span.content.as_ref();
    ToolCall {
        name: name(span),
        version: span.fields.text(Field::ToolVersion),
        started_at: span.start,
        duration: Some(span.end.since(span.start)),
        ran: true,
        arguments: content.and_then(|it| it.arguments.clone()),
        result: content.and_then(|it| it.result.clone()),
        error: span.failure.clone(),
    }
}

fn name(span: &Record) -> Box<str> {
    let told = span.fields.text(Field::ToolName).or_else(|| span.fields.text(Field::EntityName));
    let by_name = || {
        let name = span.name.strip_prefix("execute_tool ").unwrap_or(&span.name);
        name.strip_suffix(".tool").unwrap_or(name).into()
    };
    told.unwrap_or_else(by_name)
}

/// Tools the model asked for, with the results it was told later. What an earlier trace asked for and this one tells
/// the result of ran for this one.
fn of_messages(calls: &[Call<'_>], before: &[Turn]) -> (Vec<ToolCall>, Option<Box<str>>) {
    let contents = || calls.iter().filter_map(|call| Some((call, call.record.content.as_ref()?)));
    let result = |request: &ToolRequest<'_>| {
        let known = if request.id.is_empty() { &request.name } else { &request.id };
        contents().flat_map(|(_, it)| &it.results).find(|it| it.id == *known)
    };
    let (mut tools, mut turns) = (Vec::new(), Vec::new());
    if let Some((call, _)) = contents().next() {
        turns.extend(before.iter().map(|turn| turn.iter().map(|it| it.name.as_ref().into()).collect()));
        // What came before the last turn ran for an earlier trace.
        let answered = before.last().into_iter().flatten().filter_map(|request| Some((request, result(request)?)));
        tools.extend(answered.map(|(request, result)| of_message(request, Some(result), call.started_at)));
    }
    for (call, content) in contents() {
        tools.extend(content.requested.iter().map(|it| of_message(it, result(it), call.ended_at())));
        turns.push(content.requested.iter().map(|it| it.name.as_ref().into()).collect());
    }
    (tools, path(&turns))
}

fn of_message(request: &ToolRequest<'_>, result: Option<&ToolResponse<'_>>, at: UnixNanos) -> ToolCall {
    ToolCall {
        name: request.name.as_ref().into(),
        version: None,
        started_at: at,
        duration: None,
        ran: result.is_some(),
        arguments: request.arguments.as_deref().map(Into::into),
        result: result.map(|it| it.text.as_ref().into()),
        error: result.filter(|it| it.failed).map(|it| failure("tool_error", &it.text, None)),
    }
}

/// Groups executions that ran in parallel: asked for in one turn of the model, or overlapping in time.
fn turns(tools: &[ToolCall], calls: &[Call<'_>]) -> Vec<Vec<Box<str>>> {
    let asked_in =
        |tool: &ToolCall| calls.iter().rposition(|call| call.may_ask_for_tools() && call.ended_at() <= tool.started_at);
    let mut turns: Vec<Vec<Box<str>>> = Vec::new();
    let (mut turn, mut until) = (None, UnixNanos(0));
    for tool in tools {
        let asked = asked_in(tool);
        let end = tool.started_at.plus(tool.duration.unwrap_or_default());
        let parallel = (asked.is_some() && asked == turn) || tool.started_at < until;
        match turns.last_mut().filter(|_| parallel) {
            Some(last) => last.push(tool.name.clone()),
            None => turns.push(vec![tool.name.clone()]),
        }
        (turn, until) = (asked, if parallel { until.max(end) } else { end });
    }
    turns
}

/// `a|b>c`
fn path(turns: &[Vec<Box<str>>]) -> Option<Box<str>> {
    let turns: Vec<String> = turns
        .iter()
        .filter(|turn| !turn.is_empty())
        .take(PATH_MAX)
        .map(|turn| {
            let mut names: Vec<&str> = turn.iter().map(|name| &**name).take(PATH_MAX).collect();
            names.sort_unstable();
            names.join("|")
        })
        .collect();
    (!turns.is_empty()).then(|| turns.join(">").into())
}

/// The contracts offered to the model over all calls, by name, each once.
pub(super) fn offered(spans: &[Record], calls: &[Call<'_>]) -> Vec<ToolSchema> {
    let of_calls = calls.iter().map(|call| &*call.record);
    let of_agents = spans.iter().filter(|it| it.kind == Kind::Agent);
    let contents = of_calls.chain(of_agents).filter_map(|it| it.content.as_ref());
    let schemas = contents.flat_map(|it| &it.tools).flat_map(|it| it.iter());
    let distinct: BTreeMap<(&str, [u8; 32]), &ToolSchema> = schemas.map(|it| ((&*it.name, it.sha256), it)).collect();
    distinct.into_values().cloned().collect()
}
