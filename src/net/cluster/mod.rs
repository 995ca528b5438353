//! Several nodes that are used as one store: `router` says which of them owns a key, `scatter` sends commands to many at once and gathers
//! their replies. Knows no command of any server.

pub mod router;
pub mod scatter;
