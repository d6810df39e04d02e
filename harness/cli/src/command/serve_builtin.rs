//! `stateline __client`: the reference clients as an adapter on real connections.
//!
//! `run --time real` starts it for its built-in clients. Not responsible for sockets or the protocol.
//!
//! Invariant: what it plays is the client of virtual time, unchanged.

use crate::Failure;
use crate::client_spec::ClientSpec;
use crate::exit::Exit;
use stateline_live::{About, Opening, serve};

/// Runs the command.
pub(crate) fn serve_builtin(spec: &ClientSpec) -> Result<Exit, Failure> {
    let ClientSpec::Builtin { design, defects } = spec.clone() else {
        return Err(Failure::usage("`__client` serves the reference clients alone"));
    };
    let about = About {
        name: "stateline reference client".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        profiles: stateline_reference::profiles().map(ToString::to_string).collect(),
        ..About::default()
    };
    let factory = move |opening: &Opening| {
        let defects: Vec<&str> = defects.iter().map(String::as_str).collect();
        stateline_reference::open(&opening.profile, design.as_deref(), &defects, &opening.open)
            .map_err(|unknown| unknown.to_string())
    };
    serve(about, factory)
        .map(|()| Exit::Ok)
        .map_err(|error| Failure { text: error.to_string(), exit: Exit::Error })
}
