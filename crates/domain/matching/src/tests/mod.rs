//! Behaviour of the venue: one text helper, text in, text out.

mod orders;
mod properties;
mod recording;
mod restore;
mod text;
mod views;
