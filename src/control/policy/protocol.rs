//! JSON-RPC 2.0, one object a line, as on the admin socket; but here `anchord` asks.
//!
//! Any bytes give an answer or a sentence that says why they are none.

use crate::config::NodeEntry;
use crate::mobility::question::{PolicyQuestion, QuestionId};
use serde_json::{Map, Value, json};

/// The longest answer, in bytes without its newline.
pub const LINE_MAX: usize = 16 * 1024;

/// Told in the hello: what the lines are.
pub(super) const PROTOCOL_VERSION: u32 = 1;

/// An answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Which.
    pub id: QuestionId,
    /// What it says.
    pub said: Said,
}

/// What the policy store says of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It may do this.
    Serve(Box<NodeEntry>),
    /// It is none of ours.
    NotServed,
    /// It cannot be said.
    Error(String),
    /// It is clear to what it answers, but not what.
    Unusable(String),
}

/// What is said first.
pub(super) fn hello_line(node: &str) -> Vec<u8> {
    let params = json!({
        "program": "anchord",
        "protocol": PROTOCOL_VERSION,
        "version": env!("CARGO_PKG_VERSION"),
        "node": node,
    });
    line(&json!({ "jsonrpc": "2.0", "method": "hello", "params": params }))
}

/// A question, about a node of the customer of this name.
#[must_use]
pub fn question_line(question: &PolicyQuestion, customer: Option<&str>) -> Vec<u8> {
    let service = question.service.as_deref().map(String::from_utf8_lossy);
    let params = json!({
        "mn_id": question.mn_id,
        "customer": customer,
        "mag": question.mag.to_canonical(),
        "service": service,
    });
    let id = question.id.0;
    line(&json!({ "jsonrpc": "2.0", "id": id, "method": "node.show", "params": params }))
}

/// Reads a line, with or without its newline.
pub fn parse_line(bytes: &[u8]) -> Result<Answer, String> {
    if bytes.len() > LINE_MAX {
        return Err(format!("is longer than {LINE_MAX} bytes"));
    }
    let mut object = match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return Err("is not a JSON object".into()),
        Err(e) => return Err(format!("is not JSON: {e}")),
    };
    let Some(id) = object.remove("id").as_ref().and_then(Value::as_u64) else {
        return Err("has no id of a question".into());
    };
    let said = said(object).unwrap_or_else(Said::Unusable);
    Ok(Answer { id: QuestionId(id), said })
}

fn said(mut object: Map<String, Value>) -> Result<Said, String> {
    if object.remove("jsonrpc") != Some(Value::from("2.0")) {
        return Err("\"jsonrpc\" must be \"2.0\"".into());
    }
    let said = match (object.remove("result"), object.remove("error")) {
        (Some(Value::Null), None) => Said::NotServed,
        // An array would be taken for the fields in their order.
        (Some(entry), None) if !entry.is_object() => {
            return Err("\"result\" must be an object or null".into());
        }
        (Some(entry), None) => {
            let entry = serde_json::from_value(entry).map_err(|e| format!("result: {e}"))?;
            Said::Serve(Box::new(entry))
        }
        (None, Some(error)) => {
            let message = error.get("message").and_then(Value::as_str);
            Said::Error(message.unwrap_or("no reason given").chars().take(REASON_MAX).collect())
        }
        _ => return Err("an answer has either \"result\" or \"error\"".into()),
    };
    match object.keys().next() {
        Some(key) => Err(format!("an answer has no {key:?}")),
        None => Ok(said),
    }
}

fn line(value: &Value) -> Vec<u8> {
    // Fails only for maps whose keys are no strings, and there are none here.
    let mut bytes = serde_json::to_vec(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Characters of a reason that are kept.
const REASON_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::{CustomerId, MnId};

    fn said(line: &str) -> Result<Said, String> {
        parse_line(line.as_bytes()).map(|a| a.said)
    }

    #[test]
    fn question_is_one_line_that_names_the_node_and_who_asks() {
        let question = PolicyQuestion {
            id: QuestionId(17),
            mn_id: MnId::nai("mn1@example.org").expect("short"),
            home: CustomerId(1),
            mag: "::ffff:198.51.100.1".parse().expect("an address"),
            service: Some((*b"internet").into()),
        };
        let line = String::from_utf8(question_line(&question, Some("acme"))).expect("text");
        assert_eq!(
            line,
            "{\"id\":17,\"jsonrpc\":\"2.0\",\"method\":\"node.show\",\"params\":{\"customer\":\
             \"acme\",\"mag\":\"198.51.100.1\",\"mn_id\":\"mn1@example.org\",\"service\":\
             \"internet\"}}\n"
        );
    }

    #[test]
    fn answer_serves_a_node_or_not_or_fails() {
        let serves = said(r#"{"jsonrpc":"2.0","id":1,"result":{"prefixes":2}}"#);
        let entry = NodeEntry { prefixes: Some(2), ..NodeEntry::default() };
        assert_eq!(serves, Ok(Said::Serve(Box::new(entry))));
        let not = said("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}\n");
        assert_eq!(not, Ok(Said::NotServed));
        let error = said(r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"later"}}"#);
        assert_eq!(error, Ok(Said::Error("later".into())));
    }

    #[test]
    fn answer_that_says_nothing_usable_still_names_its_question() {
        for line in [
            r#"{"id":5,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":5}"#,
            r#"{"jsonrpc":"2.0","id":5,"result":null,"error":{}}"#,
            r#"{"jsonrpc":"2.0","id":5,"result":{},"more":1}"#,
            r#"{"jsonrpc":"2.0","id":5,"result":{"prefixes":0}}"#,
            r#"{"jsonrpc":"2.0","id":5,"result":[]}"#,
        ] {
            let answer = parse_line(line.as_bytes()).expect(line);
            assert_eq!(answer.id, QuestionId(5));
            assert!(matches!(answer.said, Said::Unusable(_)), "{line}");
        }
    }

    #[test]
    fn line_that_answers_nothing_is_refused() {
        for line in ["", "{", "[]", "7", "{}", r#"{"id":-1}"#, r#"{"id":"1"}"#, r#"{"id":1.5}"#] {
            assert!(parse_line(line.as_bytes()).is_err(), "{line}");
        }
        assert!(parse_line(&vec![b' '; LINE_MAX + 1]).is_err());
    }
}
