//! The exchange on loopback sockets, driven as any client drives it.

mod accounts;
mod amend;
mod client;
mod faults;
mod orders;
mod public;
mod replay;
mod resume;
mod streams;
