//! Requests as lines, and lines as answers.
//!
//! Not responsible for what is asked, nor for what a result holds.
//!
//! Invariant: a line is an answer, or there is a reason why not.

use serde_json::{Value, json};

/// The number that an answer has to have.
#[derive(Clone, Copy, Debug)]
pub(super) enum Id {
    /// That of the request.
    Is(u64),
    /// The same; none in an error, where the request was taken for no JSON.
    Unread(u64),
    /// None, because the request's cannot be read.
    Null,
}

/// An answer.
pub(super) enum Came {
    /// What was asked for.
    Result(Value),
    /// Why it cannot be done.
    Error(i64, String),
}

/// A request as a line, without its end.
pub(super) fn request(id: u64, method: &str, params: Option<&Value>) -> String {
    let mut request = json!({ "jsonrpc": "2.0", "id": id, "method": method });
    if let Some(params) = params {
        request["params"] = params.clone();
    }
    request.to_string()
}

/// Why a line is no answer.
pub(super) enum Misfit {
    /// It is no JSON object.
    NoMessage(String),
    /// It is none for this request; what to do.
    Wrong(String, &'static str),
}

/// Reads a line as an answer.
pub(super) fn read(text: &str, id: Id) -> Result<Came, Misfit> {
    let wrong = |why: String, help| Err(Misfit::Wrong(why, help));
    let answer = match serde_json::from_str(text) {
        Ok(Value::Object(answer)) => answer,
        Ok(_) => return Err(Misfit::NoMessage("no JSON object".to_owned())),
        Err(error) => return Err(Misfit::NoMessage(format!("no JSON ({error})"))),
    };
    if let Some(method) = answer.get("method") {
        let help = "in lockstep an adapter only answers; what a client does stands in the turn";
        return wrong(format!("instead of an answer came method {method}"), help);
    }
    if answer.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return wrong("an answer has no `\"jsonrpc\":\"2.0\"`".to_owned(), "every answer has it");
    }
    let got = answer.get("id");
    let (fits, wanted) = match id {
        Id::Is(n) => (got == Some(&n.into()), n.to_string()),
        Id::Unread(n) => {
            let unread = got == Some(&Value::Null) && answer.contains_key("error");
            (unread || got == Some(&n.into()), n.to_string())
        }
        Id::Null => (got == Some(&Value::Null), "null".to_owned()),
    };
    if !fits {
        let got = got.map_or_else(|| "missing".to_owned(), Value::to_string);
        let help = "repeat the `id` of the request, as the number that it is; null where the line \
                    could not be read";
        return wrong(format!("the `id` of an answer is {got} instead of {wanted}"), help);
    }
    match (answer.get("result"), answer.get("error")) {
        (Some(Value::Null), None | Some(Value::Null)) => {
            wrong("the result is null".to_owned(), "a result without content is `{}`")
        }
        (Some(result), None | Some(Value::Null)) => Ok(Came::Result(result.clone())),
        (None | Some(Value::Null), Some(error)) => {
            let message = error.get("message").and_then(Value::as_str);
            match (error.get("code").and_then(Value::as_i64), message) {
                (Some(code), Some(message)) => Ok(Came::Error(code, message.to_owned())),
                _ => {
                    let help = "an error is `{\"code\":-32602,\"message\":\"why\"}`";
                    wrong("an error without a code or a message".to_owned(), help)
                }
            }
        }
        (Some(_), Some(_)) => {
            wrong("an answer has both result and error".to_owned(), "an answer has one of the two")
        }
        (None, None) => {
            let help = "an answer has one of the two; a result without content is `{}`";
            wrong("an answer has neither result nor error".to_owned(), help)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a line is taken for: `result`, the code of an error, or why it is no answer.
    fn taken(line: &str, id: Id) -> String {
        match read(line, id) {
            Ok(Came::Result(_)) => "result".to_owned(),
            Ok(Came::Error(code, _)) => code.to_string(),
            Err(Misfit::NoMessage(why) | Misfit::Wrong(why, _)) => why,
        }
    }

    #[test]
    fn lines_are_answers_or_there_is_a_reason() {
        let error = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"why"}}"#;
        assert_eq!(taken(error, Id::Null), "-32700");
        assert_eq!(taken(error, Id::Unread(7)), "-32700");
        assert!(taken(error, Id::Is(7)).contains("null instead of 7"));
        let result = r#"{"jsonrpc":"2.0","id":7,"result":{},"error":null}"#;
        assert_eq!(taken(result, Id::Is(7)), "result");
        assert_eq!(taken(result, Id::Unread(7)), "result");
        assert!(taken(result, Id::Null).contains("7 instead of null"));
        for (line, why) in [
            ("[]", "no JSON object"),
            ("{", "no JSON"),
            (r#"{"jsonrpc":"2.0","id":7,"method":"observe"}"#, "method"),
            (r#"{"id":7,"result":{}}"#, "jsonrpc"),
            (r#"{"jsonrpc":"2.0","id":"7","result":{}}"#, "\"7\" instead of 7"),
            (r#"{"jsonrpc":"2.0","result":{}}"#, "missing"),
            (r#"{"jsonrpc":"2.0","id":7}"#, "neither"),
            (r#"{"jsonrpc":"2.0","id":7,"result":null}"#, "null"),
            (r#"{"jsonrpc":"2.0","id":7,"error":{"code":1}}"#, "message"),
            (r#"{"jsonrpc":"2.0","id":7,"result":{},"error":{"code":1,"message":""}}"#, "both"),
            // A result is never one of a request that could not be read.
            (r#"{"jsonrpc":"2.0","id":null,"result":{}}"#, "null instead of 7"),
        ] {
            assert!(taken(line, Id::Unread(7)).contains(why), "{line}");
        }
    }
}
