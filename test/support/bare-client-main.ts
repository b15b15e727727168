/**
 * A process that uses the client on a platform without browser APIs, such as React Native. It receives the server's URL
 * and reports its results to its parent. Removing the globals in the process of the server would break the server.
 */
const [, , url = ''] = process.argv;
for (const name of ['navigator', 'localStorage', 'BroadcastChannel']) {
  Object.defineProperty(globalThis, name, { value: undefined, configurable: true });
}
Object.assign(AbortSignal, { timeout: undefined, any: undefined });
const origin = Object.getOwnPropertyDescriptor(URL.prototype, 'origin');
const fetchOfNode = globalThis.fetch;
// The platform's own fetch needs the origin; the client must not.
Object.defineProperty(URL.prototype, 'origin', {
  get(this: URL) {
    if (new Error().stack?.split('\n')[2]?.includes('/src/client/')) throw new Error('URL.origin is not implemented');
    return origin?.get?.call(this);
  },
});

const { AuthClient } = await import('../../src/client/index.js');
const { memoryStore } = await import('../../src/client/store.js');
const sent: string[] = [];
const client = new AuthClient({
  url: `${url}/auth`,
  store: memoryStore(),
  fetch: async (request) => {
    const answer = await fetchOfNode(request);
    sent.push(`${request.method} ${request.url.slice(url.length)} ${answer.status}`);
    return answer;
  },
});
await client.register({ email: 'native@example.com', password: 'a sentence of some length' });
const token = await client.accessToken();
await client.refresh();
process.send?.({ isNewToken: (await client.accessToken()) !== token });
// The parent lets the token expire by the server's clock alone.
process.once('message', async () => {
  const { status } = await client.fetch(`${url}/auth/user`);
  await client.logout();
  process.send?.({ status, state: client.state, sent }, () => process.exit(0)); // timers of the last request wait
});
