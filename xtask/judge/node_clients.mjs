// npm: `@binance/spot` (official), `binance` (tiagosiebler), `binance-api-node`, `node-binance-api`: a short round each.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(process.env.JUDGE_NODE_MODULES + '/');
const REST = process.env.JUDGE_REST;
const WS = REST.replace('http', 'ws');
const [key, secret] = process.env.JUDGE_HMAC.split(':');
const [edKey, edPem] = process.env.JUDGE_ED25519.split(':');
const S = 'BTCUSDT';
let passed = 0;
let failed = 0;

const within = (promise, ms = 10000) => Promise.race([promise, new Promise((_, no) => setTimeout(() => no(new Error('nothing within ' + ms + ' ms')), ms))]);
async function check(name, act, expect = (v) => v !== undefined && v !== null) {
    try {
        const value = await within(Promise.resolve(act()));
        if (!expect(value)) throw new Error('unexpected ' + JSON.stringify(value)?.slice(0, 300));
        passed += 1;
        return value;
    } catch (error) {
        failed += 1;
        console.log(`FAIL ${name}: ${error?.message ?? JSON.stringify(error)?.slice(0, 400)}`);
    }
}

async function official(kind) {
    const { Spot } = require('@binance/spot');
    const keys = kind === 'hmac' ? { apiKey: key, apiSecret: secret } : { apiKey: edKey, privateKey: readFileSync(edPem, 'utf8') };
    const client = new Spot({
        configurationRestAPI: { ...keys, basePath: REST },
        configurationWebsocketAPI: { ...keys, wsURL: WS + '/ws-api/v3' },
        configurationWebsocketStreams: { wsURL: WS },
    });
    const t = (name, act, expect) => check(`@binance/spot ${kind} ${name}`, act, expect);
    const rest = client.restAPI;
    const data = async (promise) => (await promise).data();
    await t('exchangeInfo', () => data(rest.exchangeInfo({ symbols: [S] })), (v) => v.symbols.length === 1);
    await t('depth', () => data(rest.depth({ symbol: S, limit: 5 })));
    const book = await t('book', () => data(rest.tickerBookTicker({ symbol: S })));
    const low = Math.round(Number(book.bidPrice) * 90) / 100;
    await t('account', () => data(rest.getAccount()));
    const order = await t('order', () => data(rest.newOrder({ symbol: S, side: 'BUY', type: 'LIMIT', timeInForce: 'GTC', quantity: 0.001, price: low })), (v) => v.status === 'NEW');
    await t('cancel', () => data(rest.deleteOrder({ symbol: S, orderId: order.orderId })), (v) => v.status === 'CANCELED');
    const streams = await client.websocketStreams.connect();
    await t('stream', () => new Promise((yes) => streams.trade({ symbol: 'btcusdt' }).on('message', yes)), (v) => v.p);
    await streams.disconnect();
    const api = await client.websocketAPI.connect();
    if (kind === 'ed25519') await t('logon', () => api.sessionLogon());
    await t('user stream', async () => {
        const { stream } = kind === 'ed25519' ? await api.userDataStreamSubscribe() : await api.userDataStreamSubscribeSignature();
        const heard = new Promise((yes) => stream.on('message', (m) => m.e === 'executionReport' && yes(m)));
        await api.orderPlace({ symbol: S, side: 'BUY', type: 'MARKET', quantity: 0.001 });
        return heard;
    });
    await api.disconnect();
}

async function siebler() {
    const { MainClient } = require('binance');
    const c = new MainClient({ api_key: key, api_secret: secret, baseUrl: REST, disableTimeSync: true });
    const t = (name, act, expect) => check(`binance (npm) ${name}`, act, expect);
    await t('exchange info', () => c.getExchangeInfo({ symbol: S }));
    await t('klines', () => c.getKlines({ symbol: S, interval: '1m', limit: 3 }), (v) => v.length === 3);
    await t('account', () => c.getAccountInformation());
    const order = await t('order', () => c.submitNewOrder({ symbol: S, side: 'BUY', type: 'MARKET', quantity: 0.001 }), (v) => v.status === 'FILLED');
    await t('order, asked', () => c.getOrder({ symbol: S, orderId: order.orderId }));
    await t('trades', () => c.getAccountTradeList({ symbol: S }), (v) => v.length > 0);
    await t('listen key', () => c.getSpotUserDataListenKey());
}

async function apiNode() {
    const Binance = require('binance-api-node').default;
    const c = Binance({ apiKey: key, apiSecret: secret, httpBase: REST, wsBase: WS + '/ws' });
    const t = (name, act, expect) => check(`binance-api-node ${name}`, act, expect);
    await t('time', () => c.time());
    await t('exchangeInfo', () => c.exchangeInfo());
    await t('candles', () => c.candles({ symbol: S, interval: '1m' }), (v) => v.length > 0);
    await t('order', () => c.order({ symbol: S, side: 'BUY', type: 'MARKET', quantity: '0.001' }), (v) => v.status === 'FILLED');
    await t('trade stream', () => new Promise((yes) => { const stop = c.ws.trades([S], (v) => { yes(v); stop(); }); }));
    await t('depth stream', () => new Promise((yes) => { const stop = c.ws.depth(S, (v) => { yes(v); stop(); }); }));
    await t('candle stream', () => new Promise((yes) => { const stop = c.ws.candles(S, '1m', (v) => { yes(v); stop(); }); }));
}

async function nodeBinance() {
    const Binance = require('node-binance-api');
    const c = new Binance({ APIKEY: key, APISECRET: secret, urls: { base: REST + '/api/', stream: WS + '/ws/', combineStream: WS + '/stream?streams=' } });
    const t = (name, act, expect) => check(`node-binance-api ${name}`, act, expect);
    await t('prices', () => c.prices(), (v) => Number(v[S]) > 0);
    await t('balance', () => c.balance(), (v) => Number(v.USDT.available) > 0);
    await t('market buy', () => c.marketBuy(S, 0.001), (v) => v.status === 'FILLED');
    await t('candles', () => c.candles(S, '1m'));
}

for (const run of [() => official('hmac'), () => official('ed25519'), siebler, apiNode, nodeBinance]) {
    try { await run(); } catch (error) { failed += 1; console.log('FAIL ' + (error?.stack ?? error).slice(0, 500)); }
}
console.log(`npm clients: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
