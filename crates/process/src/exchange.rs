//! The way to an exchange that speaks Binance's protocol.

use std::sync::Arc;

use nightdesk_exchange_binance::{ApiKey, Binance, BinanceEvents, Config as BinanceConfig, Endpoints, Streams};
use nightdesk_host::Failure;
use nightdesk_platform::Secret;

use crate::Config;

fn split(secret: &Secret) -> Result<(String, String), Failure> {
    let text = secret.expose_str().map_err(|_| Failure::from("the API key is no text"))?;
    let (id, secret) = text.split_once(':').ok_or("the API key must be written as ID:SECRET (or ID:PEM)")?;
    Ok((id.to_owned(), secret.to_owned()))
}

/// Connects to an exchange by its protocol.
///
/// # Errors
/// When the key is not written as it must be.
pub fn connect(config: &Config, endpoints: Endpoints, key: &Secret) -> Result<(Arc<Binance>, BinanceEvents), Failure> {
    let (id, secret) = split(key)?;
    let key = ApiKey::from_secret(&id, &secret)?;
    let mut binance = BinanceConfig::new(endpoints, config.symbols()?);
    binance.requests_per_second = config.exchange.requests_per_second;
    // The services decide on quotes and trades; the book is asked for where it is needed.
    binance.streams = Streams { quotes: true, trades: true, depth: false, candles: Vec::new() };
    Ok(Binance::connect(binance, key)?)
}
